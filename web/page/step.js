// The numbers of one training step, told in the order in which they are computed, as `nngpu tutorial` does.

import { element } from './element.js';
import { bracketed, figure } from './figure.js';

// A larger table shows its first and its last rows or columns until the visitor asks for all.
const MAX_CELLS = 8;
// A sum by hand is written out up to so many terms.
const MAX_TERMS = 4;

// Formulas with n for the layer's number.
const ACTIVATIONS = {
    tanh: {
        formula: 'yₙ = tanh(zₙ)',
        slope: 'dzₙ = dyₙ · (1 − yₙ²)',
        does: 'tanh bends each sum into the range from −1 to 1.',
        back: 'Through tanh passes most where its curve is steep, near 0, and little where it is flat.',
    },
    relu: {
        formula: 'yₙ = max(0, zₙ)',
        slope: 'dzₙ = dyₙ where yₙ > 0, else 0',
        does: 'ReLU lets through what is positive and makes the rest 0.',
        back: 'Through ReLU passes all or nothing: a neuron that is switched off has no part in the error.',
    },
    sigmoid: {
        formula: 'yₙ = 1 / (1 + exp(−zₙ))',
        slope: 'dzₙ = dyₙ · yₙ · (1 − yₙ)',
        does: 'The sigmoid bends each sum into the range from 0 to 1.',
        back: 'Through the sigmoid passes at most a quarter, and less where its curve is flat.',
    },
    identity: {
        formula: 'yₙ = zₙ',
        slope: 'dzₙ = dyₙ',
        does: 'The identity leaves each sum as it is; so all layers together can do no more than one.',
        back: 'The identity passes everything on.',
    },
};

// Layers are counted from 1 for the reader. What enters the first is x, what enters another the y of the one before.
const numbered = (formula, layer) => formula.replaceAll('ₙ', subscript(layer));
const subscript = (n) => [...String(n)].map((digit) => '₀₁₂₃₄₅₆₇₈₉'[digit]).join('');
const inputOf = (layer) => (layer === 1 ? 'x' : `y${subscript(layer - 1)}`);

// step is what the library gives for a point; about tells the rest: { index, activation, learningRate, optimizer, epoch }.
export function tellStep(step, about) {
    const count = step.layers.length;
    const inputs = [step.x, ...step.layers.map(({ y }) => y)];
    const stages = step.layers.map((layer, k) => forwardStage(layer, inputs[k], k, count, about));
    stages.push(lossStage(step));
    for (let k = count - 1; k >= 0; k--) stages.push(backwardStage(step, inputs[k], k, about));
    stages.push(updateStage(step, about), afterStage(step, about));
    return element('ol', { class: 'stages' }, ...stages);
}

// Whether some table is shown in part.
export const isLarge = ({ layers }) => layers.some(({ bias }) => bias.length > MAX_CELLS);

function forwardStage({ weight, bias, z, y }, x, k, count, { activation }) {
    const layer = k + 1;
    const n = subscript(layer);
    const isLast = layer === count;
    const { formula: activationFormula, does } = ACTIVATIONS[activation];
    const path = `layers.${k}`;
    const o = indexOfLargest(z);
    const off = !isLast && activation === 'relu' ? y.filter((v) => v === 0).length : 0;
    return stage(
        isLast ? 'Forward: the output layer' : `Forward: hidden layer ${layer}`,
        [
            isLast
                ? text(
                      `The same again with ${x.length} inputs and two neurons, one for each class, and without an activation: an answer may be any number.`,
                  )
                : text(
                      `${counted(bias.length, 'neuron')}. Each multiplies the ${x.length} inputs by weights of its own, adds up, and adds its bias. ${does}`,
                  ),
            formula(`z${n} = ${inputOf(layer)} W${n}ᵀ + b${n}`),
            isLast ? null : formula(numbered(activationFormula, layer)),
            text(`By hand, for neuron ${o + 1}:`),
            byHand(sumByHand(x, weight[o], bias[o], z[o])),
            off > 0 ? text(`Switched off for this point: ${off} of ${y.length}.`) : null,
        ],
        [
            table(inputOf(layer), [x], layer === 1 ? 'x' : null),
            table(`W${n}`, weight, `${path}.weight`),
            table(`b${n}`, [bias], `${path}.bias`),
            table(`z${n}`, [z], `${path}.z`),
            isLast ? null : table(`y${n}`, [y], `${path}.y`),
        ],
    );
}

