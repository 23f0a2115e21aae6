// The numbers and the curve of a training.

import { figure } from './figure.js';
import { LossCurve } from './loss.js';

// How often a screen reader is told the numbers of a running training.
const SPOKEN_MS = 6000;

const byId = (id) => document.getElementById(id);
const percent = (part) => (100 * part).toFixed(1);

export class Readout {
    #curve;
    #spokenAt = 0;

    constructor(palette) {
        this.#curve = new LossCurve(byId('loss'), palette);
        byId('log').addEventListener('change', ({ target }) => this.#curve.setLogarithmic(target.checked));
    }

    setPalette(palette) {
        this.#curve.setPalette(palette);
    }

    // losses has one value for each epoch; accuracy is null where it is not known.
    show({ losses, epochsPerSecond, accuracy }) {
        byId('epoch').textContent = losses.length.toLocaleString('en');
        byId('loss-now').textContent = losses.length > 0 ? figure(losses.at(-1)) : '–';
        byId('accuracy').textContent = accuracy === null ? '–' : `${percent(accuracy)} %`;
        const speed =
            epochsPerSecond < 10 ? epochsPerSecond.toFixed(1) : Math.round(epochsPerSecond).toLocaleString('en');
        byId('speed').textContent = epochsPerSecond > 0 ? speed : '–';
        this.#curve.show(losses);
    }

    speakNow({ losses, accuracy }) {
        this.#spokenAt = performance.now();
        byId('loss').setAttribute('aria-label', `Loss curve. ${this.#curve.describe()}`);
        const told = accuracy === null ? '' : ` Accuracy ${percent(accuracy)} percent.`;
        byId('spoken').textContent = `Epoch ${losses.length}. ${this.#curve.describe()}${told}`;
    }

    // For a running training: not at every frame.
    speak(training) {
        if (performance.now() - this.#spokenAt > SPOKEN_MS) this.speakNow(training);
    }
}
