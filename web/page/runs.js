// A long list of values in few numbers, for a picture: neighbours share a run. It is brought up to date by what was
// added to the list, so that a frame's work does not grow with the training.

// Once there are so many, two by two become one: at least half as many stay, more than the picture has columns.
const MAX_RUNS = 4096;

export class Runs {
    // Each { n, least, most, sum } of its values, in their order; all but the last have the same n.
    all = [];
    // Over all finite values. A logarithm needs the least of those above 0.
    leastAbove0 = Infinity;
    most = -Infinity;
    #values = null;
    #nTaken = 0;
    #perRun = 1;

    // Takes in what is new in the list; another list, or one that became shorter, begins anew.
    follow(values) {
        if (values !== this.#values || values.length < this.#nTaken) {
            [this.all, this.leastAbove0, this.most] = [[], Infinity, -Infinity];
            [this.#values, this.#nTaken, this.#perRun] = [values, 0, 1];
        }
        while (this.#nTaken < values.length) this.#take(values[this.#nTaken++]);
    }

    #take(value) {
        if (Number.isFinite(value)) {
            if (value > 0) this.leastAbove0 = Math.min(this.leastAbove0, value);
            this.most = Math.max(this.most, value);
        }
        const one = { n: 1, least: value, most: value, sum: value };
        const last = this.all.at(-1);
        if (last && last.n < this.#perRun) {
            this.all[this.all.length - 1] = joined([last, one]);
            return;
        }
        if (this.all.length === MAX_RUNS) {
            this.all = Array.from({ length: MAX_RUNS / 2 }, (_, k) => joined(this.all.slice(2 * k, 2 * k + 2)));
            this.#perRun *= 2;
        }
        this.all.push(one);
    }
}

// Several runs as one.
export const joined = (runs) => ({
    n: runs.reduce((n, run) => n + run.n, 0),
    least: Math.min(...runs.map(({ least }) => least)),
    most: Math.max(...runs.map(({ most }) => most)),
    sum: runs.reduce((sum, run) => sum + run.sum, 0),
});
