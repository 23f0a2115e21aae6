// The page: joins the controls, the training and the pictures.

import { makePoints, MAX_POINTS, missingPoints, roundPlace, toArrays } from './data.js';
import { named, onCpu, onGpu, whatIsMissing } from './device.js';
import { tellExamination } from './examination.js';
import { Form } from './form.js';
import { Look } from './look.js';
import { sentence } from './message.js';
import { NetworkDrawing } from './network.js';
import { Palette } from './palette.js';
import { Readout } from './readout.js';
import { fromHash, needsNewStart, toHash } from './setup.js';
import { Surface } from './surface.js';
import { Trainer } from './trainer.js';

export const RESOLUTION = 96;
// Typing a number should not begin a network at each digit.
const TYPING_MS = 150;
// The picture is drawn anew after this long, or rarer where it would take more than a fifth of the time.
const PICTURE_MS = 160;
const PICTURE_SHARE = 5;
const CALM_PICTURE_MS = 1000;

const byId = (id) => document.getElementById(id);

function hint(isOwn, nPoints) {
    if (!isOwn) return 'Click a point to look into its training step.';
    if (nPoints < MAX_POINTS)
        return 'Click to add a point; with Shift, one of the other class. Click a point to look into its step.';
    return `These are ${MAX_POINTS.toLocaleString('en')} points, as many as this page takes: more are left out.`;
}

export class Page {
    // Resolves once a network stands ready to be trained, and is made anew for every device opened.
    ready;
    #loadLab;
    #setup;
    #points = [];
    #form;
    #surface;
    #readout;
    #network;
    #look;
    #trainer = null;
    // The trainer whose device is being examined.
    #examined = null;
    #isOnCpu = false;
    #palette = new Palette();
    #pending = Promise.resolve();
    #typing = 0;
    #picture = null;
    #pictureAt = 0;
    #pictureCostMs = 0;
    #calm = matchMedia('(prefers-reduced-motion: reduce)');

