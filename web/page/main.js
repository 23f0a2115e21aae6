// Opens the page. With ?test in the address the page checks itself and posts the result to /result.

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
  const report = await test(page);
  document.title = report.includes('FAIL') ? 'FAIL' : 'PASS';
  console.log(report);
  // Where no one takes the result, the console has it.
  await fetch('/result', { method: 'POST', body: report }).catch(() => {});
}
