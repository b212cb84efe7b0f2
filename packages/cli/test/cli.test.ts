/** Runs the built command as a user would: arguments, exit codes, standard streams, signals. */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const bin = fileURLToPath(new URL('../../../guest/bin/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holstein-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

const holstein = (args: readonly string[], input = '') => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    input,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
};

describe('holstein', () => {
  test('--version prints the version alone', () => {
    expect(holstein(['--version'])).toEqual({ status: 0, stdout: '0.1.0\n', stderr: '' });
  });

  test('--help names the commands, and each its options', () => {
    expect(holstein(['--help'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('run') as string,
    });
    const { status, stdout } = holstein(['run', '--help']);
    expect(status).toBe(0);
    for (const option of ['--memory', '--fork', '--report', '--quiet']) expect(stdout).toContain(option);
    expect(holstein(['run', '-h']).stdout).toBe(stdout);
  });

  test.each([
    [['walk'], /unknown command 'walk'/],
    [['run'], /missing required argument 'program'/],
    [['run', '--memory', 'lots', 'hello'], /give a size such as 128M/],
    [['run', '--memory', '5000', 'hello'], /multiple of 64 KiB/],
    [['run', '--memory', '64K', 'hello'], /too small/],
    [['run', '--memory', '4G', 'hello'], /at most 4 GiB less 64 KiB/],
    [['run', '--fork', 'lazily', 'hello'], /tables, pages, eager/],
    [['run', '--fast', 'hello'], /unknown option '--fast'/],
  ])('%j is bad usage: 2, and a message', (args, message) => {
    const { status, stdout, stderr } = holstein(args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^holstein: .*\n$/);
  });

  test('without a command shows its help, and fails', () => {
    const { status, stderr } = holstein([]);
    expect(status).toBe(2);
    expect(stderr).toContain('Usage: holstein');
  });
});

describe('holstein run', () => {
  test('runs a program of holstein’s own, with arguments that look like options', () => {
    expect(holstein(['run', 'hello', '--memory', '-x'])).toEqual({
      status: 0,
      stdout: 'hello from holstein: pid 2\n  argv[1] = --memory\n  argv[2] = -x\n',
      stderr: '',
    });
  });

  test('runs an ELF file by its path, even one called init', () => {
    copyFileSync(join(bin, 'hello'), join(folder, 'init.elf'));
    expect(holstein(['run', './init.elf']).stdout).toBe('hello from holstein: pid 2\n');
    symlinkSync(join(folder, 'init.elf'), join(folder, 'init'));
    expect(holstein(['run', './init']).stdout).toBe('hello from holstein: pid 2\n');
  });

  test('says in one line what it cannot find, and what it could', () => {
    const { status, stderr } = holstein(['run', 'nonesuch']);
    expect(status).toBe(127);
    expect(stderr).toMatch(/^holstein: there is no program nonesuch: give a path .* cowtest, .*\n$/);
    expect(stderr.split('\n')).toHaveLength(2);
  });

  test('says in one line why a file is no program', () => {
    writeFileSync(join(folder, 'text'), 'not a program\n');
    writeFileSync(join(folder, 'empty'), '');
    for (const file of ['./text', './empty']) {
      expect(holstein(['run', file])).toEqual({
        status: 126,
        stdout: '',
        stderr: `holstein: ${file} is not an ELF file\n`,
      });
    }
    expect(holstein(['run', '.'])).toMatchObject({ status: 126, stderr: 'holstein: . is not a file\n' });
  });

  test('exits with the program’s status, and prints its errors', () => {
    const { status, stdout } = holstein(['run', 'cowtest', 'nonesuch']);
    expect(status).toBe(2);
    expect(stdout).toContain('nonesuch');
  });

  test('--report adds the memory report, and --memory and --fork count', () => {
    const { status, stdout } = holstein(['run', '--report', '--memory', '8M', '--fork', 'eager', 'hello']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^hello from holstein: pid 2\nmemory report\n {2}forks +1\n/);
    expect(stdout).toMatch(/eager forks copied +\d+ \(\d+ KiB\)/);
  });

  test('says on standard error which processes are killed, unless told to be quiet', () => {
    const loud = holstein(['run', '--memory', '8M', 'cowtest', 'readonly']);
    expect(loud.stderr).toMatch(
      /^holstein: process \d+ \(cowtest\) killed: it wrote 0x[0-9a-f]+, in .* r-x cowtest \(pc/,
    );
    expect(holstein(['run', '--quiet', '--memory', '8M', 'cowtest', 'readonly'])).toEqual({
      status: 0,
      stdout: 'readonly: ok\nCOW TESTS PASSED: readonly\n',
      stderr: '',
    });
  });

  test('ends at Ctrl-C with 130, and at SIGTERM with 143', async () => {
    for (const [signal, status] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const child = spawn(process.execPath, [main, 'run', 'spin'], { stdio: ['pipe', 'pipe', 'pipe'] });
      // It has no output to wait for: the signal is sent again until it is heard.
      const timer = setInterval(() => child.kill(signal), 300);
      const code = await new Promise((resolve) =>
        child.on('close', (exitCode, by) => resolve(exitCode ?? by)),
      );
      clearInterval(timer);
      expect([status, signal]).toContain(code);
    }
  });

  test.skipIf(process.platform !== 'linux')('a full disk is told in one line', () => {
    const { status, stderr } = spawnSync(
      '/bin/sh',
      ['-c', `"${process.execPath}" "${main}" run hello > /dev/full`],
      {
        encoding: 'utf8',
      },
    );
    expect(status).toBe(125);
    expect(stderr).toMatch(/^holstein: ENOSPC.*\n$/);
  });

  test('a reader that goes away ends it quietly', () => {
    const { status, stderr } = spawnSync(
      '/bin/sh',
      ['-c', `"${process.execPath}" "${main}" run --quiet selftest | head -n 1`],
      {
        encoding: 'utf8',
      },
    );
    expect(status).toBe(0);
    expect(stderr).toBe('');
  });
});
