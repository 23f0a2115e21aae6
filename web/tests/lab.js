// What is asked of a Lab, whichever device it has. `tell` is a teller of harness.js.

// Two half circles that reach into each other, 100 points each, pushed about by a fixed generator.
function moons() {
    let state = 1;
    const noise = () => ((state = (state * 48271) % 2147483647) / 2147483647 - 0.5) * 0.1;
    const points = [], classes = [];
    for (let i = 0; i < 200; i++) {
        const upper = i % 2, angle = (Math.PI * (i >> 1)) / 99;
        const x = upper ? Math.cos(angle) - 0.5 : 0.5 - Math.cos(angle);
        const y = upper ? Math.sin(angle) - 0.25 : 0.25 - Math.sin(angle);
        points.push((x + noise()) / 1.6, (y + noise()) / 1.6);
        classes.push(upper);
    }
    return [new Float32Array(points), new Uint32Array(classes)];
}

const [points, classes] = moons();
const start = (lab, changes = {}) => {
    const s = { points, classes, hidden: [16, 16], activation: 'tanh', optimizer: 'adam', rate: 0.02, batch: 20, seed: 7, ...changes };
    return lab.start(s.points, s.classes, new Uint32Array(s.hidden), s.activation, s.optimizer, s.rate, s.batch, s.seed);
};

async function isNotStarted(lab, { refused }) {
    await refused('training before a start', 'call start first', () => lab.epochs(1));
    await refused('a step length before a start', 'call start first', () => lab.set_learning_rate(0.1));
}

async function learns(lab, { check, note, refused }) {
    await start(lab);
    const begin = performance.now();
    const losses = await lab.epochs(60);
    const elapsed = performance.now() - begin;
    await note(`60 epochs of 10 batches: ${elapsed.toFixed(0)} ms, loss ${losses[0]} to ${losses[59]}`);
    await check('60 epochs have 60 losses', losses.length === 60 && losses.every(Number.isFinite), losses.length);
    await check('the loss falls', losses[59] < 0.2 * losses[0], `${losses[0]} to ${losses[59]}`);
    const accuracy = await lab.accuracy();
    await check('two moons are told apart', accuracy >= 0.97 && accuracy <= 1, accuracy);

    await start(lab);
    const again = await lab.epochs(60);
    await check('the same seed gives the same losses', again.every((loss, i) => Object.is(loss, losses[i])));
    await start(lab, { seed: 8 });
    const other = await lab.epochs(3);
    await check('another seed gives others', other[0] !== losses[0], other[0]);
}

async function isSurface(lab, { check, note, refused }) {
    await start(lab);
    await lab.epochs(60);
    const n = 64, begin = performance.now();
    const surface = await lab.surface(n);
    await note(`surface of ${n} × ${n}: ${(performance.now() - begin).toFixed(1)} ms`);
    await check('a probability for each place', surface.length === n * n && surface.every((p) => p >= 0 && p <= 1));
    let right = 0;
    for (let i = 0; i < classes.length; i++) {
        const column = Math.floor(((points[2 * i] + 1) / 2) * n), row = Math.floor(((1 - points[2 * i + 1]) / 2) * n);
        right += (surface[row * n + column] > 0.5) === (classes[i] === 1);
    }
    await check('the surface agrees with the classes at the points', right / classes.length >= 0.97, `${right} of 200`);
}

const isNear = (a, b, bound) => Math.abs(a - b) <= bound * Math.max(1, Math.abs(b));
const allNear = (a, b, bound) => a.length === b.length && a.every((value, i) => isNear(value, b[i], bound));

