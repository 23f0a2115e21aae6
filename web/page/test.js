// The page's own test: it uses the page as a visitor would and tells what it found, one line a check, ok or FAIL.
//
// With ?test a GPU must open. With ?test=missing none may: then the message is checked, and all else on the CPU.

import { CHECKS, PLANTED_TRAP } from './checks.js';
import { element } from './element.js';
import { assert, byId, isShown, PATIENCE_MS, sleep } from './visitor.js';

// Runs all checks. Each line is shown below the page and posted to /line as it comes about; /end follows the last.
export async function test(page) {
    const shown = element('pre', { class: 'card', role: 'log', 'aria-label': 'Checks' });
    document.querySelector('main').append(shown);
    // Where no one takes them, the page has them.
    const post = (path, text) => fetch(path, { method: 'POST', body: text }).catch(() => {});
    const lines = [];
    const note = (line) => {
        lines.push(line);
        console.log(line);
        shown.textContent = lines.join('\n');
        return post('/line', line);
    };
    const isMissing = new URLSearchParams(location.search).get('test') === 'missing';
    const uncaught = [];
    addEventListener('error', ({ message }) => message !== PLANTED_TRAP && uncaught.push(message));
    addEventListener('unhandledrejection', ({ reason }) => uncaught.push(String(reason)));
    const check = async (name, run) => {
        const begin = performance.now();
        try {
            // A check that hangs would keep the report for ever.
            await Promise.race([
                run(page, { isMissing }),
                sleep(PATIENCE_MS).then(() => assert(false, `no end within ${PATIENCE_MS} ms`)),
            ]);
            assert(uncaught.length === 0, `uncaught: ${uncaught.splice(0).join('; ')}`);
            await note(`ok ${name} (${Math.round(performance.now() - begin)} ms)`);
        } catch (error) {
            await note(`FAIL ${name}: ${error.message}`);
        }
    };
    await page.ready;
    if (isMissing) {
        await check('a browser without WebGPU is told what is missing', async () => {
            assert(isShown('missing') && isShown('missing-what'), 'the message is not shown');
            // The way out stands directly below what is missing: on a phone, more text would hide it.
            assert(isShown('use-cpu') && !isShown('missing-message'), 'the details are in the way of the button');
            byId('missing-message').closest('details').open = true;
            assert(isShown('missing-message'), 'the message of the library is not among the details');
            await note(`${byId('missing-what').textContent} ${byId('missing-message').textContent}`);
            byId('use-cpu').click();
            await page.ready;
        });
    }
    if (page.trainer === null) {
        await note(`FAIL no device opened: ${byId('missing-message').textContent}`);
    } else {
        await note(byId('device').textContent);
        for (const [name, run] of Object.entries(CHECKS)) await check(name, run);
    }
    document.title = lines.some((line) => line.startsWith('FAIL')) ? 'FAIL' : 'PASS';
    await post('/end', '');
}
