// @ts-check
/**
 * `npm start`: sets up, then runs the main job, cowtest, with a memory report. `npm start -- PROGRAM ARGS…` runs another
 * program so, and `npm start -- sh ARGS…` is `holstein sh ARGS…`. A path is relative to where npm was called.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root, setUp } from './setup.mjs';

const MAIN_JOB = ['cowtest'];

setUp();
const args = process.argv.slice(2);
const cli = join(root, 'packages', 'cli', 'dist', 'main.js');
const command = args[0] === 'sh' ? args : ['run', '--report', ...(args.length > 0 ? args : MAIN_JOB)];
const child = spawn(process.execPath, [cli, ...command], {
  cwd: process.env['INIT_CWD'] ?? process.cwd(),
  stdio: 'inherit',
});
// The child ends in its own time, and says with what. A terminal sends it Ctrl-C itself.
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on('close', (code, signal) => {
  if (signal !== null) console.error(`holstein: ended by ${signal}`);
  process.exitCode = code ?? 1;
});
