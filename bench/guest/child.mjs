// @ts-check
/**
 * A process that runs one of the guest's programs on a machine of its own, so that nothing that was compiled for another
 * helps it: neither the program's code nor holstein's own.
 *
 *   node child.mjs auto|off MIB PROGRAM ARGUMENT…
 *
 * Prints a line of JSON.
 */
import { Machine } from '@holstein/core';
import { checkOutput, guestPrograms } from './programs.mjs';

/** Milliseconds of the machine's run: on the clock, and of all processors together. @typedef {{ wallMs: number, cpuMs: number }} Taken */

const [jit, mib, program, ...args] = process.argv.slice(2);
if (program === undefined || (jit !== 'auto' && jit !== 'off'))
  throw new Error('usage: node child.mjs auto|off MIB PROGRAM ARGUMENT…');
const machine = new Machine({ memoryBytes: Number(mib) * 2 ** 20, files: guestPrograms(), jit });
let output = '';
const cpu = process.cpuUsage();
const start = performance.now();
await machine.run(['/init', `/${program}`, ...args], {
  output: { write: (bytes) => (output += new TextDecoder().decode(bytes)) },
});
const wallMs = performance.now() - start;
const { user, system } = process.cpuUsage(cpu);
checkOutput(program, output);
/** @type {Taken} */
const taken = { wallMs, cpuMs: (user + system) / 1000 };
process.stdout.write(`${JSON.stringify(taken)}\n`, () => process.exit(0));
