// @ts-check
/**
 * The hart's speed on programs as real software has them (hart/*.c), beside qemu-riscv64, which translates them to the
 * host's own code: compiled, as the hart runs unless told otherwise, and by the interpreter alone. Then how long a
 * program of 200 kB takes to get going.
 *
 * A program's time is that of the program: qemu's is its process's less that of a program that does nothing, and the
 * hart's is from the first instruction to the last, with all that is compiled meanwhile, in a process of its own. Each
 * is the median of rounds, in turns. All that a program prints must be alike everywhere. Where qemu-riscv64 is missing
 * the interpreter stands in its place.
 *
 *   HOLSTEIN_HART=sieve,sort     these programs only
 *   HOLSTEIN_HART_ROUNDS=1       fewer rounds than 5
 */
import { spawnSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MANY_FUNCTIONS_RUNS, manyFunctions } from './hart/many-functions.mjs';
import { isInstalled, Programs, RUNS } from './hart/programs.mjs';

const QEMU = 'qemu-riscv64';
const CHILD = fileURLToPath(new URL('hart/child.mjs', import.meta.url));
const ROUNDS = Number(process.env['HOLSTEIN_HART_ROUNDS'] ?? 5);
/** The interpreter's times are the longest, and differ the least. */
const INTERPRETER_ROUNDS = Math.min(ROUNDS, 3);
const WARM_UP_ROUNDS = 2 * ROUNDS - 1;
const WARM_UP_INSTRUCTIONS = 1_000_000;

/** @typedef {import('./hart/child.mjs').Report} Report */
/** @typedef {import('./hart/bare-hart.mjs').Jit} Jit */
/** @typedef {{ output: string, ms: number }} Run */
/** What a program takes, in milliseconds. @typedef {{ name: string, retired: number, qemu: number, compiled: number, interpreted: number }} Times */

/** @param {readonly number[]} values */
const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return ((sorted[middle] ?? NaN) + (sorted[(sorted.length - 1) >> 1] ?? NaN)) / 2;
};

/** @param {readonly number[]} values */
const geometricMean = (values) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** @param {string} command @param {readonly string[]} args @returns {Run} its output, and how long the process took */
const runProcess = (command, args) => {
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  const ms = performance.now() - start;
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} has failed: ${error?.message ?? stdout + stderr}`);
  return { output: stdout, ms };
};

/** @param {string} program @param {Jit} jit @param {number} [limit] @returns {Report} */
const onHart = (program, jit, limit = 0) =>
  JSON.parse(runProcess(process.execPath, [CHILD, program, jit, `${limit}`]).output);

/** @param {string} name @param {readonly string[]} outputs */
const checkSame = (name, outputs) => {
  const [expected] = outputs;
  const other = outputs.find((output) => output !== expected);
  if (other !== undefined)
    throw new Error(`${name} prints ${other?.trim()} here and ${expected?.trim()} there`);
};

/**
 * @param {string} name
 * @param {string} program
 * @param {string | undefined} empty the program that does nothing, if there is qemu
 * @returns {Times}
 */
const measureProgram = (name, program, empty) => {
  /** @type {Record<'qemu' | 'compiled' | 'interpreted', number[]>} */
  const taken = { qemu: [], compiled: [], interpreted: [] };
  let retired = 0;
  for (let round = 0; round < ROUNDS; round++) {
    /** @type {string[]} */
    const outputs = [];
    if (empty !== undefined) {
      const nothing = runProcess(QEMU, [empty]).ms;
      const { output, ms } = runProcess(QEMU, [program]);
      taken.qemu.push(ms - nothing);
      outputs.push(output);
    }
    const compiled = onHart(program, 'auto');
    taken.compiled.push(compiled.runMs);
    outputs.push(compiled.output);
    if (round < INTERPRETER_ROUNDS) {
      const interpreted = onHart(program, 'off');
      taken.interpreted.push(interpreted.runMs);
      outputs.push(interpreted.output);
    }
    checkSame(name, outputs);
    ({ retired } = compiled);
  }
  return {
    name,
    retired,
    qemu: median(taken.qemu),
    compiled: median(taken.compiled),
    interpreted: median(taken.interpreted),
  };
};

/**
 * @param {string} name
 * @param {number} holstein
 * @param {number} peer
 * @param {string} peerName
 */
const compared = (name, holstein, peer, peerName) => ({
  name,
  unit: 'ms',
  holstein,
  peer,
  peerName,
  ratio: peer / holstein,
});

/** @param {number} retired @param {number} ms */
const mips = (retired, ms) =>
  `${ms.toFixed(0).padStart(6)} ms ${(retired / ms / 1000).toFixed(0).padStart(6)} MIPS`;

/** @param {Times} times @param {boolean} hasQemu */
const speeds = ({ name, retired, qemu, compiled, interpreted }, hasQemu) =>
  `${name.padEnd(10)} ${(retired / 1e6).toFixed(0).padStart(5)} M instructions   ` +
  `${hasQemu ? `qemu ${mips(retired, qemu)}   ` : ''}` +
  `compiled ${mips(retired, compiled)}   interpreter ${mips(retired, interpreted)}`;

/** @param {string} program @param {string | undefined} empty */
function* measureWarmUp(program, empty) {
  /** @type {Record<'auto' | 'off', Report[]>} */
  const reports = { auto: [], off: [] };
  /** @type {number[]} */
  const qemu = [];
  /** @type {number[]} */
  const nothing = [];
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    /** @type {string[]} */
    const outputs = [];
    if (empty !== undefined) {
      const { output, ms } = runProcess(QEMU, [program]);
      outputs.push(output);
      qemu.push(ms);
      nothing.push(runProcess(QEMU, [empty]).ms);
    }
    for (const jit of /** @type {const} */ (['auto', 'off'])) {
      const report = onHart(program, jit, WARM_UP_INSTRUCTIONS);
      outputs.push(report.output);
      reports[jit].push(report);
    }
    checkSame('the program of many functions', outputs);
  }
  const { auto, off } = reports;
  const made = median(auto.map(({ madeMs }) => madeMs));
  const first = median(auto.map(({ limitMs }) => limitMs));
  const firstInterpreted = median(off.map(({ limitMs }) => limitMs));
  yield {
    note:
      `warm-up: the first million instructions of a program of ${(statSync(program).size / 1000).toFixed(0)} kB take ` +
      `${first.toFixed(1)} ms compiled and ${firstInterpreted.toFixed(1)} ms by the interpreter alone, after ` +
      `${made.toFixed(1)} ms for the hart and the program's memory` +
      (empty === undefined
        ? ''
        : `; qemu's process takes ${median(qemu).toFixed(1)} ms for all ${((auto[0]?.retired ?? 0) / 1e6).toFixed(2)} M, and ${median(nothing).toFixed(1)} ms for none`),
  };
  if (empty !== undefined) yield compared('hart-warm-up', made + first, median(qemu), QEMU);
  else yield compared('hart-warm-up', first, firstInterpreted, 'interpreter');
}

