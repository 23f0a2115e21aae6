// What the test pages share.

const post = (path, text) => fetch(path, { method: 'POST', body: text });

// Tells what a test finds, line by line.
export function teller(note) {
    const check = (claim, holds, found = '') => note(`${holds ? 'ok' : 'FAIL'} ${claim}${found === '' ? '' : `: ${found}`}`);

    // Whether work is refused with an Error whose message holds the words. A trap of the module is no refusal.
    async function refused(claim, words, work) {
        let error = 'it was accepted';
        try {
            await work();
        } catch (caught) {
            error = caught;
        }
        const isRefusal = error instanceof Error && !(error instanceof WebAssembly.RuntimeError);
        await check(`${claim} is refused`, isRefusal && error.message.includes(words), error.message ?? error);
    }

    return { note, check, refused };
}

// To the server of web/test, as it comes about.
export const tell = teller((line) => post('/line', line));

const end = () => post('/end', '');

export async function run(tests) {
    try {
        await tests();
    } catch (error) {
        await tell.note(`EXC ${error.stack ?? error}`);
    }
    await end();
}

// A trap of the module leaves its promise open for ever.
async function fail(what) {
    await tell.note(`EXC ${what}`);
    await end();
}
window.addEventListener('error', (event) => fail(event.message));
window.addEventListener('unhandledrejection', (event) => fail(event.reason));
