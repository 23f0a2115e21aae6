// The setup: everything the visitor chooses. It is read from the form, checked, and kept in the address.

import { NAMES, pointsFromText, pointsToText } from './data.js';

export const ACTIVATIONS = ['relu', 'tanh', 'sigmoid', 'identity'];

// A learning rate to begin with, for each optimizer. For sets this small Adam bears more than its usual 0.001.
export const OPTIMIZERS = { adam: 0.02, momentum: 0.05, sgd: 0.3 };

export const DEFAULT = Object.freeze({
    data: 'spirals',
    hidden: [16, 16],
    activation: 'relu',
    optimizer: 'adam',
    learningRate: OPTIMIZERS.adam,
    batchSize: 20,
    seed: 1,
    points: [],
});

const MAX_LAYERS = 6;
const MAX_WIDTH = 256;

// Each reader takes what was written and gives its value, or throws an Error that says what to write instead.

function readHidden(text) {
    const parts = text
        .trim()
        .split(/[\s,;]+/)
        .filter(Boolean);
    if (parts.length === 0) throw new Error('Write at least one size, such as 8 or 16, 16.');
    if (parts.length > MAX_LAYERS) {
        throw new Error(`${parts.length} layers are too many for this page: it takes up to ${MAX_LAYERS}.`);
    }
    return parts.map((part) => {
        if (!/^\d+$/.test(part))
            throw new Error(`“${part}” is no size. Write whole numbers with commas between, such as 16, 16.`);
        const width = Number(part);
        if (width === 0) throw new Error('A layer needs at least 1 neuron: nothing passes through 0.');
        if (width > MAX_WIDTH) {
            throw new Error(
                `${part} neurons are too many for this page: a layer takes up to ${MAX_WIDTH}. The command trains wider ones.`,
            );
        }
        return width;
    });
}

function readLearningRate(text) {
    const rate = Number(text);
    if (text.trim() === '' || !(rate > 0 && rate <= 10))
        throw new Error('Write a number above 0 and up to 10, such as 0.02.');
    return rate;
}

function readWhole(text, least, most, what) {
    const value = Number(text);
    if (!(/^\s*\d+\s*$/.test(text) && least <= value && value <= most)) {
        throw new Error(`Write ${what}: a whole number from ${least} to ${most}.`);
    }
    return value;
}

function readName(text, names) {
    if (!names.includes(text)) throw new Error(`Choose one of ${names.join(', ')}.`);
    return text;
}

const READERS = {
    data: (text) => readName(text, [...NAMES, 'own']),
    hidden: readHidden,
    activation: (text) => readName(text, ACTIVATIONS),
    optimizer: (text) => readName(text, Object.keys(OPTIMIZERS)),
    learningRate: readLearningRate,
    batchSize: (text) => readWhole(text, 1, 1024, 'how many points make a batch'),
    seed: (text) => readWhole(text, 0, 999999, 'a seed'),
};

// Reads texts by field. Gives the setup, in which fields that cannot be read keep `last`, and the problems by field.
export function readSetup(texts, last) {
    const setup = { ...last };
    const problems = {};
    for (const [field, read] of Object.entries(READERS)) {
        if (texts[field] === undefined) continue;
        try {
            setup[field] = read(texts[field]);
        } catch (error) {
            problems[field] = error.message;
        }
    }
    return { setup, problems };
}

// The texts of a setup, as they stand in the form.
export const toTexts = ({ points, ...fields }) =>
    Object.fromEntries(
        Object.entries(fields).map(([field, value]) => [
            field,
            Array.isArray(value) ? value.join(', ') : String(value),
        ]),
    );

// Short names for the address.
const SHORT = {
    data: 'data',
    hidden: 'hidden',
    activation: 'activation',
    optimizer: 'optimizer',
    learningRate: 'rate',
    batchSize: 'batch',
    seed: 'seed',
};

export function toHash(setup) {
    const texts = toTexts(setup);
    const parts = Object.entries(SHORT).map(([field, short]) => `${short}=${texts[field].replaceAll(' ', '')}`);
    if (setup.data === 'own') parts.push(`points=${pointsToText(setup.points)}`);
    return `#${parts.join('&')}`;
}

// What an address says is read with the same care as the form: fields that cannot be read keep their defaults.
export function fromHash(hash) {
    const given = new URLSearchParams(hash.replace(/^#/, ''));
    const texts = {};
    for (const [field, short] of Object.entries(SHORT)) if (given.has(short)) texts[field] = given.get(short);
    const { setup } = readSetup(texts, DEFAULT);
    return { ...setup, points: pointsFromText(given.get('points') ?? '') };
}

// Whether the network must begin anew for a change: all but the learning rate, which may change while it trains.
export const needsNewStart = (a, b) => toHash({ ...a, learningRate: 1 }) !== toHash({ ...b, learningRate: 1 });
