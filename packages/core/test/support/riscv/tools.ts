/**
 * The RISC-V tools that some tests hold the hart against. Where one is not installed, its tests are
 * skipped, and say so; in continuous integration (CI=true) they fail instead.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'vitest';

export const GCC = 'riscv64-unknown-elf-gcc';
export const OBJCOPY = 'riscv64-unknown-elf-objcopy';
export const OBJDUMP = 'riscv64-unknown-elf-objdump';
export const QEMU = 'qemu-riscv64';

const MEBIBYTE = 2 ** 20;

const isInstalled = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;

/** A test that needs tools. */
export const testWith = (tools: readonly string[], name: string, run: () => void): void => {
  const missing = tools.filter((tool) => !isInstalled(tool));
  if (missing.length === 0) {
    test(name, run);
    return;
  }
  const reason = `${missing.join(' and ')} not installed`;
  if (process.env['CI'] === 'true') {
    test(name, () => {
      throw new Error(`${reason}, and CI=true asks for it`);
    });
  } else {
    console.warn(`skipped: ${name}: ${reason}`);
    test.skip(`${name} (${reason})`, () => {});
  }
};

/**
 * Runs a tool to its end.
 * @returns its standard output.
 * @throws Error with its standard error where its exit status is not 0.
 */
export const runTool = (tool: string, commandLine: readonly string[]): Uint8Array<ArrayBuffer> => {
  const { status, signal, stdout, stderr, error } = spawnSync(tool, commandLine, {
    maxBuffer: 256 * MEBIBYTE,
  });
  if (status !== 0) {
    throw new Error(
      `${tool} ${commandLine.join(' ')}: ${error?.message ?? signal ?? `status ${status}`}\n${String(stderr)}`,
    );
  }
  return Uint8Array.from(stdout);
};

/** A directory for a test's files, removed when it is disposed of. */
export class ScratchDirectory implements Disposable {
  readonly #path = mkdtempSync(join(tmpdir(), 'holstein-riscv-'));

  file(name: string): string {
    return join(this.#path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { recursive: true, force: true });
  }
}
