/** Runs the built command as a user would: arguments, exit codes, standard streams. */
import { copyFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bin, TestDirectory, holstein as runHolstein, inShell } from './support/holstein.js';

const directory = new TestDirectory();
afterAll(() => directory[Symbol.dispose]());
const holstein = (args: readonly string[]) => runHolstein(args, { cwd: directory.path });

const MACHINE_OPTIONS = [
  '--memory',
  '--fork',
  '--sbrk',
  '--jit',
  '--jit-threshold',
  '--jit-bytes',
  '--root',
  '--read-only',
  '--limit-instructions',
  '--checking',
  '--trace',
  '--report',
  '--stats',
  '--quiet',
];

describe('holstein', () => {
  test('--version prints the version alone', () => {
    expect(holstein(['--version'])).toEqual({ status: 0, stdout: '0.1.0\n', stderr: '' });
  });

  test('--help names the commands, and each its options', () => {
    expect(holstein(['--help']).stdout).toMatch(/run .*\n[^]*sh /);
    for (const command of ['run', 'sh']) {
      const { status, stdout } = holstein([command, '--help']);
      expect(status).toBe(0);
      for (const option of MACHINE_OPTIONS) expect(stdout).toContain(`${option} `);
      expect(holstein([command, '-h']).stdout).toBe(stdout);
    }
  });

  test.each([
    [['walk'], /unknown command 'walk'/],
    [['run'], /missing required argument 'program'/],
    [['run', '--memory', 'lots', 'hello'], /give a size such as 128M/],
    [['run', '--memory', '5000', 'hello'], /multiple of 64 KiB/],
    [['run', '--memory', '64K', 'hello'], /too small/],
    [['run', '--memory', '4G', 'hello'], /at most 4 GiB less 64 KiB/],
    [['run', '--fork', 'lazily', 'hello'], /tables, pages, eager/],
    [['run', '--sbrk', 'sometimes', 'hello'], /by-argument, eager, lazy/],
    [['run', '--jit', 'sometimes', 'hello'], /auto, off, eager/],
    [['run', '--jit-threshold', 'few', 'hello'], /give a number such as/],
    [['run', '--jit-threshold', '70000', 'hello'], /give a whole number from 1 to 65535/],
    [['run', '--jit-bytes', 'some', 'hello'], /give a size such as/],
    [['run', '--jit-bytes', '1K', 'hello'], /1024 bytes of compiled code: give/],
    [['run', '--fast', 'hello'], /unknown option '--fast'/],
    [['run', '--limit-instructions', '0', 'hello'], /give a number such as/],
    [['run', '--limit-instructions', '1.5', 'hello'], /give a number such as/],
    [['sh', '--fast'], /unknown option '--fast'/],
    [['sh', '-c'], /'-c <commands>' argument missing/],
    [['sh', '--read-only'], /--read-only is about a directory: give --root too/],
    [['sh', '--root', 'nowhere'], /--root: there is no directory nowhere/],
    [['run', '--root', 'nowhere/at/all', 'hello'], /--root: there is no directory nowhere\/at\/all/],
    [
      ['run', '--trace', 'nowhere/trace.json', 'hello'],
      /cannot write the trace: ENOENT.*nowhere\/trace.json/,
    ],
    [['run', '--trace', '.', 'hello'], /cannot write the trace: EISDIR/],
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
    copyFileSync(join(bin, 'hello'), directory.file('init.elf'));
    expect(holstein(['run', './init.elf']).stdout).toBe('hello from holstein: pid 2\n');
    symlinkSync(directory.file('init.elf'), directory.file('init'));
    expect(holstein(['run', './init']).stdout).toBe('hello from holstein: pid 2\n');
  });

  test('runs an ELF file whose name no program in the machine could have', () => {
    for (const name of [`${'long'.repeat(50)}.elf`, '…/ in several words\u{1f404}'.slice(2), 'back\\slash']) {
      copyFileSync(join(bin, 'hello'), directory.file(name));
      expect(holstein(['run', `./${name}`])).toEqual({
        status: 0,
        stdout: 'hello from holstein: pid 2\n',
        stderr: '',
      });
    }
  });

  test('says in one line what it cannot find, and what it could', () => {
    const { status, stderr } = holstein(['run', 'nonesuch']);
    expect(status).toBe(127);
    expect(stderr).toMatch(/^holstein: there is no program nonesuch: give a path .* cowtest, .*\n$/);
    expect(stderr.split('\n')).toHaveLength(2);
  });

  test('says in one line why a file is no program', () => {
    writeFileSync(directory.file('text'), 'not a program\n');
    writeFileSync(directory.file('empty'), '');
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

  test('gives the program its standard input', () => {
    const input = 'one\ntwo\nthree without an end';
    expect(runHolstein(['run', 'cat'], { input })).toEqual({ status: 0, stdout: input, stderr: '' });
  });

  test('--report adds the memory report, and --memory and --fork count', () => {
    const { status, stdout } = holstein(['run', '--report', '--memory', '8M', '--fork', 'eager', 'hello']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^hello from holstein: pid 2\nmemory report\n {2}forks +1\n/);
    expect(stdout).toMatch(/eager forks copied +\d+ \(\d+ KiB\)/);
  });

  test('--stats says on standard error what was run and compiled, and standard output is as it was', () => {
    const run = (...options: string[]) =>
      holstein(['run', ...options, '--memory', '8M', 'kbench', 'null', '20']);
    const off = run('--stats', '--jit', 'off');
    expect(off.status).toBe(0);
    expect(off.stdout).toBe('kbench: null 20 ok\n');
    expect(off.stderr).toMatch(/^holstein: statistics\n {2}instructions +[\d,]+\n {2}host time +[\d.]+ s\n/);
    expect(off.stderr).toMatch(/^ {2}speed +[\d.]+ million instructions a second\n {2}page faults +\d+$/m);
    expect(off.stderr).toMatch(/^ {2}regions compiled +0$/m);
    const eager = run('--stats', '--jit', 'eager');
    expect(eager.stdout).toBe(off.stdout);
    expect(eager.stderr).toMatch(
      /^ {2}regions compiled +[1-9]\d*\n {4}in modules +[1-9]\d*\n {4}WebAssembly +\d+ KiB$/m,
    );
    expect(eager.stderr).toMatch(/^ {2}regions thrown away +[1-9]\d*\n( {4}.* [1-9]\d*\n)+$/m);
    const instructions = (text: string) => /instructions +([\d,]+)/.exec(text)?.[1];
    expect(instructions(eager.stderr)).toBe(instructions(off.stderr));
    expect(run('--quiet').stderr).toBe('');
  });

  test('--jit-threshold says how soon code is compiled', () => {
    const regions = (threshold: string) => {
      const args = [
        'run',
        '--stats',
        '--jit-threshold',
        threshold,
        '--jit-bytes',
        '1M',
        'kbench',
        'cow',
        '10',
      ];
      const { stdout, stderr } = holstein(args);
      expect(stdout).toBe('kbench: cow 10 ok\n');
      return Number(/regions compiled +(\d+)/.exec(stderr)?.[1]);
    };
    expect(regions('50')).toBeGreaterThan(0);
    expect(regions('60K')).toBe(0);
  });

  test('--checking changes nothing but the time', () => {
    expect(holstein(['run', '--checking', 'cowtest', 'simple'])).toEqual(
      holstein(['run', 'cowtest', 'simple']),
    );
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

  test('--limit-instructions ends what would not end', () => {
    expect(holstein(['run', '--limit-instructions', '2M', 'spin'])).toEqual({
      status: 124,
      stdout: '',
      stderr: 'holstein: ended: it had run 2000000 instructions\n',
    });
    expect(holstein(['run', '--limit-instructions', '2M', 'hello']).status).toBe(0);
  });

  test.skipIf(process.platform !== 'linux')('a full disk is told in one line', () => {
    const { status, stderr } = inShell('"$@" > /dev/full', 'run', 'hello');
    expect(status).toBe(125);
    expect(stderr).toMatch(/^holstein: ENOSPC.*\n$/);
  });

  test('a reader that goes away ends it quietly', () => {
    for (const args of [
      ['run', '--quiet', 'selftest'],
      ['sh', '-c', 'while-nothing; cat /selftest /selftest /selftest /selftest'],
    ]) {
      const { status, stderr } = inShell('"$@" | head -n 1', ...args);
      expect(status).toBe(0);
      expect(stderr).toBe('');
    }
  });

  test('nobody needs to read what it says of processes that are killed', () => {
    const { status, stdout } = inShell('"$@" 2>&1 >/dev/null | head -c 0', 'run', 'cowtest', 'readonly');
    expect(status).toBe(0);
    expect(stdout).toBe('');
  });
});
