// The curve of the loss, one value for every epoch.

import { figure } from './figure.js';
import { sharpContext } from './palette.js';
import { joined, Runs } from './runs.js';

const LEFT = 46;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 24;

export class LossCurve {
    #canvas;
    #palette;
    #losses = [];
    #runs = new Runs();
    #isLogarithmic = false;

    constructor(canvas, palette) {
        this.#canvas = canvas;
        this.#palette = palette;
        new ResizeObserver(() => this.draw()).observe(canvas);
    }

    setPalette(palette) {
        this.#palette = palette;
        this.draw();
    }

    setLogarithmic(isLogarithmic) {
        this.#isLogarithmic = isLogarithmic;
        this.draw();
    }

    show(losses) {
        this.#losses = losses;
        this.draw();
    }

    draw() {
        const { context, width, height } = sharpContext(this.#canvas);
        const palette = this.#palette;
        const losses = this.#losses;
        const [right, bottom] = [width - RIGHT, height - BOTTOM];
        this.#runs.follow(losses);
        const scale = this.#scale();
        const toY = (loss) => bottom - Math.max(0, Math.min(1, scale.place(loss))) * (bottom - TOP);
        const nEpochs = Math.max(10, losses.length);
        const toX = (epoch) => LEFT + (epoch / nEpochs) * (right - LEFT);

        context.font = `11px ${getComputedStyle(this.#canvas).fontFamily}`;
        context.textBaseline = 'middle';
        context.lineWidth = 1;
        context.strokeStyle = palette.line;
        context.fillStyle = palette.quiet;
        context.textAlign = 'right';
        for (const tick of scale.ticks) {
            const y = Math.round(toY(tick)) + 0.5;
            context.beginPath();
            context.moveTo(LEFT, y);
            context.lineTo(right, y);
            context.stroke();
            context.fillText(String(tick), LEFT - 8, y);
        }
        context.textAlign = 'center';
        for (const epoch of roundSteps(nEpochs, Math.max(2, Math.floor(width / 110)))) {
            // The last label would leave the canvas where it stands at its edge.
            context.textAlign = epoch === 0 ? 'left' : toX(epoch) > right - 14 ? 'right' : 'center';
            context.fillText(epoch.toLocaleString('en'), toX(epoch), bottom + 14);
        }
        if (losses.length > 0) this.#drawCurve(context, toX, toY);
    }

    // Thousands of epochs share a pixel: each column shows the mean of its epochs, and a band from the least to the most.
    #drawCurve(context, toX, toY) {
        const { all } = this.#runs;
        const nColumns = Math.max(1, Math.floor(toX(this.#losses.length) - toX(0)));
        const perColumn = Math.max(1, all.length / nColumns);
        const columns = [];
        let nEpochs = 0;
        for (let from = 0; Math.floor(from) < all.length; from += perColumn) {
            const { n, least, most, sum } = joined(all.slice(Math.floor(from), Math.floor(from + perColumn)));
            nEpochs += n;
            if (Number.isFinite(sum)) columns.push({ x: toX(nEpochs), least, most, mean: sum / n });
        }
        if (columns.length === 0) return;
        context.fillStyle = this.#palette.accent;
        context.globalAlpha = 0.22;
        context.beginPath();
        columns.forEach(({ x, most }) => context.lineTo(x, toY(most)));
        columns.toReversed().forEach(({ x, least }) => context.lineTo(x, toY(least)));
        context.fill();
        context.globalAlpha = 1;
        context.strokeStyle = this.#palette.accent;
        context.lineWidth = 1.75;
        context.lineJoin = 'round';
        context.beginPath();
        columns.forEach(({ x, mean }) => context.lineTo(x, toY(mean)));
        context.stroke();
        const last = columns.at(-1);
        context.fillStyle = this.#palette.accent;
        context.beginPath();
        context.arc(last.x, toY(last.mean), 3, 0, 2 * Math.PI);
        context.fill();
    }

    #scale() {
        const { leastAbove0: least, most } = this.#runs;
        if (this.#isLogarithmic) {
            const low = Math.floor(Math.log10(Number.isFinite(least) ? least : 0.1));
            const high = Math.max(low + 1, Math.ceil(Math.log10(most > 0 ? most : 1)));
            const every = Math.ceil((high - low) / 5);
            const ticks = [];
            for (let power = low; power <= high; power += every) ticks.push(Number(`1e${power}`));
            return { place: (loss) => (Math.log10(Math.max(loss, 1e-300)) - low) / (high - low), ticks };
        }
        const top = most > 0 ? most * 1.05 : 0.8;
        return { place: (loss) => loss / top, ticks: roundSteps(top, 4) };
    }

    // What a screen reader is told instead of the curve.
    describe() {
        const losses = this.#losses;
        if (losses.length === 0) return 'No epoch trained yet.';
        return `Loss from ${figure(losses[0])} to ${figure(losses.at(-1))} in ${losses.length} epochs.`;
    }
}

// Round numbers from 0 up to `top`, about `n` of them: steps of 1, 2 or 5 and a power of ten.
function roundSteps(top, n) {
    const rough = top / n;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((v) => v * power).find((v) => v >= rough);
    // Counting whole steps and rounding avoids labels such as 0.30000000000000004.
    return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, k) => Number((k * step).toPrecision(6)));
}
