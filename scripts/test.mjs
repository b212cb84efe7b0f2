// @ts-check
/** `npm test`: sets up, then runs every test. `npm test -- FILTER…` hands its arguments to vitest. */
import { join } from 'node:path';
import { runOrExit, setUp } from './setup.mjs';

setUp();
runOrExit(process.execPath, [join('node_modules', 'vitest', 'vitest.mjs'), 'run', ...process.argv.slice(2)]);