function lossStage({ probabilities, target, loss, layers }) {
    const n = subscript(layers.length);
    const p = probabilities[target];
    return stage(
        'How wrong is it?',
        [
            text('Softmax makes two probabilities of the two answers: they are positive and add up to 1.'),
            formula(`p = exp(z${n}) / Σ exp(z${n})`),
            text(
                `The loss is the negative logarithm of the probability given to the right class, here ${'AB'[target]}. Sure and right costs nothing; sure and wrong costs much.`,
            ),
            formula('loss = −log p'),
            // Near 1 four digits would say log(1), which is 0.
            byHand(
                `−log(${p > 0.999 ? p.toPrecision(7) : figure(p)}) = `,
                element('output', { 'data-name': 'loss' }, figure(loss)),
            ),
        ],
        [
            table(`z${n}`, [layers.at(-1).z], null, ['A', 'B']),
            table('p', [probabilities], 'probabilities', ['A', 'B']),
            table('t', [[1 - target, target]], null, ['A', 'B']),
        ],
    );
}

function backwardStage({ layers }, x, k, { activation }) {
    const { dy, dz, dweight, dbias } = layers[k];
    const layer = k + 1;
    const n = subscript(layer);
    const isLast = layer === layers.length;
    const path = `layers.${k}`;
    const { slope, back } = ACTIVATIONS[activation];
    const [o, i] = placeOfLargest(dweight);
    return stage(
        isLast ? 'Back: the output layer' : `Back: hidden layer ${layer}`,
        [
            isLast
                ? text(
                      'How would the loss change if an answer grew a little? For softmax and this loss: probability minus what was wanted.',
                  )
                : text(`What reaches this layer came back through the weights of the next one. ${back}`),
            isLast ? formula(`dz${n} = p − t`) : formula(`dy${n} = dz${subscript(layer + 1)} W${subscript(layer + 1)}`),
            isLast ? null : formula(numbered(slope, layer)),
            text('A weight’s gradient is what arrived at its neuron, times the input that it multiplied.'),
            formula(`dW${n} = dz${n}ᵀ ${inputOf(layer)}`),
            formula(`db${n} = dz${n}`),
            text(`By hand, for neuron ${o + 1} and its input ${i + 1}:`),
            byHand(`${bracketed(dz[o])} · ${bracketed(x[i])} = ${figure(dweight[o][i])}`),
        ],
        [
            isLast ? null : table(`dy${n}`, [dy], `${path}.dy`),
            table(`dz${n}`, [dz], `${path}.dz`),
            table(`dW${n}`, dweight, `${path}.dweight`),
            table(`db${n}`, [dbias], `${path}.dbias`),
        ],
    );
}

function updateStage({ layers }, { learningRate }) {
    const [{ weight, dweight, new_weight }] = layers;
    const [o, i] = placeOfLargest(dweight);
    return stage(
        'One step of gradient descent',
        [
            text(
                `Every parameter goes a little against its gradient. How little is the learning rate, η = ${learningRate}.`,
            ),
            formula('W ← W − η dW'),
            formula('b ← b − η db'),
            text(`By hand, for the weight of the first layer that moves most, of neuron ${o + 1} and input ${i + 1}:`),
            byHand(
                `${figure(weight[o][i])} − ${learningRate} · ${bracketed(dweight[o][i])} = ${figure(new_weight[o][i])}`,
            ),
        ],
        layers.flatMap((layer, k) => [
            table(`W${subscript(k + 1)}`, layer.new_weight, `layers.${k}.new_weight`),
            table(`b${subscript(k + 1)}`, [layer.new_bias], `layers.${k}.new_bias`),
        ]),
    );
}

function afterStage({ loss, loss_after }, { optimizer }) {
    const sentence =
        loss_after < loss
            ? 'The same point through the changed network: the loss has become smaller.'
            : loss_after > loss
              ? 'The same point through the changed network: the loss has grown. The step was too long; a smaller learning rate takes shorter ones.'
              : 'The same point through the changed network: the loss is as it was, to the last digit.';
    return stage(
        'And after it',
        [
            text(sentence),
            text(
                `Training is this, again and again, with the mean over a batch of points in place of one${optimizer === 'sgd' ? '' : `, and with ${optimizer}’s rule for the length of each step`}. The network itself is as it was: this step was only looked at.`,
            ),
        ],
        [
            element(
                'p',
                { class: 'before-after' },
                element('span', {}, element('small', {}, 'loss before'), figure(loss)),
                element('span', { 'aria-hidden': 'true', class: 'arrow' }, '→'),
                element(
                    'span',
                    {},
                    element('small', {}, 'loss after'),
                    element('output', { 'data-name': 'loss_after' }, figure(loss_after)),
                ),
            ),
        ],
    );
}