// The same step in 64 bits, from the weights that the network has.
function byHand(layers, x, target, rate) {
    const forward = (layers) => {
        let y = x;
        const all = layers.map(({ weight, bias }, index) => {
            const z = weight.map((row, o) => row.reduce((sum, w, i) => sum + w * y[i], bias[o]));
            const input = y;
            y = index + 1 < layers.length ? z.map(Math.tanh) : z;
            return { input, z, y };
        });
        const exps = y.map(Math.exp), sum = exps.reduce((a, b) => a + b);
        return { all, probabilities: exps.map((e) => e / sum), loss: Math.log(sum) - y[target] };
    };
    const { all, probabilities, loss } = forward(layers);
    let dy = probabilities.map((p, o) => p - (o === target ? 1 : 0));
    const told = [];
    for (let l = layers.length - 1; l >= 0; l--) {
        const { input, z, y } = all[l];
        const dz = l + 1 < layers.length ? dy.map((d, o) => d * (1 - y[o] * y[o])) : dy;
        told.unshift({ z, y, dy, dz, dweight: dz.map((d) => input.map((v) => d * v)), dbias: dz });
        dy = layers[l].weight[0].map((_, i) => dz.reduce((sum, d, o) => sum + d * layers[l].weight[o][i], 0));
    }
    const moved = layers.map(({ weight, bias }, l) => ({
        weight: weight.map((row, o) => row.map((w, i) => w - rate * told[l].dweight[o][i])),
        bias: bias.map((b, o) => b - rate * told[l].dbias[o]),
    }));
    return { told, moved, probabilities, loss, loss_after: forward(moved).loss };
}

async function isStep(lab, { check, note, refused }) {
    const rate = 0.05, index = 37;
    await start(lab, { hidden: [5, 3], optimizer: 'sgd', rate });
    await lab.epochs(2);
    const before = await lab.parameters();
    const begin = performance.now();
    const step = await lab.step(index);
    await note(`a step told: ${(performance.now() - begin).toFixed(1)} ms`);
    const after = await lab.parameters();
    await check('a step that is told changes nothing', JSON.stringify(before) === JSON.stringify(after));
    await check('its point', step.x[0] === points[2 * index] && step.x[1] === points[2 * index + 1] && step.target === classes[index]);
    await check('its weights', step.layers.every(({ weight, bias }, l) =>
        JSON.stringify({ weight, bias }) === JSON.stringify({ weight: before[l].weight, bias: before[l].bias })));
    const hand = byHand(before, step.x, step.target, rate);
    // Sums of a few products near 1 in 32 bits, and a tanh and an exp that browsers may take to 2e-5.
    const bound = 1e-4;
    for (let l = 0; l < 3; l++) {
        const found = step.layers[l], expected = hand.told[l], moved = hand.moved[l];
        for (const name of ['z', 'y', 'dy', 'dz', 'dbias']) {
            await check(`layer ${l}, ${name}`, allNear(found[name], expected[name], bound), `${found[name]} by hand ${expected[name]}`);
        }
        await check(`layer ${l}, dweight`, allNear(found.dweight.flat(), expected.dweight.flat(), bound));
        await check(`layer ${l}, new weight`, allNear(found.new_weight.flat(), moved.weight.flat(), bound));
        await check(`layer ${l}, new bias`, allNear(found.new_bias, moved.bias, bound));
        const steps = found.weight.flat().map((w, i) => w - found.new_weight.flat()[i]);
        const slopes = found.dweight.flat().map((d) => rate * d);
        // Near weights of 1, a difference of two 32-bit numbers is off by their last place.
        await check(`layer ${l}, the step is rate times gradient`, steps.every((s, i) => Math.abs(s - slopes[i]) <= 2 ** -22));
    }
    await check('probabilities', allNear(step.probabilities, hand.probabilities, bound), step.probabilities);
    await check('loss', isNear(step.loss, hand.loss, bound), `${step.loss} by hand ${hand.loss}`);
    await check('loss after', isNear(step.loss_after, hand.loss_after, bound), `${step.loss_after} by hand ${hand.loss_after}`);
    await check('a short step lowers the loss', step.loss_after <= step.loss, `${step.loss} to ${step.loss_after}`);
}

async function takesLearningRates(lab, { check, note, refused }) {
    await start(lab, { optimizer: 'sgd', rate: 0.1 });
    await lab.epochs(1);
    const before = JSON.stringify(await lab.parameters());
    lab.set_learning_rate(1e-30);
    await lab.epochs(1);
    await check('steps of length 1e-30 change nothing', JSON.stringify(await lab.parameters()) === before);
    lab.set_learning_rate(0.1);
    await lab.epochs(1);
    await check('steps of length 0.1 do', JSON.stringify(await lab.parameters()) !== before);
    await refused('a step length of 0', 'learning rate: found 0, expected a number above 0', () => lab.set_learning_rate(0));
    await refused('a step length that is no number', 'learning rate: found NaN', () => lab.set_learning_rate(NaN));
}

