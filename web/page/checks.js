// The checks of the page: name and body. Each is given the page and whether it runs where no GPU may open.

import { makePoints, MAX_POINTS, NAMES, pointsFromText, pointsToText } from './data.js';
import { onCpu } from './device.js';
import { element } from './element.js';
import { figure, fromFigure } from './figure.js';
import { neuronGrids } from './forward.js';
import { Palette } from './palette.js';
import { RESOLUTION } from './page.js';
import { Runs } from './runs.js';
import { DEFAULT, fromHash, toHash } from './setup.js';
import { assert, assertNear, byId, click, isShown, learn, sleep, START, trainUntil, until, write } from './visitor.js';

export const PLANTED_TRAP = 'a planted trap';

// What a planted device answers.
const ANSWERS = {
    surface: async (n) => new Float32Array(n * n),
    accuracy: async () => 0.5,
    parameters: async () => [],
};

export const CHECKS = {
    async 'the device is told'(page, { isMissing }) {
        assert(isShown('device'), 'no device is shown');
        // Its name may be put in place of the library's `unnamed adapter`.
        const device = page.trainer.device().replace('unnamed adapter', '');
        assert(
            byId('device').textContent.includes(device),
            `shown is “${byId('device').textContent}”, the library says “${device}”`,
        );
        assert(!isShown('missing'), 'the message of missing WebGPU is shown');
        if (!isMissing)
            assert(
                navigator.gpu && (await navigator.gpu.requestAdapter()),
                'there is no adapter, and yet a GPU opened',
            );
    },

    async 'a set and its link are the same for a seed'() {
        for (const name of NAMES) {
            const [points, again, other] = [1, 1, 2].map((seed) => JSON.stringify(makePoints(name, seed)));
            assert(points === again && points !== other, `${name} does not follow its seed`);
            assert(
                makePoints(name, 3).every(({ x, y }) => Math.abs(x) <= 1 && Math.abs(y) <= 1),
                `${name} leaves the square`,
            );
        }
        const points = [
            { x: -0.5, y: 0.25, label: 0 },
            { x: 0.98, y: -0.01, label: 1 },
        ];
        assert(
            JSON.stringify(pointsFromText(pointsToText(points))) === JSON.stringify(points),
            'own points change in a link',
        );
        const setup = {
            data: 'own',
            hidden: [4, 2],
            activation: 'relu',
            optimizer: 'sgd',
            learningRate: 0.25,
            batchSize: 7,
            seed: 9,
            points,
        };
        assert(
            JSON.stringify(fromHash(toHash(setup))) === JSON.stringify(setup),
            `a setup changes in a link: ${toHash(setup)}`,
        );
        assert(
            JSON.stringify(fromHash('#hidden=0&rate=NaN&data=x&seed=-1')) === JSON.stringify(DEFAULT),
            'a wrong link is not refused',
        );
    },

    async 'numbers are told with four digits'() {
        const cases = [
            [0.18473, '0.1847'],
            [-12.3456, '−12.35'],
            [0, '0'],
            [1.2708e-5, '1.271e−5'],
            [NaN, 'NaN'],
            [null, 'NaN'],
            [-Infinity, '−Infinity'],
            [123456, '1.235e5'],
        ];
        for (const [value, text] of cases)
            assert(figure(value) === text, `${value} is told as ${figure(value)}, expected ${text}`);
    },

    async 'circles are learned'(page) {
        await learn(page, { ...START, data: 'circles' }, 0.98, 200);
    },

    async 'the picture is that of the network'(page) {
        const values = await page.trainer.surface(RESOLUTION);
        let [nA, nB] = [0, 0];
        for (let row = 3; row < RESOLUTION; row += 7) {
            for (let column = 3; column < RESOLUTION; column += 7) {
                const expected = values[row * RESOLUTION + column];
                const [x, y] = [(2 * column + 1) / RESOLUTION - 1, 1 - (2 * row + 1) / RESOLUTION];
                // Between the centres of cells colours are mixed, and a colour is one of 256.
                const around = [-1, 0, 1].flatMap((r) =>
                    [-1, 0, 1].map((c) => values[(row + r) * RESOLUTION + column + c] ?? expected),
                );
                const slack = Math.max(...around) - Math.min(...around) + 0.02;
                assertNear(
                    page.surface.probabilityAt(x, y),
                    expected,
                    slack,
                    `the colour at (${x.toFixed(2)}, ${y.toFixed(2)})`,
                );
                if (expected > 0.95) nB += 1;
                if (expected < 0.05) nA += 1;
            }
        }
        assert(nA > 5 && nB > 5, `too few places are certain to compare: ${nA} of A, ${nB} of B`);
    },

    async 'blue is B and orange is A, at the points'(page) {
        const context = byId('field').getContext('2d');
        const { width, height } = byId('field');
        let nRight = 0;
        for (const { x, y, label } of page.points) {
            const [red, , blue] = context.getImageData(((x + 1) / 2) * width, ((1 - y) / 2) * height, 1, 1).data;
            if (blue > red === (label === 1)) nRight += 1;
        }
        assert(nRight >= 0.97 * page.points.length, `${nRight} of ${page.points.length} points lie in their colour`);
        const accuracy = await page.trainer.accuracy();
        assertNear(nRight / page.points.length, accuracy, 0.03, 'the part of points in their colour');
    },

    async 'the neurons drawn are those of the network'(page) {
        const resolution = 24;
        const [a, b] = neuronGrids(await page.trainer.parameters(), page.setup.activation, resolution).at(-1);
        const values = await page.trainer.surface(resolution);
        values.forEach((expected, k) =>
            assertNear(1 / (1 + Math.exp(a[k] - b[k])), expected, 1e-3, `the output at place ${k}`),
        );
    },

    async 'the loss has a point for each epoch'(page) {
        await write(page, { ...START, data: 'moons' });
        for (let k = 0; k < 12; k++) await page.oneEpoch();
        assert(
            page.epoch === 12 && page.losses.length === 12,
            `12 epochs gave ${page.losses.length} losses and epoch ${page.epoch}`,
        );
        assert(byId('epoch').textContent === '12', `the page tells epoch ${byId('epoch').textContent}`);
        assertNear(fromFigure(byId('loss-now').textContent), page.losses[11], 1e-3 * page.losses[11], 'the loss told');
        assert(page.losses.every(Number.isFinite) && page.losses[11] < page.losses[0], `losses ${page.losses}`);
        for (const isLogarithmic of [true, false]) {
            byId('log').checked = isLogarithmic;
            byId('log').dispatchEvent(new Event('change'));
            const { first, last, width } = extentOfCurve();
            assert(last - first > 0.7 * width, `the curve goes from ${first} to ${last} of ${width} pixels`);
        }
    },

    async 'a long curve is drawn from few numbers'() {
        const values = Array.from({ length: 9001 }, (_, k) => 0.5 + ((k * 37) % 101) / 128);
        let nRead = 0;
        const watched = new Proxy(values, {
            get: (list, key) => {
                if (/^\d+$/.test(String(key))) nRead += 1;
                return list[key];
            },
        });
        const runs = new Runs();
        runs.follow(watched);
        assert(nRead === 9001, `9001 values are read ${nRead} times`);
        values.push(0.25, 2);
        runs.follow(watched);
        assert(nRead === 9003, `2 more values make it ${nRead} reads`);
        assert(runs.leastAbove0 === 0.25 && runs.most === 2, `from ${runs.leastAbove0} to ${runs.most}`);
        assert(runs.all.length > 2048 && runs.all.length <= 4096, `${runs.all.length} runs`);
        let from = 0;
        for (const { n, least, most, sum } of runs.all) {
            const own = values.slice(from, from + n);
            assert(least === Math.min(...own) && most === Math.max(...own), `the extent of the run from ${from}`);
            // Sums of multiples of 1/128 are exact.
            assert(sum === own.reduce((total, v) => total + v, 0), `the sum of the run from ${from}`);
            from += n;
        }
        assert(from === values.length, `the runs hold ${from} of ${values.length} values`);
        runs.follow([1, 0]);
        assert(runs.all.length === 2 && runs.most === 1 && runs.leastAbove0 === 1, 'another list does not begin anew');
    },

    async 'moons are learned'(page) {
        await learn(page, { ...START, data: 'moons' }, 0.98, 300);
    },

    async 'spirals are learned'(page) {
        await learn(
            page,
            { ...START, data: 'spirals', hidden: '16, 16', activation: 'relu', learningRate: '0.02', batchSize: '20' },
            0.95,
            300,
        );
    },

    async 'pause stops, and a learning rate may change on the way'(page) {
        await write(page, START);
        byId('train').click();
        await until(() => page.epoch >= 3, 'three epochs');
        await write(page, { learningRate: '0.001' });
        assert(page.isRunning && page.epoch >= 3, 'another learning rate began anew');
        assert(byId('train').textContent === 'Pause', `the button says ${byId('train').textContent}`);
        byId('train').click();
        await until(() => !page.isRunning && byId('train').textContent === 'Train', 'the pause');
        await page.trainer.accuracy();
        const { epoch } = page;
        await sleep(300);
        assert(page.epoch === epoch, `epoch ${page.epoch} after a pause at ${epoch}`);
        byId('reset').click();
        await until(() => page.epoch === 0, 'the reset');
        await page.settled();
    },

    async 'a pause that is taken back leaves one training'(page) {
        await write(page, START);
        byId('train').click();
        await until(() => page.epoch >= 3, 'three epochs');
        byId('train').click();
        assert(byId('train').textContent === 'Train', `a pause leaves the button at ${byId('train').textContent}`);
        byId('train').click();
        assert(byId('train').textContent === 'Pause' && page.isRunning, 'the pause is not taken back');
        const { trainer } = page;
        const { advance } = trainer;
        // Calls wait for their turn: after this one the last burst of the paused training is over.
        await advance.call(trainer, 1);
        let [nBursts, nFrames] = [0, 0];
        trainer.advance = (nEpochs) => {
            nBursts += 1;
            return advance.call(trainer, nEpochs);
        };
        while (nBursts < 12) {
            await new Promise((resolve) => requestAnimationFrame(resolve));
            nFrames += 1;
        }
        delete trainer.advance;
        assert(nFrames >= 10, `12 bursts within ${nFrames} frames: two trainings go on, for each has one in a frame`);
        byId('train').click();
        assert(!page.isRunning && byId('train').textContent === 'Train', 'it does not pause');
        await page.trainer.accuracy();
        const { epoch } = page;
        await sleep(300);
        assert(page.epoch === epoch, `epoch ${page.epoch} after a pause at ${epoch}`);
    },

    async 'a seed gives the same training again'(page) {
        const losses = [];
        for (const seed of ['5', '6', '5']) {
            await write(page, { ...START, seed });
            for (let k = 0; k < 3; k++) await page.oneEpoch();
            losses.push(page.losses.join());
        }
        assert(losses[0] === losses[2], `seed 5 gave ${losses[0]}, then ${losses[2]}`);
        assert(losses[0] !== losses[1], 'another seed gave the same');
    },

    async 'the step told is the step computed'(page) {
        for (const activation of ['relu', 'tanh']) {
            await write(page, { ...START, hidden: '5, 3', activation, optimizer: 'sgd', learningRate: '0.2' });
            await page.oneEpoch();
            const before = JSON.stringify(await page.trainer.parameters());
            const { x, y } = page.points[11];
            click(x, y);
            await until(() => page.step !== null && byId('step').childElementCount > 0, 'the step');
            const { step } = await page.trainer.step(Number(byId('point').value));
            checkNumbers(step);
            checkArithmetic(step, 0.2);
            assert(JSON.stringify(await page.trainer.parameters()) === before, 'looking at a step changed the network');
            byId('close').click();
            assert(byId('step').childElementCount === 0, 'the step does not close');
        }
    },

    async 'a large table is told in part, and whole when asked'(page) {
        await write(page, { ...START, hidden: '12' });
        await page.choose(0);
        const cells = () => byId('step').querySelectorAll('table[data-name="layers.0.weight"] td:not(.gap)').length;
        assert(cells() < 24, `${cells()} cells`);
        byId('step')
            .querySelectorAll('.matrix button')
            .forEach((button) => button.click());
        assert(cells() === 24, `${cells()} cells after all were asked for`);
        checkNumbers((await page.trainer.step(0)).step);
        byId('smaller').click();
        await until(
            () => page.setup.hidden.join() === '3' && page.step?.layers[0].bias.length === 3,
            'a smaller network',
        );
    },

    async 'a point that is none is refused'(page) {
        for (const text of ['200', '-1', 'x', '']) {
            byId('point').value = text;
            byId('point').dispatchEvent(new Event('change'));
            assert(isShown('look-problem'), `“${text}” is not refused`);
        }
        await page.choose(10 ** 6);
        assert(isShown('look-problem'), 'the refusal of the library is not shown');
        await page.choose(3);
        assert(!isShown('look-problem') && page.step !== null, 'a good point is refused');
        await page.choose(-1);
    },

    async 'own points are set, learned and cleared'(page) {
        await write(page, { ...START, data: 'own' });
        byId('clear').click();
        await page.settled();
        assert(
            page.points.length === 0 && byId('train').disabled && isShown('picture-empty'),
            'without points one can train',
        );
        for (const [x, y] of [
            [-0.6, 0.5],
            [-0.5, -0.4],
            [-0.8, 0],
        ])
            click(x, y);
        await page.settled();
        assert(
            byId('train').disabled && byId('picture-empty').textContent.includes('B'),
            'with one class one can train',
        );
        for (const [x, y] of [
            [0.6, 0.5],
            [0.5, -0.4],
        ])
            click(x, y, { shiftKey: true });
        byId('marks').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
        byId('marks').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, shiftKey: true }));
        await page.settled();
        const labels = page.points.map(({ label }) => label).join('');
        assert(labels === '000111', `the points are of classes ${labels}`);
        assertNear(page.points[0].x, -0.6, 0.011, 'x of the first point');
        assertNear(page.points[0].y, 0.5, 0.011, 'y of the first point');
        assert(location.hash.includes('points=A'), `the link is ${location.hash}`);
        await trainUntil(page, () => page.picture()?.accuracy === 1 && page.epoch > 0, 'own points learned');
        byId('undo').click();
        await page.settled();
        assert(page.points.length === 5 && page.epoch === 0, `${page.points.length} points after undo`);
        byId('clear').click();
        await page.settled();
        assert(page.points.length === 0 && byId('train').disabled, 'clear does not clear');
    },

    async 'own points outlast every other control'(page) {
        await write(page, { ...START, data: 'own' });
        byId('clear').click();
        click(-0.6, 0.5);
        click(0.6, 0.5, { shiftKey: true });
        await page.settled();
        const points = JSON.stringify(page.points);
        const others = { learningRate: '0.01', hidden: '6', optimizer: 'sgd', seed: '3' };
        for (const texts of [others, { data: 'moons' }, { data: 'own' }]) {
            await write(page, texts);
            const found = JSON.stringify(page.setup.points);
            assert(found === points, `after ${JSON.stringify(texts)} the points are ${found}, before it ${points}`);
        }
        assert(JSON.stringify(page.points) === points, 'the points kept are not those shown');
        byId('undo').click();
        await write(page, { learningRate: '0.02' });
        assert(page.points.length === 1, `${page.points.length} points after undo and another control, expected 1`);
        byId('clear').click();
        await page.settled();
    },

    async 'nothing is told of the network of another set'(page, { isMissing }) {
        await write(page, { ...START, data: 'own' });
        byId('clear').click();
        await write(page, { data: 'moons' });
        byId('train').click();
        await until(() => page.epoch >= 3, 'three epochs');
        await write(page, { data: 'own' });
        const isEmpty = () => page.picture() === null && page.epoch === 0 && !page.isRunning;
        const seen = () =>
            `epoch ${page.epoch}, picture ${page.picture() !== null}, error “${byId('error').textContent}”`;
        // Two points of one class make no network either.
        for (const points of [[], [[-0.6, 0.5]], [[0.5, 0.4]]]) {
            for (const [x, y] of points) click(x, y);
            await page.settled();
            await page.choose(0);
            assert(page.step === null && byId('step').childElementCount === 0, 'the step is one of another set');
            assert(isShown('look-problem'), 'it is not told why there is no step');
            await write(page, { learningRate: points.length === 0 ? '0.01' : '0.02' });
            await sleep(100);
            assert(isEmpty() && !isShown('error'), seen());
        }
        click(-0.5, -0.4, { shiftKey: true });
        await page.settled();
        await page.choose(2);
        assert(page.step?.target === 1 && !isShown('look-problem'), 'with both classes there is no step');
        byId('clear').click();
        await page.settled();
        // As a page opened from a link to no points: there has never been a network.
        await page.open(onCpu);
        await write(page, { learningRate: '0.03' });
        assert(isEmpty() && !isShown('error'), seen());
        await write(page, START);
        if (!isMissing) await page.open();
    },

    async 'a link to too many points is cut, and says so'(page) {
        await write(page, { ...START, data: 'own' });
        const link = (n) =>
            `#data=own&points=${Array.from({ length: n }, (_, k) => `${'AB'[k % 2]}${k % 90}.${k % 70}`).join('_')}`;
        assert(fromHash(link(MAX_POINTS)).points.length === MAX_POINTS, 'as many as fit are cut');
        location.hash = link(MAX_POINTS + 7);
        await until(() => page.points.length === MAX_POINTS, 'the points of the link');
        await page.settled();
        assert(byId('picture-hint').textContent.includes('2,000'), `told is “${byId('picture-hint').textContent}”`);
        click(-0.9, -0.9);
        await page.settled();
        assert(page.points.length === MAX_POINTS, `${page.points.length} points after another click`);
        byId('clear').click();
        await page.settled();
        assert(!byId('picture-hint').textContent.includes('2,000'), 'the hint stays');
        await write(page, START);
    },

    async 'nothing may be loaded from elsewhere'() {
        const refused = new Promise((resolve) =>
            addEventListener('securitypolicyviolation', ({ blockedURI }) => resolve(blockedURI), { once: true }),
        );
        const late = sleep(2000).then(() => 'nothing');
        // .invalid is a name that no one has (RFC 2606).
        new Image().src = 'https://elsewhere.invalid/picture.png';
        const found = await Promise.race([refused, late]);
        assert(found.includes('elsewhere.invalid'), `the browser refused ${found}`);
    },

    async 'the keyboard has a cross as soon as it comes to the picture'() {
        const marks = byId('marks');
        marks.blur();
        const before = marks.toDataURL();
        marks.focus();
        assert(marks.toDataURL() !== before, 'no cross is shown');
        marks.blur();
        assert(marks.toDataURL() === before, 'the cross stays');
        assert(/arrow/.test(byId('picture-hint').textContent), 'the hint is silent about the keyboard');
    },

    async 'what scrolls is reached by keys, and nothing else'(page) {
        await write(page, START);
        await page.choose(0);
        for (const width of ['24rem', '']) {
            byId('step').style.width = width;
            await sleep(200);
            const scrolls = [...byId('step').querySelectorAll('.scroll')];
            const wrong = scrolls.filter((one) => one.hasAttribute('tabindex') !== one.scrollWidth > one.clientWidth);
            const n = scrolls.filter((one) => one.scrollWidth > one.clientWidth).length;
            assert(wrong.length === 0, `${wrong.length} of ${scrolls.length} tables, of which ${n} scroll`);
            assert(width === '' || (n > 0 && n < scrolls.length), `${n} of ${scrolls.length} scroll: a poor test`);
        }
        await page.choose(-1);
    },

    async 'wrong settings are explained in place'(page) {
        await write(page, START);
        const wrong = {
            hidden: ['', ' ', '0', '8, 0', '8, 10000', '3.5', 'NaN', '-2', '1,1,1,1,1,1,1'],
            learningRate: ['', '0', '-1', 'NaN', 'Infinity', '1e9', 'fast'],
            batchSize: ['', '0', '1.5', '99999'],
            seed: ['', '-1', 'x', '1e3'],
        };
        for (const [name, texts] of Object.entries(wrong)) {
            for (const text of texts) {
                const before = JSON.stringify(page.setup[name]);
                await write(page, { [name]: text });
                assert(isShown(`${name}-problem`), `${name} “${text}” is not explained`);
                assert(
                    byId('form').elements[name].getAttribute('aria-invalid') === 'true',
                    `${name} “${text}” is not marked`,
                );
                assert(JSON.stringify(page.setup[name]) === before, `${name} “${text}” is taken over`);
            }
            await write(page, { [name]: START[name] });
            assert(!isShown(`${name}-problem`), `${name}: the message stays`);
        }
        assert(page.setup.hidden.join() === '8,8', `the layers are ${page.setup.hidden}`);
    },

    async 'on a tablet the numbers stand directly below the picture'() {
        // A frame has the width that is asked for, whatever the window has.
        const frame = element('iframe', { src: location.pathname, width: '820', height: '1180' });
        const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
        document.body.append(frame);
        await loaded;
        const place = (selector) => frame.contentDocument.querySelector(selector).getBoundingClientRect();
        const [picture, figures, loss] = ['.picture', '.figures', '#loss'].map(place);
        frame.remove();
        assertNear(figures.left, picture.left, 1, 'the left edge of the numbers');
        assertNear(figures.top, picture.bottom, 40, 'the upper edge of the numbers');
        assertNear(loss.left, picture.left, 1, 'the left edge of the curve');
    },

    async 'nothing is wider than the page'(page) {
        await page.choose(0);
        const { scrollWidth, clientWidth } = document.documentElement;
        assert(scrollWidth <= clientWidth, `${scrollWidth} of ${clientWidth} pixels`);
        await page.choose(-1);
    },

    async 'an error of the library is shown'(page) {
        const fault = () => Promise.reject(new Error('a planted fault'));
        await page.open(async () => ({ device: () => 'a planted device', start: fault }));
        assert(
            byId('error').textContent === 'A planted fault.' && isShown('error'),
            `a failing start shows “${byId('error').textContent}”`,
        );
        await page.open(async () => ({
            device: () => 'a planted device',
            start: async () => {},
            epochs: fault,
            ...ANSWERS,
        }));
        assert(!isShown('error'), 'the error stays');
        await page.train();
        assert(isShown('error') && !page.isRunning, 'a failing epoch is not shown');
        await page.open(async () => ({
            device: () => 'a planted device',
            start: async () => {},
            epochs: async () => [NaN],
            ...ANSWERS,
        }));
        await page.train();
        assert(
            byId('error').textContent.includes('learning rate') && !page.isRunning,
            'a loss that is no number is not explained',
        );
        dispatchEvent(new ErrorEvent('error', { message: PLANTED_TRAP }));
        assert(byId('error').textContent.includes(PLANTED_TRAP) && isShown('error'), 'a trap is not shown');
        await write(page, { learningRate: '0.01', hidden: '5' });
        assert(isShown('error'), 'the message about a trap goes away');
        const enabled = ['train', 'one-epoch', 'reset', 'examine'].filter((id) => !byId(id).disabled);
        assert(enabled.length === 0 && !isShown('other-device'), `after a trap one can still press ${enabled}`);
        assert(document.body.dataset.device !== 'open', 'after a trap the page says that it computes');
    },

    async 'one examination at a time, and it says that training waits'(page) {
        let finish;
        const planted = async () => ({
            device: () => 'a planted device',
            start: async () => {},
            epochs: async (n) => Array(n).fill(0.5),
            examine: () => new Promise((resolve) => (finish = () => resolve({ devices: [] }))),
            ...ANSWERS,
        });
        await page.open(planted);
        byId('examine').click();
        byId('train').click();
        assert(byId('examine').disabled, 'Train allows a second examination beside the first');
        await sleep(50);
        assert(byId('examination').textContent.includes('waits'), `told is “${byId('examination').textContent}”`);
        page.pause();
        finish();
        await until(() => byId('examination').textContent.includes('All right'), 'the findings');
        assert(!byId('examine').disabled, 'one cannot examine again');
        byId('examine').click();
        await page.settled();
        const finishFirst = finish;
        await page.open(planted);
        assert(!byId('examine').disabled, 'another device cannot be examined');
        finishFirst();
        await sleep(50);
        assert(!isShown('examination'), `told of another device: “${byId('examination').textContent}”`);
    },

    async 'missing WebGPU is explained, and the CPU trains'(page) {
        await page.open(() => Promise.reject(new Error('planted: no adapter')));
        assert(isShown('missing') && isShown('missing-what'), 'the message is not shown');
        assert(
            byId('missing-message').textContent === 'Planted: no adapter.',
            'the reason of the library is not shown',
        );
        assert(byId('train').disabled && byId('one-epoch').disabled, 'without a device one can train');
        byId('use-cpu').click();
        await page.ready;
        assert(
            !isShown('missing') && byId('device').textContent.includes('CPU'),
            `the device is ${byId('device').textContent}`,
        );
        await learn(page, { ...START, data: 'circles' }, 0.98, 200);
    },

    async 'another device may be taken in the midst of training'(page, { isMissing }) {
        byId('train').click();
        await until(() => page.epoch > 0, 'an epoch');
        const { trainer } = page;
        byId('other-device').click();
        await page.ready;
        assert(!trainer.isRunning, 'the training goes on unseen on the device before');
        if (isMissing) {
            assert(isShown('missing'), 'the message is not shown again');
            byId('use-cpu').click();
            await page.ready;
        }
        assert(
            !isShown('error') && page.epoch === 0 && !page.isRunning,
            `epoch ${page.epoch}, error “${byId('error').textContent}”`,
        );
        assert(byId('device').textContent.includes('CPU') === isMissing, `the device is ${byId('device').textContent}`);
        await page.oneEpoch();
        assert(page.epoch === 1, 'it does not train');
    },
};