const text = (sentence) => element('p', {}, sentence);
const formula = (line) => element('p', { class: 'formula' }, line);
const byHand = (...line) => element('p', { class: 'by-hand' }, ...line);
const counted = (n, noun) => `${n} ${noun}${n === 1 ? '' : 's'}`;

// An example with large numbers is better than one with zeros; it is taken from those that the tables show.
const indexOfLargest = (values) =>
    shown(values).reduce((best, v, k) => (Math.abs(v) > Math.abs(values[best]) ? k : best), 0);
const shown = (values) => (values.length > MAX_CELLS ? values.slice(0, MAX_CELLS - 2) : values);

function placeOfLargest(rows) {
    const inRow = rows.map(indexOfLargest);
    const row = indexOfLargest(rows.map((values, k) => values[inRow[k]]));
    return [row, inRow[row]];
}

function stage(title, explanation, numbers) {
    return element(
        'li',
        { class: 'stage' },
        element('div', { class: 'telling' }, element('h3', {}, title), ...explanation),
        element('div', { class: 'numbers' }, ...numbers),
    );
}

function sumByHand(x, weights, bias, z) {
    const terms = x.slice(0, MAX_TERMS).map((v, i) => `${bracketed(v)} · ${bracketed(weights[i])}`);
    if (x.length > MAX_TERMS) terms.push(`… ${x.length - MAX_TERMS} more …`);
    return `${terms.join(' + ')} + ${bracketed(bias)} = ${figure(z)}`;
}

// A matrix with its name and its shape. `path` says where its numbers stand in the library's answer, for the test;
// a matrix that is shown a second time has none.
function table(name, rows, path, heads = null) {
    const shape = `[${rows.length}, ${rows[0].length}]`;
    const body = element('table', { 'aria-label': `${name}, ${rows.length} by ${rows[0].length}` });
    if (path !== null) body.setAttribute('data-name', path);
    const isPart = rows.length > MAX_CELLS || rows[0].length > MAX_CELLS;
    fill(body, rows, heads, !isPart);
    const more = isPart
        ? element(
              'button',
              {
                  type: 'button',
                  class: 'quiet small',
                  onclick: () => {
                      fill(body, rows, heads, true);
                      more.remove();
                  },
              },
              `show all ${rows.length} × ${rows[0].length}`,
          )
        : null;
    return element(
        'div',
        { class: 'matrix' },
        element('span', { class: 'name' }, name),
        element('span', { class: 'shape' }, shape),
        scrolling(name, body, more),
    );
}

// By keyboard one comes only to what scrolls: a stop at each table would be a long way through the page.
const widths = new ResizeObserver((entries) => {
    for (const { target } of entries) {
        const scroll = target.closest('.scroll');
        if (scroll.scrollWidth > scroll.clientWidth) scroll.setAttribute('tabindex', '0');
        else scroll.removeAttribute('tabindex');
    }
});

function scrolling(name, body, more) {
    const made = element('div', { class: 'scroll', role: 'group', 'aria-label': name }, body, more);
    for (const part of [made, body]) widths.observe(part);
    return made;
}

function fill(body, rows, heads, isWhole) {
    const indices = (n) =>
        isWhole || n <= MAX_CELLS ? [...Array(n).keys()] : [...Array(MAX_CELLS - 2).keys(), null, n - 1];
    const largest = rows.reduce((most, row) => row.reduce((m, v) => Math.max(m, Math.abs(v)), most), 1e-30);
    const cell = (value) => {
        const made = element('td', { class: value < 0 ? 'negative' : 'positive' }, figure(value));
        // The tint shows size and sign at a glance; it stays pale, so that the digits are read well.
        made.style.setProperty('--tint', `${Math.round((30 * Math.abs(value)) / largest)}%`);
        return made;
    };
    const gap = (sign) => element('td', { class: 'gap' }, sign);
    body.replaceChildren(
        ...(heads ? [element('tr', {}, ...heads.map((head) => element('th', { scope: 'col' }, head)))] : []),
        ...indices(rows.length).map((r) =>
            element(
                'tr',
                {},
                ...indices(rows[0].length).map((c) =>
                    r === null ? gap('⋮') : c === null ? gap('⋯') : cell(rows[r][c]),
                ),
            ),
        ),
    );
}
