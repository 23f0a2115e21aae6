// The network as a drawing: each neuron is a small picture of the square as that neuron sees it, each weight a line.

import { neuronGrids } from './forward.js';
import { picture, sharpContext } from './palette.js';

const RESOLUTION = 24;
// More neurons than these are told as a number below their layer.
const MAX_SHOWN = 16;
// Above this many parameters the neurons' pictures would take time from the training.
const MAX_PARAMETERS = 12000;

export class NetworkDrawing {
    #canvas;
    #palette;
    #parameters = null;
    #activation = 'tanh';

    constructor(canvas, palette) {
        this.#canvas = canvas;
        this.#palette = palette;
        new ResizeObserver(() => this.draw()).observe(canvas);
    }

    setPalette(palette) {
        this.#palette = palette;
        this.draw();
    }

    show(parameters, activation) {
        this.#parameters = parameters;
        this.#activation = activation;
        this.draw();
    }

    draw() {
        const { context, width, height } = sharpContext(this.#canvas);
        if (!this.#parameters) return;
        const sizes = [2, ...this.#parameters.map(({ bias }) => bias.length)];
        const nParameters = this.#parameters.reduce(
            (sum, { bias }, layer) => sum + bias.length * (sizes[layer] + 1),
            0,
        );
        const grids =
            nParameters <= MAX_PARAMETERS ? neuronGrids(this.#parameters, this.#activation, RESOLUTION) : null;

        const most = Math.min(MAX_SHOWN, Math.max(...sizes));
        const [top, bottom] = [4, height - 22];
        const side = Math.max(6, Math.min(30, (bottom - top) / most - 3, width / sizes.length - 26));
        const place = (layer, neuron) => {
            const shown = Math.min(MAX_SHOWN, sizes[layer]);
            const gap = Math.min(side + 12, (bottom - top) / shown);
            return [
                side / 2 + 2 + (layer / (sizes.length - 1)) * (width - side - 4),
                (top + bottom) / 2 + (neuron - (shown - 1) / 2) * gap,
            ];
        };
        this.#drawWeights(context, sizes, place, side);
        this.#drawNeurons(context, sizes, place, side, grids);

        context.font = `11px ${getComputedStyle(this.#canvas).fontFamily}`;
        context.fillStyle = this.#palette.quiet;
        context.textBaseline = 'alphabetic';
        sizes.forEach((size, layer) => {
            const [x] = place(layer, 0);
            const isFirst = layer === 0;
            const isLast = layer === sizes.length - 1;
            context.textAlign = isFirst ? 'left' : isLast ? 'right' : 'center';
            const edge = isFirst ? x - side / 2 : isLast ? x + side / 2 : x;
            const label = isFirst ? 'x' : isLast ? 'A, B' : size > MAX_SHOWN ? `${MAX_SHOWN} of ${size}` : String(size);
            context.fillText(label, edge, height - 4);
        });
    }

    // Thickness is size, colour is sign; within a layer the largest weight has the full thickness.
    #drawWeights(context, sizes, place, side) {
        this.#parameters.forEach(({ weight }, layer) => {
            const rows = Array.from(weight)
                .slice(0, MAX_SHOWN)
                .map((row) => Array.from(row).slice(0, MAX_SHOWN));
            const largest = Math.max(1e-9, ...rows.flat().map(Math.abs));
            rows.forEach((row, o) =>
                row.forEach((w, i) => {
                    const strength = Math.abs(w) / largest;
                    if (strength < 0.03) return;
                    const [x0, y0] = place(layer, i);
                    const [x1, y1] = place(layer + 1, o);
                    const bend = (x1 - x0) * 0.45;
                    context.beginPath();
                    context.moveTo(x0 + side / 2, y0);
                    context.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1 - side / 2, y1);
                    context.strokeStyle = this.#palette.points[w > 0 ? 1 : 0];
                    context.globalAlpha = 0.06 + 0.7 * strength ** 1.5;
                    context.lineWidth = 0.4 + 2.2 * strength;
                    context.stroke();
                }),
            );
        });
        context.globalAlpha = 1;
    }

    #drawNeurons(context, sizes, place, side, grids) {
        sizes.forEach((size, layer) => {
            for (let neuron = 0; neuron < Math.min(MAX_SHOWN, size); neuron++) {
                const [x, y] = place(layer, neuron);
                const [left, top] = [x - side / 2, y - side / 2];
                context.save();
                context.beginPath();
                context.roundRect(left, top, side, side, Math.min(5, side / 4));
                context.fillStyle = this.#palette.ground;
                context.fill();
                if (grids) {
                    context.save();
                    context.clip();
                    context.drawImage(
                        picture(signed(grids[layer][neuron]), RESOLUTION, this.#palette),
                        left,
                        top,
                        side,
                        side,
                    );
                    context.restore();
                }
                context.strokeStyle = this.#palette.ink;
                context.globalAlpha = 0.5;
                context.lineWidth = 1;
                context.stroke();
                context.restore();
            }
        });
    }
}

// Values about zero as shades from 0 to 1, with zero in the middle. The square root lets small values be seen beside
// those of the corners, which are large where an activation has no bound.
function signed(values) {
    const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-9);
    return values.map((v) => 0.5 + 0.5 * Math.sign(v) * Math.sqrt(Math.abs(v) / largest));
}
