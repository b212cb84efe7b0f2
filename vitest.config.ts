import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    // Nothing hangs for so long: a test that takes it is on a machine that has other things to do.
    testTimeout: 180_000,
    // Two cores: a worker each.
    maxWorkers: 2,
  },
});