async function refusesWrongInput(lab, { check, note, refused }) {
    const starts = [
        ['a point too many', 'data set: found 200 rows of features with 199', { classes: classes.slice(1) }],
        ['half a point', 'found 3 values, expected 2', { points: points.slice(0, 3), classes: classes.slice(0, 1) }],
        ['no points', 'found 0 rows', { points: new Float32Array(), classes: new Uint32Array() }],
        ['a third class', 'class index: found 2', { classes: classes.map((_, i) => i % 3) }],
        ['a point that is no number', 'found NaN', { points: points.map((x, i) => (i === 5 ? NaN : x)) }],
        ['a point outside', 'found 1.5, expected a number from -1 to 1', { points: points.map((x, i) => (i === 5 ? 1.5 : x)) }],
        ['a layer of width 0', 'layer sizes: found 2-0-2', { hidden: [0] }],
        ['a huge network', 'expected a whole number from 1 to 1000000', { hidden: [60000, 30000] }],
        ['an impossible network', 'fewer than 2^31 parameters', { hidden: [4294967295, 4294967295] }],
        ['an unknown activation', 'activation: found `swish`', { activation: 'swish' }],
        ['an unknown optimizer', 'optimizer: found `nadam`', { optimizer: 'nadam' }],
        ['a step length below 0', 'learning rate: found -1', { rate: -1 }],
        ['batches of nothing', 'batch size: found 0', { batch: 0 }],
        ['half a row', 'batch size: found 2.5', { batch: 2.5 }],
        ['a seed below 0', 'seed: found -1', { seed: -1 }],
    ];
    for (const [claim, words, changes] of starts) {
        await refused(claim, words, () => start(lab, changes));
    }
    for (const n of [0, -1, 1.5, NaN, Infinity, 1e9]) {
        await refused(`${n} epochs`, `epochs: found ${n === Infinity ? 'inf' : n === 1e9 ? '1000000000' : n}`, () => lab.epochs(n));
    }
    await refused('a surface of 0 places', 'resolution: found 0', () => lab.surface(0));
    await refused('a huge surface', 'resolution: found 100000', () => lab.surface(100000));
    await refused('a point beyond the last', 'index of a point: found 200, expected a whole number from 0 to 199', () => lab.step(200));
}

async function explodes(lab, { check, note, refused }) {
    // Adam's steps of this length leave nothing that is a number.
    await start(lab, { rate: 1e38 });
    await refused('a training that explodes', 'try a smaller learning rate', () => lab.epochs(5));
    lab.set_learning_rate(0.02);
    await check('it goes on at a smaller step length', Number.isFinite((await lab.epochs(1))[0]));
}

async function queuesCalls(lab, { check, note, refused }) {
    await start(lab);
    const [losses, surface, accuracy] = await Promise.all([lab.epochs(3), lab.surface(8), lab.accuracy()]);
    await check('calls at once are answered one after the other', losses.length === 3 && surface.length === 64 && accuracy > 0);
}

export async function isWell(lab, { check, note }) {
    const report = await lab.examine();
    const [{ device, findings }] = report.devices;
    await check("the report is the command's", report.version === 1 && device === lab.device() && findings.length > 10, findings.length);
    const wrong = findings.filter((finding) => !finding.passed);
    await check('every kernel is right', wrong.length === 0, wrong.map(({ name, failures }) => `${name}: ${failures[0]}`).join('; '));
    const worst = findings.reduce((a, b) => (a.worst_error_part_of_bound > b.worst_error_part_of_bound ? a : b));
    const elapsed = findings.reduce((sum, finding) => sum + finding.elapsed_ms, 0);
    await note(`worst error ${(100 * worst.worst_error_part_of_bound).toFixed(1)} % of its bound in ${worst.name}, ${elapsed.toFixed(0)} ms`);
}

// In this order: the first wants a lab that nothing was done with.
export const tests = [
    isNotStarted, learns, isSurface, isStep, takesLearningRates, refusesWrongInput, explodes, queuesCalls, isWell,
];
