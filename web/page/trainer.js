// The training: the only place that calls the library's Lab once it is open.

// A frame trains for about this long, which leaves the rest of 1/60 s, or one more frame, for drawing.
const BURST_MS = 14;
const MAX_BURST = 4000;
// Epochs per second are counted over this long.
const WINDOW_MS = 1000;

// A hidden tab gets no frames, and so does not train: it would only warm the visitor's machine.
const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

export class Trainer {
    losses = [];
    isRunning = false;
    epochsPerSecond = 0;
    // Whether the library holds a network of the points that were given last.
    hasNetwork = false;
    #lab;
    #generation = 0;
    #lastTurn = Promise.resolve();
    #nEpochs = 1;
    #marks = [];
    #run = null;

    constructor(lab) {
        this.#lab = lab;
    }

    // The library does one thing at a time; calls wait for their turn.
    #turn(work) {
        const turn = this.#lastTurn.then(() => work(this.#lab));
        this.#lastTurn = turn.catch(() => {});
        return turn;
    }

    get epoch() {
        return this.losses.length;
    }

    // Makes a new network for these points. Of several starts in a row only the last is made; true if this one was.
    async start({ xy, classes }, { hidden, activation, optimizer, learningRate, batchSize, seed }) {
        this.#generation += 1;
        const generation = this.#generation;
        return this.#turn(async (lab) => {
            if (generation !== this.#generation) return false;
            // Where the library refuses there is none, or still that of other points.
            this.hasNetwork = false;
            // A batch holds no more than all points.
            const batch = Math.min(batchSize, classes.length);
            await lab.start(xy, classes, Uint32Array.from(hidden), activation, optimizer, learningRate, batch, seed);
            this.hasNetwork = generation === this.#generation;
            this.losses = [];
            this.#nEpochs = 1;
            this.#marks = [];
            this.epochsPerSecond = 0;
            return generation === this.#generation;
        });
    }

    // For points that no network can be trained on: what is under way, and what is asked until the next start, is void.
    forget() {
        this.pause();
        this.#generation += 1;
        this.hasNetwork = false;
        this.losses = [];
    }

    // Without a network there is nothing to change: the next one is made with its own rate.
    setLearningRate(rate) {
        return this.#turn((lab) => (this.hasNetwork ? lab.set_learning_rate(rate) : null));
    }

    async advance(nEpochs) {
        return this.#turn(async (lab) => {
            const begin = performance.now();
            // They may have been forgotten when the burst is over.
            const { losses } = this;
            losses.push(...(await lab.epochs(nEpochs)));
            return performance.now() - begin;
        });
    }

    // Trains until paused; draw() is awaited in every frame. An error of either ends the training and is thrown.
    async run(draw) {
        if (this.isRunning) return;
        this.isRunning = true;
        this.#marks = [];
        // A run that was paused may still be in its last burst when another begins: only the newest goes on.
        const run = {};
        this.#run = run;
        try {
            while (this.isRunning && this.#run === run) {
                const elapsedMs = await this.advance(this.#nEpochs);
                this.#count();
                // At most double or halve: one slow or fast frame says little.
                const fitting = (this.#nEpochs * BURST_MS) / Math.max(elapsedMs, 0.1);
                const bounded = Math.max(this.#nEpochs / 2, Math.min(this.#nEpochs * 2, fitting));
                this.#nEpochs = Math.max(1, Math.min(MAX_BURST, Math.round(bounded)));
                await draw();
                await nextFrame();
            }
        } finally {
            if (this.#run === run) {
                this.isRunning = false;
                this.epochsPerSecond = 0;
            }
        }
    }

    pause() {
        this.isRunning = false;
    }

    // Lets the device go once what is under way is done.
    close() {
        this.pause();
        this.#generation += 1;
        return this.#turn((lab) => lab.free?.());
    }

    #count() {
        const now = performance.now();
        this.#marks.push({ now, epoch: this.epoch });
        while (now - this.#marks[0].now > WINDOW_MS && this.#marks.length > 2) this.#marks.shift();
        const first = this.#marks[0];
        const elapsedMs = now - first.now;
        this.epochsPerSecond = elapsedMs > 0 ? (1000 * (this.epoch - first.epoch)) / elapsedMs : 0;
    }

    // Each gives null if there is no network, or if another was begun meanwhile: what was computed belongs to the old one.
    async #ask(work) {
        const generation = this.#generation;
        const isMeant = () => this.hasNetwork && generation === this.#generation;
        const answer = await this.#turn((lab) => (isMeant() ? work(lab) : null));
        return isMeant() ? answer : null;
    }

    surface(resolution) {
        return this.#ask((lab) => lab.surface(resolution));
    }

    accuracy() {
        return this.#ask((lab) => lab.accuracy());
    }

    parameters() {
        return this.#ask((lab) => lab.parameters());
    }

    // The step and the epoch after which it would come.
    step(index) {
        return this.#ask(async (lab) => ({ step: await lab.step(index), epoch: this.epoch }));
    }

    // What the library finds when it examines the device; it has nothing to do with the network.
    examine() {
        return this.#turn((lab) => lab.examine());
    }

    device() {
        return this.#lab.device();
    }
}