/** @returns {(keyof typeof RUNS)[]} */
const chosen = () => {
  const all = /** @type {(keyof typeof RUNS)[]} */ (Object.keys(RUNS));
  const asked = process.env['HOLSTEIN_HART']?.split(',');
  return asked === undefined ? all : all.filter((name) => asked.includes(name));
};

export function* measureHart() {
  const missing = Programs.missing();
  if (missing !== undefined) {
    console.error(`hart: skipped: ${missing}`);
    return;
  }
  const hasQemu = isInstalled(QEMU);
  if (!hasQemu) {
    console.error(`hart: ${QEMU} is not installed (Debian: qemu-user): the interpreter stands in its place`);
  }
  const peerName = hasQemu ? QEMU : 'interpreter';
  const programs = new Programs();
  try {
    const empty = hasQemu ? programs.compile('empty') : undefined;
    /** @type {Times[]} */
    const all = [];
    for (const name of chosen()) {
      const times = measureProgram(name, programs.compile(name, { runs: RUNS[name] }), empty);
      all.push(times);
      yield { note: speeds(times, hasQemu) };
      yield compared(`hart-${name}`, times.compiled, hasQemu ? times.qemu : times.interpreted, peerName);
      if (hasQemu) yield compared(`interpreter-${name}`, times.interpreted, times.qemu, peerName);
    }
    const means = {
      qemu: geometricMean(all.map(({ qemu }) => qemu)),
      compiled: geometricMean(all.map(({ compiled }) => compiled)),
      interpreted: geometricMean(all.map(({ interpreted }) => interpreted)),
    };
    const worst = Math.min(
      ...all.map(({ qemu, compiled, interpreted }) => (hasQemu ? qemu : interpreted) / compiled),
    );
    yield {
      note:
        `the geometric means are of the programs' times, so that their ratio is the geometric mean of the ratios; ` +
        `the least ratio of ${all.length} programs is ${worst.toFixed(2)}`,
    };
    yield compared('hart-geomean', means.compiled, hasQemu ? means.qemu : means.interpreted, peerName);
    if (hasQemu) yield compared('interpreter-geomean', means.interpreted, means.qemu, peerName);
    const source = programs.path('many-functions.c');
    writeFileSync(source, manyFunctions());
    yield* measureWarmUp(programs.compile('many-functions', { runs: MANY_FUNCTIONS_RUNS, source }), empty);
  } finally {
    programs.remove();
  }
}
