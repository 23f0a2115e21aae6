// Opens the page. With ?test in the address the page checks itself.

import { Page } from './page.js';

// Read it in the console: nngpuPage.losses, nngpuPage.picture(), nngpuPage.ready.
const page = new Page(async () => {
    const library = await import('./nngpu_web.js');
    await library.default();
    return library.Lab;
});
window.nngpuPage = page;
page.open();

if (new URLSearchParams(location.search).has('test')) {
    const { test } = await import('./test.js');
    await test(page);
}
