// @ts-check
/**
 * The kernel: what a system call, a fork and so on take a program, and what suites of tests take, beside a real kernel on
 * qemu-system-riscv64. The programs are the same on both sides: guest/bin/kbench and guest/bin/selftest.
 *
 * The peer is xv6-riscv, which anyone builds: `make fs.img kernel/kernel`, with kbench and selftest (from guest/bin, as
 * user/_kbench and user/_selftest) among the files that its mkfs puts on the disk. HOLSTEIN_XV6 names the directory where kernel and fs.img are then.
 * Without it the figures stand beside those that are stored from an earlier run (kernel-figures.json), and the name of the
 * machine that they are of.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machine } from '@holstein/core';
import { checkOutput, guestPrograms } from './guest/programs.mjs';

const MIB = 2 ** 20;
const ROUNDS = 3;

/** Programs that do something so many times, and what that something is. */
const OPERATIONS = [
  { name: 'null system call', argument: 'null', count: 200_000 },
  { name: 'fork, exit, wait', argument: 'fork', count: 2_000 },
  { name: 'fork, exec, wait', argument: 'exec', count: 500 },
  { name: 'pipe, 512 bytes', argument: 'pipe', count: 20_000 },
  { name: 'file of 64 KiB', argument: 'file', count: 100 },
  { name: 'write fault of a page', argument: 'cow', count: 5_000 },
];

/** Runs a command on a machine of its own. @param {string} command @returns {Promise<number>} milliseconds */
const onHolstein = async (command) => {
  const machine = new Machine({ memoryBytes: 128 * MIB, files: guestPrograms() });
  let output = '';
  const [name, ...args] = command.split(' ');
  const start = performance.now();
  await machine.run(['/init', `/${name}`, ...args], {
    output: { write: (bytes) => (output += new TextDecoder().decode(bytes)) },
  });
  const took = performance.now() - start;
  machine.close();
  checkOutput(command, output);
  return took;
};

/** xv6 on qemu, which is given one command after another. */
class Xv6 {
  /** @param {string} directory where kernel and fs.img are */
  constructor(directory) {
    // The disk is written: each run has a fresh one.
    this.directory = mkdtempSync(join(tmpdir(), 'holstein-bench-'));
    copyFileSync(join(directory, 'fs.img'), join(this.directory, 'fs.img'));
    this.output = '';
    this.qemu = spawn(
      'qemu-system-riscv64',
      [
        ...['-machine', 'virt', '-bios', 'none', '-kernel', join(directory, 'kernel')],
        ...['-m', '128M', '-smp', '1', '-nographic', '-global', 'virtio-mmio.force-legacy=false'],
        ...['-drive', `file=${join(this.directory, 'fs.img')},if=none,format=raw,id=x0`],
        ...['-device', 'virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0'],
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    /** @type {(() => void) | undefined} */
    this.onOutput = undefined;
    this.qemu.stdout.setEncoding('latin1').on('data', (text) => {
      this.output += text;
      this.onOutput?.();
    });
  }

  async prompt() {
    while (!this.output.endsWith('$ ')) {
      if (this.qemu.exitCode !== null) throw new Error(`qemu has ended: ${this.output}`);
      await new Promise((resolve) => (this.onOutput = () => resolve(undefined)));
    }
  }

  /** @param {string} command @returns {Promise<number>} milliseconds */
  async run(command) {
    await this.prompt();
    this.output = '';
    const start = performance.now();
    this.qemu.stdin.write(`${command}\n`);
    await this.prompt();
    const took = performance.now() - start;
    checkOutput(command, this.output.replaceAll('\r', ''));
    return took;
  }

  close() {
    this.qemu.kill('SIGKILL');
    rmSync(this.directory, { recursive: true });
  }
}

/**
 * The least of several rounds: noise only adds.
 * @param {() => Promise<number>} measure
 */
const least = async (measure) => {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) best = Math.min(best, await measure());
  return best;
};

/**
 * What one of so many takes, in microseconds.
 * @param {(command: string) => Promise<number>} run
 * @param {typeof OPERATIONS[number]} operation
 */
const perOperation = async (run, { argument, count }) => {
  const all = await least(() => run(`kbench ${argument} ${count}`));
  const one = await least(() => run(`kbench ${argument} 1`));
  return ((all - one) / (count - 1)) * 1000;
};

/** @typedef {{ machine: string, version: string, figures: Record<string, number> }} Stored */

/** @returns {Stored} */
const stored = () => JSON.parse(readFileSync(new URL('kernel-figures.json', import.meta.url), 'utf8'));

/** @param {string} name @param {string} unit @param {number} holstein @param {number} peer @param {string} peerName */
const result = (name, unit, holstein, peer, peerName) => ({
  name,
  unit,
  holstein,
  peer,
  peerName,
  ratio: peer / holstein,
});

export async function* measureKernel() {
  const directory = process.env['HOLSTEIN_XV6'];
  const xv6 = directory === undefined ? undefined : new Xv6(directory);
  const earlier = xv6 === undefined ? stored() : undefined;
  if (earlier !== undefined) {
    yield {
      note:
        `kernel: beside the figures of ${earlier.version} on ${earlier.machine}; this is ${cpus()[0]?.model}. ` +
        'HOLSTEIN_XV6=DIRECTORY compares with xv6 on qemu (bench/kernel.mjs says how).',
    };
  }
  const peerName = xv6 === undefined ? `${earlier?.version}, stored` : 'xv6 on qemu';
  try {
    for (const operation of OPERATIONS) {
      const holstein = await perOperation(onHolstein, operation);
      const peer =
        xv6 === undefined
          ? (earlier?.figures[operation.name] ?? Number.NaN)
          : await perOperation((command) => xv6.run(command), operation);
      yield result(operation.name, 'µs', holstein, peer, peerName);
    }
    const holstein = await least(() => onHolstein('selftest --xv6'));
    const peer =
      xv6 === undefined
        ? (earlier?.figures['selftest'] ?? Number.NaN)
        : await least(() => xv6.run('selftest --xv6'));
    yield result('selftest', 'ms', holstein, peer, peerName);
  } finally {
    xv6?.close();
  }
}
