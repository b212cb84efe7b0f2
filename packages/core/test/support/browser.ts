/** Runs before each test file in a browser (vitest.browser.config.ts): the page must be one that can share memory. */
if (!globalThis.crossOriginIsolated)
  throw new Error('the page is not cross-origin isolated, so it has no SharedArrayBuffer');