// The first and the last column of the loss's canvas that hold the colour of the curve.
function extentOfCurve() {
    const canvas = byId('loss');
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    const hex = new Palette().accent;
    const accent = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const columns = [];
    for (let x = 0; x < width; x++) {
        for (let y = 0; y < height; y++) {
            const at = 4 * (y * width + x);
            if (data[at + 3] > 200 && accent.every((v, k) => Math.abs(v - data[at + k]) < 12)) {
                columns.push(x);
                break;
            }
        }
    }
    return { first: columns[0], last: columns.at(-1), width };
}

// Every number of the answer must stand in the page, in a table with its name.
function checkNumbers(step) {
    const tables = new Map(
        [...byId('step').querySelectorAll('table[data-name]')].map((table) => [table.dataset.name, table]),
    );
    const expected = { x: [step.x], probabilities: [step.probabilities] };
    step.layers.forEach((layer, k) => {
        for (const [name, value] of Object.entries(layer)) {
            // The output layer has no activation: its y is z, and its dy is dz.
            if (k === step.layers.length - 1 && (name === 'y' || name === 'dy')) continue;
            expected[`layers.${k}.${name}`] = Array.isArray(value[0]) ? value : [value];
        }
    });
    assert(
        tables.size === Object.keys(expected).length,
        `${tables.size} tables for ${Object.keys(expected).length} arrays`,
    );
    for (const [name, rows] of Object.entries(expected)) {
        assert(tables.has(name), `no table shows ${name}`);
        const cells = [...tables.get(name).querySelectorAll('td')].map((cell) => fromFigure(cell.textContent));
        const values = rows.flat();
        assert(cells.length === values.length, `${name} has ${cells.length} cells for ${values.length} numbers`);
        values.forEach((value, k) => assertNear(cells[k], value, 5.1e-4 * Math.abs(value), `${name}, number ${k}`));
    }
    for (const name of ['loss', 'loss_after']) {
        const told = fromFigure(byId('step').querySelector(`output[data-name="${name}"]`).textContent);
        assertNear(told, step[name], 5.1e-4 * Math.abs(step[name]), name);
    }
}

