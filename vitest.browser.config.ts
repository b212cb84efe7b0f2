/** `npm run test:browser`: the tests that need nothing of Node, in headless Chromium. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join, sep } from 'node:path';
import process from 'node:process';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import type { Reporter, Vitest } from 'vitest/node';

const canRun = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** The program that the variable CHROMIUM names, by its path or as on the PATH; `chromium` where it is not set. */
const findChromium = (): string => {
  const { CHROMIUM, PATH = '' } = process.env;
  const name = CHROMIUM || 'chromium';
  const places = name.includes(sep) ? [name] : PATH.split(delimiter).map((folder) => join(folder, name));
  const found = places.find(canRun);
  if (found !== undefined) return found;
  throw new Error(
    `no program ${name}: the browser's tests want Debian's chromium (apt-get install chromium), ` +
      'or the path of another one in the variable CHROMIUM',
  );
};

/** Vitest passes a file whose tests are all skipped. Here that would be a file that no browser has seen. */
class EveryFileRuns implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(files: Parameters<NonNullable<Reporter['onTestRunEnd']>>[0]): void {
    // With -t most are skipped, and are to be.
    if (this.#vitest?.getGlobalTestNamePattern() !== undefined) return;
    for (const file of files) {
      if (file.state() !== 'skipped') continue;
      this.#vitest?.logger.error(`${file.relativeModuleId}: no test of it has run in the browser`);
      process.exitCode = 1;
    }
  }
}

export default defineConfig({
  // With these a page is cross-origin isolated, and has SharedArrayBuffer.
  server: {
    headers: {
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    },
  },
  // What the tests import from npm: found only later, it would reload the page in the middle of a test.
  optimizeDeps: { include: ['fast-check', 'sorted-btree'] },
  test: {
    include: [
      'packages/core/test/frame/{buddy,handles,physical-memory,segment}.test.ts',
      'packages/core/test/vmo/**/*.test.ts',
      'packages/core/test/space/{mapping-list,object-mappings,remap,waiting}.test.ts',
    ],
    exclude: ['**/*.node.test.ts'],
    passWithNoTests: false,
    setupFiles: ['packages/core/test/support/browser.ts'],
    reporters: ['default', new EveryFileRuns()],
    // As in vitest.config.ts.
    testTimeout: 180_000,
    maxWorkers: 2,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        // Root cannot have Chromium's sandbox.
        launchOptions: { executablePath: findChromium(), chromiumSandbox: process.getuid?.() !== 0 },
      }),
      instances: [{ browser: 'chromium' }],
    },
  },
});
