// @ts-check
/**
 * What compiling costs programs that do not run for long: the guest's own tests and benchmarks with `jit: 'auto'`, beside
 * `jit: 'off'`. Each run is a process of its own, in turns, and the least of the rounds counts, for noise only adds.
 *
 *   HOLSTEIN_JIT_ROUNDS=3        fewer rounds than 8
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('guest/child.mjs', import.meta.url));
const ROUNDS = Number(process.env['HOLSTEIN_JIT_ROUNDS'] ?? 8);

/** Programs, the MiB of RAM that they have, and their arguments. */
const RUNS = /** @type {const} */ ([
  { name: 'selftest', mib: 16, args: ['selftest'] },
  { name: 'cowtest', mib: 128, args: ['cowtest'] },
  { name: 'cowtest in 8 MiB', mib: 8, args: ['cowtest'] },
  { name: 'chaos of 1', mib: 16, args: ['chaos', '1', '40000', '3'] },
  { name: 'chaos of 4 in 1 MiB', mib: 1, args: ['chaos', '4', '30000', '5'] },
  { name: 'kbench null', mib: 16, args: ['kbench', 'null', '200000'] },
  { name: 'kbench fork', mib: 16, args: ['kbench', 'fork', '2000'] },
  { name: 'kbench exec', mib: 16, args: ['kbench', 'exec', '500'] },
  { name: 'kbench pipe', mib: 16, args: ['kbench', 'pipe', '5000'] },
  { name: 'kbench file', mib: 16, args: ['kbench', 'file', '100'] },
  { name: 'kbench cow', mib: 16, args: ['kbench', 'cow', '500'] },
]);

/** @param {'auto' | 'off'} jit @param {typeof RUNS[number]} run @returns {import('./guest/child.mjs').Taken} */
const take = (jit, { mib, args }) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CHILD, jit, `${mib}`, ...args], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${args.join(' ')} has failed: ${stdout}${stderr}`);
  return JSON.parse(stdout);
};

export function* measureJit() {
  for (const run of RUNS) {
    const wall = { auto: Number.POSITIVE_INFINITY, off: Number.POSITIVE_INFINITY };
    const cpu = { auto: Number.POSITIVE_INFINITY, off: Number.POSITIVE_INFINITY };
    for (let round = 0; round < ROUNDS; round++) {
      // Each goes first as often as the other: what a process leaves behind slows the next.
      const order = /** @type {const} */ (['off', 'auto']);
      for (const jit of round % 2 === 0 ? order : order.toReversed()) {
        const { wallMs, cpuMs } = take(jit, run);
        wall[jit] = Math.min(wall[jit], wallMs);
        cpu[jit] = Math.min(cpu[jit], cpuMs);
      }
    }
    yield {
      note: `${run.name}: processors ${cpu.auto.toFixed(0)} ms, ${cpu.off.toFixed(0)} ms with jit off`,
    };
    yield {
      name: `jit ${run.name}`,
      unit: 'ms',
      holstein: wall.auto,
      peer: wall.off,
      peerName: 'jit off',
      ratio: wall.off / wall.auto,
    };
  }
}
