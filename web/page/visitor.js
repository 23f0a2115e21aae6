// What a visitor does with the page, for its test, and claims about what is seen.

// A GPU imitated by a busy processor takes its time.
export const PATIENCE_MS = 120000;

export const byId = (id) => document.getElementById(id);
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function assert(claim, message) {
    if (!claim) throw new Error(message);
}

export function assertNear(found, expected, tolerance, what) {
    // Written so that NaN is refused.
    assert(
        Math.abs(found - expected) <= tolerance,
        `${what}: found ${found}, expected ${expected} within ${tolerance}`,
    );
}

export async function until(claim, what, patienceMs = PATIENCE_MS) {
    const begin = performance.now();
    while (!claim()) {
        assert(performance.now() - begin < patienceMs, `waited ${patienceMs} ms in vain: ${what}`);
        await sleep(20);
    }
}

export const isShown = (id) => byId(id).checkVisibility() && byId(id).textContent.trim() !== '';

// Writes into controls as a visitor does, and waits for the page to follow.
export async function write(page, texts) {
    for (const [name, text] of Object.entries(texts)) {
        const control = byId('form').elements[name];
        control.value = text;
        const target = control instanceof RadioNodeList ? [...control].find(({ checked }) => checked) : control;
        target.dispatchEvent(new Event('input', { bubbles: true }));
    }
    await page.settled();
}

export const START = {
    data: 'circles',
    hidden: '8, 8',
    activation: 'tanh',
    optimizer: 'adam',
    learningRate: '0.03',
    batchSize: '32',
    seed: '1',
};

export async function trainUntil(page, claim, what, patienceMs) {
    byId('train').click();
    try {
        await until(claim, what, patienceMs);
    } finally {
        page.pause();
        await until(() => byId('train').textContent === 'Train', 'the training ends after a pause');
        // The picture and the step are brought up to date after it.
        await page.trainer.accuracy();
        await until(() => page.picture().epoch === page.epoch, 'the picture follows');
    }
}

export function click(x, y, keys = {}) {
    const { left, top, width, height } = byId('marks').getBoundingClientRect();
    const [clientX, clientY] = [left + ((x + 1) / 2) * width, top + ((1 - y) / 2) * height];
    byId('marks').dispatchEvent(
        new PointerEvent('click', { clientX, clientY, bubbles: true, pointerType: 'mouse', ...keys }),
    );
}

export async function learn(page, texts, goal, maxEpochs) {
    await write(page, texts);
    await page.reset();
    assert(page.epoch === 0, `a new network begins at epoch ${page.epoch}`);
    const isLearned = () => page.picture() !== null && page.picture().epoch > 0 && page.picture().accuracy >= goal;
    // The burst under way when it is paused may spoil what was just learned; then it goes on.
    do {
        await trainUntil(page, () => isLearned() || page.epoch > maxEpochs, `${texts.data} to ${goal}`);
    } while (!isLearned() && page.epoch <= maxEpochs);
    const { accuracy, epoch } = page.picture();
    assert(accuracy >= goal, `accuracy ${accuracy} after ${epoch} epochs, expected ${goal} within ${maxEpochs}`);
    assertNear(accuracy, await page.trainer.accuracy(), 0, 'the accuracy told');
    assert(
        byId('accuracy').textContent === `${(100 * accuracy).toFixed(1)} %`,
        `the page tells ${byId('accuracy').textContent}`,
    );
}
