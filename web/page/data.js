// The sets of points: two classes in the square [-1, 1] x [-1, 1].
//
// A set is a list of points { x, y, label }, where label is 0 (class A) or 1 (class B).

const N_EACH = 100;
// A link may name any number; more than these would make a slow epoch and a picture of nothing but points.
export const MAX_POINTS = 2000;

// Numbers that look random, the same for one seed in every browser: Math.random takes no seed.
// The generator is mulberry32.
function generator(seed) {
    let state = seed >>> 0;
    const uniform = () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), state | 1);
        t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
    // Box and Muller: two uniform numbers make one from the bell curve. 1 - u keeps the logarithm finite.
    const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    return { uniform, normal };
}

// Two arms that wind one and a half times around each other.
function spirals({ normal }) {
    return both((label, i) => {
        const along = (i + 0.5) / N_EACH;
        const radius = 0.06 + 0.84 * along;
        const angle = 3 * Math.PI * along + label * Math.PI;
        return [radius * Math.sin(angle) + 0.018 * normal(), radius * Math.cos(angle) + 0.018 * normal()];
    });
}

// Two half circles, each reaching into the other.
function moons({ normal }) {
    return both((label, i) => {
        const angle = (Math.PI * (i + 0.5)) / N_EACH;
        const side = label === 0 ? 1 : -1;
        return [
            side * (0.58 * Math.cos(angle) - 0.29) + 0.055 * normal(),
            side * (0.58 * Math.sin(angle) - 0.16) + 0.055 * normal(),
        ];
    });
}

// A disc, and a ring around it.
function circles({ uniform, normal }) {
    return both((label) => {
        const angle = 2 * Math.PI * uniform();
        // The square root spreads the points of the disc evenly over its area.
        const radius = label === 0 ? 0.4 * Math.sqrt(uniform()) : 0.74 + 0.055 * normal();
        return [radius * Math.cos(angle), radius * Math.sin(angle)];
    });
}

// The classes alternate, so that a batch in the order of the set would hold both.
function both(place) {
    return Array.from({ length: 2 * N_EACH }, (_, k) => {
        const label = k % 2;
        const [x, y] = place(label, k >> 1);
        return { x: inside(x), y: inside(y), label };
    });
}

const inside = (v) => Math.max(-0.98, Math.min(0.98, v));

const SETS = { spirals, moons, circles };

// The names of the sets that are made from a seed. Beside them there is `own`: the visitor's points.
export const NAMES = Object.keys(SETS);

export const makePoints = (name, seed) => SETS[name](generator(seed));

// What a set of points lacks before a network can be trained on it; empty if nothing.
export function missingPoints(points) {
    if (points.length === 0) return 'Click here to set your first point.';
    const has = (label) => points.some((point) => point.label === label);
    if (!has(0)) return 'Now add points of class A.';
    if (!has(1)) return 'Now add points of class B.';
    return '';
}

// What the library takes: x, y pairs and classes.
export function toArrays(points) {
    return {
        xy: Float32Array.from(points.flatMap(({ x, y }) => [x, y])),
        classes: Uint32Array.from(points, ({ label }) => label),
    };
}

// Own points as text for a link, and back: hundredths, `A12.-33_B5.60`. Clicks are rounded to hundredths, so that
// the link gives the same points and so the same training.
export const roundPlace = (v) => inside(Math.round(v * 100) / 100);

export const pointsToText = (points) =>
    points.map(({ x, y, label }) => `${'AB'[label]}${Math.round(x * 100)}.${Math.round(y * 100)}`).join('_');

export const pointsFromText = (text) =>
    [...text.matchAll(/([AB])(-?\d{1,3})\.(-?\d{1,3})/g)].slice(0, MAX_POINTS).map(([, label, x, y]) => ({
        x: roundPlace(x / 100),
        y: roundPlace(y / 100),
        label: 'AB'.indexOf(label),
    }));
