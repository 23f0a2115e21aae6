// The part of the page that looks into one step: which point, and its numbers.

import { isLarge, tellStep } from './step.js';

export class Look {
    index = -1;
    step = null;
    #parts;
    #nPoints = 0;
    #epoch = -1;

    // onChoose(index) is asked for a point's step; -1 closes. onSmaller() is asked for a network that is easily read.
    constructor(root, onChoose, onSmaller) {
        const part = (id) => root.querySelector(`#${id}`);
        this.#parts = Object.fromEntries(
            ['look-lead', 'look-problem', 'point', 'previous', 'next', 'renew', 'smaller', 'close', 'step'].map(
                (id) => [id, part(id)],
            ),
        );
        const { point, previous, next, renew, smaller, close } = this.#parts;
        this.#lead = this.#parts['look-lead'].textContent;
        const around = (index) => (this.#nPoints === 0 ? 0 : (index + this.#nPoints) % this.#nPoints);
        point.addEventListener('change', () => {
            // A number that is none of a point is explained rather than mended.
            const index = /^\s*\d+\s*$/.test(point.value) ? Number(point.value) : NaN;
            if (index < this.#nPoints) onChoose(index);
            else if (this.#nPoints === 0) this.problem('There are no points yet.');
            else this.problem(`Write a whole number from 0 to ${this.#nPoints - 1}.`);
        });
        previous.addEventListener('click', () => onChoose(around(Math.max(0, this.index) - 1)));
        next.addEventListener('click', () => onChoose(around(this.index + 1)));
        renew.addEventListener('click', () => onChoose(this.index));
        smaller.addEventListener('click', () => onSmaller());
        close.addEventListener('click', () => onChoose(-1));
    }

    #lead;

    setPoints(nPoints) {
        this.#nPoints = nPoints;
        this.close();
    }

    close() {
        this.index = -1;
        this.step = null;
        this.#parts.step.replaceChildren();
        this.#parts.point.value = '';
        this.#parts['look-lead'].textContent = this.#lead;
        this.problem('');
        for (const name of ['renew', 'smaller', 'close']) this.#parts[name].hidden = true;
    }

    show(step, about) {
        this.step = step;
        this.index = about.index;
        this.#epoch = about.epoch;
        this.problem('');
        this.#parts.point.value = about.index;
        this.#parts.close.hidden = false;
        this.#parts.smaller.hidden = !isLarge(step);
        this.#parts.step.replaceChildren(tellStep(step, about));
        this.note(about.epoch);
    }

    // Tells after which epoch the numbers stand, and offers newer ones once there are some.
    note(epoch) {
        if (this.index < 0) return;
        const when = this.#epoch === 0 ? 'before the first epoch' : `after epoch ${this.#epoch.toLocaleString('en')}`;
        this.#parts['look-lead'].textContent =
            `Point ${this.index} is of class ${'AB'[this.step.target]}. Here is one step of plain gradient descent on it alone, with the network as it was ${when}.`;
        this.#parts.renew.hidden = epoch === this.#epoch;
    }

    problem(message) {
        this.#parts['look-problem'].textContent = message;
        this.#parts['look-problem'].hidden = message === '';
    }
}