    // loadLab gives the library's class Lab; it may fail.
    constructor(loadLab) {
        this.#loadLab = loadLab;
        this.#setup = fromHash(location.hash);
        this.#surface = new Surface(byId('field'), byId('marks'), this.#palette, (place) => this.#place(place));
        this.#readout = new Readout(this.#palette);
        this.#network = new NetworkDrawing(byId('network'), this.#palette);
        this.#look = new Look(
            document,
            (index) => this.choose(index),
            () => this.#makeSmaller(),
        );
        // The form knows nothing of points: they are set in the picture.
        this.#form = new Form(byId('form'), this.#setup, (setup) =>
            this.#change({ ...setup, points: this.#setup.points }, TYPING_MS),
        );
        byId('train').addEventListener('click', () => (this.isRunning ? this.pause() : this.train()));
        byId('one-epoch').addEventListener('click', () => this.oneEpoch());
        byId('reset').addEventListener('click', () => this.reset());
        byId('share').addEventListener('click', () => this.#share());
        byId('undo').addEventListener('click', () =>
            this.#change({ ...this.#setup, points: this.#setup.points.slice(0, -1) }),
        );
        byId('clear').addEventListener('click', () => this.#change({ ...this.#setup, points: [] }));
        byId('use-cpu').addEventListener('click', () => this.open(onCpu));
        byId('other-device').addEventListener('click', () => this.open(this.#isOnCpu ? onGpu : onCpu));
        byId('examine').addEventListener('click', () => this.examine());
        // When the library traps, its promises stay open for ever; the browser tells it here alone.
        addEventListener('error', ({ message }) => this.#stopped(message));
        addEventListener('unhandledrejection', ({ reason }) => this.#stopped(reason?.message ?? reason));
        addEventListener('hashchange', () => {
            const setup = fromHash(location.hash);
            this.#form.show(setup);
            this.#change(setup);
        });
        matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#recolour());
        this.#showPoints();
        this.#showControls();
    }

    // Opens a device and makes the first network. Where there is no WebGPU, the page says so and offers the CPU.
    open(openLab = onGpu) {
        this.#trainer?.close();
        this.#trainer = null;
        this.#forgetExamination();
        this.#isOnCpu = openLab === onCpu;
        this.#showControls();
        this.ready = (async () => {
            byId('missing').hidden = true;
            byId('device').textContent = this.#isOnCpu ? 'Opening the CPU…' : 'Looking for a GPU…';
            byId('other-device').hidden = true;
            document.body.dataset.device = 'opening';
            try {
                this.#trainer = new Trainer(await openLab(await this.#loadLab()));
            } catch (error) {
                await this.#showMissing(error);
                return;
            }
            document.body.dataset.device = 'open';
            byId('device').textContent = `Computing on ${await named(this.#trainer.device())}`;
            byId('other-device').textContent = this.#isOnCpu ? 'Use the GPU' : 'Use the CPU';
            byId('other-device').hidden = false;
            await this.#restart();
        })();
        return this.ready;
    }

    async #showMissing(error) {
        document.body.dataset.device = 'missing';
        byId('device').textContent = 'No device is open';
        byId('missing-message').textContent = sentence(error);
        byId('missing-what').textContent = await whatIsMissing();
        byId('missing').hidden = false;
    }

    get isRunning() {
        return this.#trainer?.isRunning ?? false;
    }

    get epoch() {
        return this.#trainer?.epoch ?? 0;
    }

    get losses() {
        return this.#trainer?.losses ?? [];
    }

    get points() {
        return this.#points;
    }

    get setup() {
        return this.#setup;
    }

    get surface() {
        return this.#surface;
    }

    get trainer() {
        return this.#trainer;
    }

    get step() {
        return this.#look.step;
    }

    // What the picture shows: the probabilities drawn last, with accuracy and epoch.
    picture() {
        return this.#picture;
    }

    // Resolves when the last change has been taken over.
    async settled() {
        while (this.#typing !== 0) await new Promise((resolve) => setTimeout(resolve, 20));
        await this.#pending;
    }

    async train() {
        if (!this.#canTrain) return;
        this.#fail(null);
        const training = this.#trainer.run(() => this.#frame());
        this.#showControls();
        try {
            await training;
        } catch (error) {
            this.#fail(error);
        }
        // Paused and begun again within one burst: the newer training tells of itself.
        if (this.isRunning) return;
        this.#showControls();
        await this.#refresh();
        this.#readout.speakNow(this.#training);
        if (this.#look.index >= 0) await this.choose(this.#look.index);
    }

    pause() {
        this.#trainer?.pause();
        this.#showControls();
    }

    async oneEpoch() {
        if (!this.#canTrain || this.isRunning) return;
        this.#fail(null);
        try {
            await this.#trainer.advance(1);
        } catch (error) {
            this.#fail(error);
        }
        await this.#refresh();
        this.#readout.speakNow(this.#training);
        if (this.#look.index >= 0) await this.choose(this.#look.index);
    }

    async reset() {
        this.pause();
        await this.#restart();
    }

    // Shows the step of a point; -1 closes it.
    async choose(index) {
        const hasNetwork = this.#trainer?.hasNetwork ?? false;
        this.#surface.select(hasNetwork ? index : -1);
        if (index < 0 || !hasNetwork) {
            this.#look.close();
            if (index >= 0) this.#look.problem('There is no network to look into yet.');
            return;
        }
        const { activation, learningRate, optimizer } = this.#setup;
        try {
            const answer = await this.#trainer.step(index);
            if (answer)
                this.#look.show(answer.step, { index, activation, learningRate, optimizer, epoch: answer.epoch });
        } catch (error) {
            this.#look.problem(sentence(error));
        }
    }

    // Has the library compare its kernels on this device with their definitions.
    async examine() {
        const trainer = this.#trainer;
        this.#examined = trainer;
        this.#showControls();
        byId('examination').textContent = 'Examining… Training waits until it is done.';
        let told;
        try {
            told = tellExamination(await trainer.examine());
        } catch (error) {
            told = sentence(error);
        }
        // Another device may have been opened meanwhile: this says nothing about it.
        if (this.#examined !== trainer) return;
        this.#examined = null;
        byId('examination').replaceChildren(told);
        this.#showControls();
    }

    // Its findings, and those still to come, are of a device that is no longer open.
    #forgetExamination() {
        this.#examined = null;
        byId('examination').replaceChildren();
    }

    // A new network of one small layer, of which every number fits the page, and the same point's step in it.
    async #makeSmaller() {
        const { index } = this.#look;
        const setup = { ...this.#setup, hidden: [3] };
        this.#form.show(setup);
        this.#change(setup);
        await this.settled();
        await this.choose(index);
    }

    get #canTrain() {
        return this.#trainer !== null && missingPoints(this.#points) === '';
    }

    // Takes over a changed setup; a new network begins after `delayMs` without a further change.
    #change(setup, delayMs = 0) {
        const last = this.#setup;
        this.#setup = setup;
        history.replaceState(null, '', toHash(setup));
        if (!needsNewStart(last, setup)) {
            if (setup.learningRate !== last.learningRate) this.#pending = this.#setLearningRate(setup.learningRate);
            return;
        }
        if (last.data !== setup.data || last.seed !== setup.seed || last.points !== setup.points) this.#showPoints();
        clearTimeout(this.#typing);
        this.#typing = setTimeout(() => {
            this.#typing = 0;
            this.#pending = this.#restart();
        }, delayMs);
    }

    async #setLearningRate(rate) {
        // No device is open: what is told about that stays.
        if (this.#trainer === null) return;
        try {
            await this.#trainer.setLearningRate(rate);
            this.#fail(null);
            if (this.#look.index >= 0 && !this.isRunning) await this.choose(this.#look.index);
        } catch (error) {
            this.#fail(error);
        }
    }

    async #restart() {
        if (!this.#trainer) return;
        this.#look.close();
        this.#surface.select(-1);
        if (!this.#canTrain) {
            this.#showEmpty();
            return;
        }
        this.#fail(null);
        try {
            if (!(await this.#trainer.start(toArrays(this.#points), this.#setup))) return;
        } catch (error) {
            this.#fail(error);
            this.#showEmpty();
            return;
        }
        await this.#refresh();
        this.#showControls();
    }

    // What is done between two bursts of training.
    async #frame() {
        this.#showFigures();
        const now = performance.now();
        const wait = this.#calm.matches ? CALM_PICTURE_MS : PICTURE_MS;
        if (now - this.#pictureAt > Math.max(wait, PICTURE_SHARE * this.#pictureCostMs)) await this.#refresh();
        this.#readout.speak(this.#training);
        if (this.losses.length > 0 && !Number.isFinite(this.losses.at(-1))) {
            this.pause();
            this.#fail(
                new Error(
                    'the loss is no longer a number: the steps were too long. Choose a smaller learning rate and press Reset',
                ),
            );
        }
    }

    async #refresh() {
        const trainer = this.#trainer;
        // Another device may be about to open.
        if (trainer === null) return;
        const begin = performance.now();
        try {
            const values = await trainer.surface(RESOLUTION);
            const accuracy = await trainer.accuracy();
            const parameters = await trainer.parameters();
            if (values === null || accuracy === null || parameters === null) return;
            this.#picture = { values, resolution: RESOLUTION, accuracy, epoch: trainer.epoch };
            this.#surface.show(values, RESOLUTION);
            this.#network.show(parameters, this.#setup.activation);
        } catch (error) {
            this.pause();
            this.#fail(error);
        }
        this.#pictureAt = performance.now();
        this.#pictureCostMs = this.#pictureAt - begin;
        this.#showFigures();
    }

    get #training() {
        const { losses } = this;
        return {
            losses,
            epochsPerSecond: this.#trainer?.epochsPerSecond ?? 0,
            accuracy: this.#picture?.accuracy ?? null,
        };
    }

    #showFigures() {
        this.#readout.show(this.#training);
        this.#look.note(this.epoch);
    }

    #showPoints() {
        const { data, seed, points } = this.#setup;
        this.#points = data === 'own' ? points : makePoints(data, seed);
        this.#surface.setPoints(this.#points);
        this.#surface.select(-1);
        this.#look.setPoints(this.#points.length);
        this.#form.drawPreviews(this.#palette, this.#setup);
        const isOwn = data === 'own';
        byId('own-tools').hidden = !isOwn;
        byId('undo').disabled = byId('clear').disabled = points.length === 0;
        const missing = missingPoints(this.#points);
        byId('picture-empty').hidden = missing === '';
        byId('picture-empty').textContent = missing;
        byId('picture-hint').textContent = `${hint(isOwn, points.length)} By keyboard: arrows and Enter.`;
        this.#showControls();
    }

    #showEmpty() {
        this.#picture = null;
        this.#trainer?.forget();
        this.#surface.show(null, 0);
        this.#network.show(null, this.#setup.activation);
        this.#showFigures();
        this.#showControls();
    }

    #showControls() {
        const { isRunning } = this;
        byId('train').textContent = isRunning ? 'Pause' : 'Train';
        document.body.dataset.training = isRunning ? 'running' : 'paused';
        byId('train').disabled = byId('reset').disabled = !this.#canTrain;
        byId('examine').disabled = this.#trainer === null || this.#examined !== null;
        byId('one-epoch').disabled = !this.#canTrain || isRunning;
    }

    #place({ x, y, index, isOther }) {
        if (index >= 0) return this.choose(index);
        if (this.#setup.data !== 'own' || this.#setup.points.length >= MAX_POINTS) return;
        const chosen = Number(byId('form').elements['own-class'].value);
        const point = { x: roundPlace(x), y: roundPlace(y), label: isOther ? 1 - chosen : chosen };
        this.#change({ ...this.#setup, points: [...this.#setup.points, point] });
    }

    async #share() {
        history.replaceState(null, '', toHash(this.#setup));
        const button = byId('share');
        try {
            await navigator.clipboard.writeText(location.href);
            button.textContent = 'Copied';
        } catch {
            // Browsers may refuse the clipboard; the address is there all the same.
            button.textContent = 'See the address bar';
        }
        setTimeout(() => (button.textContent = 'Copy link'), 2000);
    }

    #recolour() {
        this.#palette = new Palette();
        for (const part of [this.#surface, this.#readout, this.#network]) part.setPalette(this.#palette);
        this.#form.drawPreviews(this.#palette, this.#setup);
    }

    // What the library holds after a trap is not to be relied on, and a call of it may wait for ever.
    #stopped(message) {
        this.pause();
        this.#trainer = null;
        this.#forgetExamination();
        this.#look.close();
        document.body.dataset.device = 'missing';
        byId('device').textContent = 'No device is open';
        byId('other-device').hidden = true;
        this.#showControls();
        this.#fail(new Error(`something went wrong that should not: ${message}. Reload the page to go on`));
    }

    #fail(error) {
        byId('error').hidden = error === null;
        byId('error').textContent = error === null ? '' : sentence(error);
    }
}
