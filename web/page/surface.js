// The decision surface: the probability of class B over the square, and the points on it.
//
// Two canvases lie on each other. The lower holds the field alone, so that a test can read it back; the upper the
// border between the classes, the points and the cross, and it takes the pointer.

import { picture, sharpContext } from './palette.js';

// How far a pointer may miss a point, in CSS pixels. A finger is wider than a mouse.
const REACH = { mouse: 12, touch: 22, pen: 14 };
// The picture has so many pixels for each place that was asked for, in each direction.
const FINENESS = 3;
const CROSS_STEP = 0.05;

export class Surface {
    #field;
    #marks;
    #palette;
    #logits = null;
    #fine = null;
    #resolution = 0;
    #points = [];
    #selected = -1;
    #cross = null;

    // onPlace({ x, y, index, isOther }) is called for a click: index is that of the point hit, or -1;
    // isOther tells that a key was held that asks for the other class.
    constructor(field, marks, palette, onPlace) {
        this.#field = field;
        this.#marks = marks;
        this.#palette = palette;
        marks.addEventListener('click', (event) => {
            const [x, y] = [(2 * event.offsetX) / marks.clientWidth - 1, 1 - (2 * event.offsetY) / marks.clientHeight];
            const reach = (2 * (REACH[event.pointerType] ?? REACH.mouse)) / marks.clientWidth;
            this.#cross = null;
            onPlace({ x, y, index: this.#nearest(x, y, reach), isOther: event.shiftKey || event.altKey });
        });
        marks.addEventListener('keydown', (event) => this.#key(event, onPlace));
        // Who comes by keyboard sees at once that there is something to move; a pointer needs no cross.
        marks.addEventListener('focus', () => {
            if (!marks.matches(':focus-visible')) return;
            this.#cross = [0, 0];
            this.draw();
        });
        marks.addEventListener('blur', () => {
            this.#cross = null;
            this.draw();
        });
        new ResizeObserver(() => this.draw()).observe(marks);
    }

    #key(event, onPlace) {
        const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
        if (move) {
            const [x, y] = this.#cross ?? [0, 0];
            const [right, up] = move.map((v) => v * CROSS_STEP);
            this.#cross = [Math.max(-0.95, Math.min(0.95, x + right)), Math.max(-0.95, Math.min(0.95, y + up))];
            this.draw();
        } else if ((event.key === 'Enter' || event.key === ' ') && this.#cross) {
            const [x, y] = this.#cross;
            onPlace({ x, y, index: this.#nearest(x, y, 2 * CROSS_STEP), isOther: event.shiftKey || event.altKey });
        } else {
            return;
        }
        event.preventDefault();
    }

    #nearest(x, y, reach) {
        let best = -1;
        let distance = reach;
        this.#points.forEach((point, index) => {
            const d = Math.hypot(point.x - x, point.y - y);
            if (d < distance) [best, distance] = [index, d];
        });
        return best;
    }

    setPalette(palette) {
        this.#palette = palette;
        this.draw();
    }

    setPoints(points) {
        this.#points = points;
        this.draw();
    }

    select(index) {
        this.#selected = index;
        this.draw();
    }

    // Probabilities of class B on a grid, rows from the top; null empties the field.
    show(values, resolution) {
        this.#logits = values && Float32Array.from(values, toLogit);
        this.#fine = values && refined(this.#logits, resolution);
        this.#resolution = resolution;
        this.draw();
    }

    draw() {
        this.#drawField();
        this.#drawMarks();
    }

    #drawField() {
        const { context, width, height } = sharpContext(this.#field);
        context.fillStyle = this.#palette.css(0.5);
        context.fillRect(0, 0, width, height);
        if (!this.#fine) return;
        context.imageSmoothingEnabled = true;
        context.imageSmoothingQuality = 'high';
        context.drawImage(picture(this.#fine, FINENESS * this.#resolution, this.#palette), 0, 0, width, height);
    }

    #drawMarks() {
        const { context, width, height } = sharpContext(this.#marks);
        const place = (x, y) => [((x + 1) / 2) * width, ((1 - y) / 2) * height];
        this.#drawBorder(context, width, height);
        // Smaller points on a smaller picture, so that they do not hide it.
        const radius = Math.max(3, Math.min(5, width / 120));
        this.#points.forEach(({ x, y, label }, index) => {
            if (index !== this.#selected) this.#drawPoint(context, place(x, y), label, radius);
        });
        const chosen = this.#points[this.#selected];
        if (chosen) {
            const [x, y] = place(chosen.x, chosen.y);
            context.beginPath();
            context.arc(x, y, radius + 7, 0, 2 * Math.PI);
            context.strokeStyle = this.#palette.halo;
            context.lineWidth = 5;
            context.stroke();
            context.strokeStyle = this.#palette.ink;
            context.lineWidth = 2;
            context.stroke();
            this.#drawPoint(context, [x, y], chosen.label, radius + 1.5);
        }
        if (this.#cross) {
            const [x, y] = place(...this.#cross);
            for (const [style, wide] of [
                [this.#palette.halo, 4],
                [this.#palette.ink, 1.5],
            ]) {
                context.strokeStyle = style;
                context.lineWidth = wide;
                context.beginPath();
                context.moveTo(x - 10, y);
                context.lineTo(x + 10, y);
                context.moveTo(x, y - 10);
                context.lineTo(x, y + 10);
                context.stroke();
            }
        }
    }

    // A is a disc and B a diamond: their colours are not the only thing that tells them apart.
    #drawPoint(context, [x, y], label, radius) {
        context.beginPath();
        if (label === 0) {
            context.arc(x, y, radius, 0, 2 * Math.PI);
        } else {
            const r = 1.3 * radius;
            context.moveTo(x, y - r);
            context.lineTo(x + r, y);
            context.lineTo(x, y + r);
            context.lineTo(x - r, y);
            context.closePath();
        }
        context.lineJoin = 'round';
        context.strokeStyle = this.#palette.halo;
        context.lineWidth = 2.5;
        context.stroke();
        context.fillStyle = this.#palette.points[label];
        context.fill();
    }

    // Where the probability is one half, by marching squares: each cell between four values whose signs differ
    // holds a piece of the border, from edge to edge.
    #drawBorder(context, width, height) {
        if (!this.#logits) return;
        const n = this.#resolution;
        const at = (row, column) => this.#logits[row * n + column];
        const place = (row, column) => [((column + 0.5) / n) * width, ((row + 0.5) / n) * height];
        const between = (a, b) => a / (a - b);
        context.beginPath();
        for (let row = 0; row + 1 < n; row++) {
            for (let column = 0; column + 1 < n; column++) {
                const [a, b, c, d] = [
                    at(row, column),
                    at(row, column + 1),
                    at(row + 1, column + 1),
                    at(row + 1, column),
                ];
                const crossings = [];
                if (a > 0 !== b > 0) crossings.push(place(row, column + between(a, b)));
                if (b > 0 !== c > 0) crossings.push(place(row + between(b, c), column + 1));
                if (d > 0 !== c > 0) crossings.push(place(row + 1, column + between(d, c)));
                if (a > 0 !== d > 0) crossings.push(place(row + between(a, d), column));
                for (let k = 0; k + 1 < crossings.length; k += 2) {
                    context.moveTo(...crossings[k]);
                    context.lineTo(...crossings[k + 1]);
                }
            }
        }
        context.strokeStyle = this.#palette.ink;
        context.globalAlpha = 0.55;
        context.lineWidth = 1.25;
        context.lineCap = 'round';
        context.stroke();
        context.globalAlpha = 1;
    }

    // For the test: the probability of class B that the colour at (x, y) stands for, read from the pixels.
    probabilityAt(x, y) {
        const column = Math.min(this.#field.width - 1, Math.floor(((x + 1) / 2) * this.#field.width));
        const row = Math.min(this.#field.height - 1, Math.floor(((1 - y) / 2) * this.#field.height));
        return this.#palette.probability(this.#field.getContext('2d').getImageData(column, row, 1, 1).data);
    }
}

// Between two places the network's answer, log(p / (1 - p)), changes about evenly; a probability jumps from 0 to 1, and
// a border drawn from it would have stairs. A 32-bit probability may round to 0 or 1, so the answer is bounded.
const toLogit = (p) => Math.max(-16, Math.min(16, Math.log(p / (1 - p))));

// Probabilities on a grid FINENESS times as fine, the logits being taken as straight between four neighbours.
function refined(logits, n) {
    const m = FINENESS * n;
    const places = Array.from({ length: m }, (_, k) => {
        const at = Math.max(0, Math.min(n - 1, (k + 0.5) / FINENESS - 0.5));
        const low = Math.min(n - 2, Math.floor(at));
        return { low, part: at - low };
    });
    const fine = new Float32Array(m * m);
    for (let row = 0; row < m; row++) {
        const { low: r, part: down } = places[row];
        for (let column = 0; column < m; column++) {
            const { low: c, part: right } = places[column];
            const at = r * n + c;
            const above = logits[at] + right * (logits[at + 1] - logits[at]);
            const below = logits[at + n] + right * (logits[at + n + 1] - logits[at + n]);
            fine[row * m + column] = 1 / (1 + Math.exp(-(above + down * (below - above))));
        }
    }
    return fine;
}