// The formulas that the page writes hold between the numbers; 32-bit floats leave an error of about 1e-6.
function checkArithmetic({ x, target, layers, probabilities, loss }, rate) {
    let inputs = x;
    layers.forEach(({ weight, bias, z, y, dz, dweight, dbias, new_weight, new_bias }, k) => {
        z.forEach((sum, o) => {
            assertNear(
                sum,
                weight[o].reduce((total, w, i) => total + w * inputs[i], bias[o]),
                1e-4,
                `z of layer ${k}`,
            );
            assertNear(dbias[o], dz[o], 1e-6, `db of layer ${k}`);
            assertNear(new_bias[o], bias[o] - rate * dbias[o], 1e-5, `new b of layer ${k}`);
            weight[o].forEach((w, i) => {
                assertNear(dweight[o][i], dz[o] * inputs[i], 1e-5, `dW of layer ${k}`);
                assertNear(new_weight[o][i], w - rate * dweight[o][i], 1e-5, `new W of layer ${k}`);
            });
        });
        if (k + 1 < layers.length) {
            layers[k].dy.forEach((dy, i) => {
                const next = layers[k + 1];
                assertNear(
                    dy,
                    next.dz.reduce((total, d, o) => total + d * next.weight[o][i], 0),
                    1e-5,
                    `dy of layer ${k}`,
                );
            });
        }
        inputs = y;
    });
    const { dz } = layers.at(-1);
    probabilities.forEach((p, k) => assertNear(dz[k], p - (k === target ? 1 : 0), 1e-5, 'p − t'));
    assertNear(loss, -Math.log(probabilities[target]), 1e-4, 'the loss');
}
