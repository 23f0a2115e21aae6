// The controls: they show a setup, and tell of each change that can be read.

import { makePoints, NAMES } from './data.js';
import { element } from './element.js';
import { sharpContext } from './palette.js';
import { ACTIVATIONS, OPTIMIZERS, readSetup, toTexts } from './setup.js';

const TYPED = ['hidden', 'activation', 'optimizer', 'learningRate', 'batchSize', 'seed'];

export class Form {
    #form;
    #slider;
    #previews;
    #setup;
    #onChange;

    constructor(form, setup, onChange) {
        this.#form = form;
        this.#slider = form.querySelector('#rate-slider');
        this.#previews = form.querySelectorAll('canvas[data-set]');
        this.#onChange = onChange;
        const option = (name) => element('option', { value: name }, name);
        form.elements.activation.append(...ACTIVATIONS.map(option));
        form.elements.optimizer.append(...Object.keys(OPTIMIZERS).map(option));
        form.addEventListener('submit', (event) => event.preventDefault());
        form.addEventListener('input', (event) => this.#input(event.target));
        this.show(setup);
    }

    show(setup) {
        this.#setup = setup;
        const texts = toTexts(setup);
        for (const field of [...TYPED, 'data']) this.#form.elements[field].value = texts[field];
        this.#slider.value = Math.log10(setup.learningRate);
        this.#showProblems({});
    }

    #input(target) {
        const { elements } = this.#form;
        if (target === this.#slider) {
            // Two digits are enough to hit with a slider, and are read more easily.
            elements.learningRate.value = Number((10 ** target.value).toPrecision(2));
        } else if (target === elements.optimizer) {
            elements.learningRate.value = OPTIMIZERS[target.value];
        } else if (![...TYPED, 'data'].includes(target.name)) {
            return;
        }
        const texts = Object.fromEntries([...TYPED, 'data'].map((field) => [field, elements[field].value]));
        const { setup, problems } = readSetup(texts, this.#setup);
        this.#setup = setup;
        if (target !== this.#slider) this.#slider.value = Math.log10(setup.learningRate);
        this.#showProblems(problems);
        this.#onChange(setup);
    }

    #showProblems(problems) {
        for (const field of TYPED) {
            const control = this.#form.elements[field];
            control.toggleAttribute('aria-invalid', field in problems);
            if (field in problems) control.setAttribute('aria-invalid', 'true');
            this.#form.querySelector(`#${field}-problem`).textContent = problems[field] ?? '';
        }
    }

    drawPreviews(palette, { seed, points }) {
        for (const canvas of this.#previews) {
            const { context, width, height } = sharpContext(canvas);
            const isOwn = !NAMES.includes(canvas.dataset.set);
            const shown = isOwn ? points : makePoints(canvas.dataset.set, seed);
            for (const { x, y, label } of shown) {
                context.fillStyle = palette.points[label];
                context.beginPath();
                context.arc(((x + 1) / 2) * width, ((1 - y) / 2) * height, 1.4, 0, 2 * Math.PI);
                context.fill();
            }
            if (isOwn && points.length === 0) {
                context.strokeStyle = palette.quiet;
                context.lineWidth = 1.5;
                context.beginPath();
                context.moveTo(width / 2 - 8, height / 2);
                context.lineTo(width / 2 + 8, height / 2);
                context.moveTo(width / 2, height / 2 - 8);
                context.lineTo(width / 2, height / 2 + 8);
                context.stroke();
            }
        }
    }
}
