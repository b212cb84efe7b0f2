/** `holstein` at a terminal: line editing, Ctrl-C, Ctrl-D, what is typed ahead, and the status line. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { TestDirectory, main, root } from './support/holstein.js';
import { KEY, Terminal, testAtTerminal } from './support/terminal.js';

const GREETING = 'holstein: 128 MiB of memory. The programs are in /; Ctrl-D ends the shell.';

/** Starts a command that goes on until it is ended, and waits until it does: till the status line comes. */
const start = async (terminal: Terminal, command: string): Promise<void> => {
  terminal.type(`${command}\r`);
  await terminal.expect(' frames]');
};

/** Ends the shell, and expects this on the terminal. */
const endWith = async (terminal: Terminal, lines: readonly string[]): Promise<void> => {
  terminal.type('exit 3\r');
  expect(await terminal.exitCode).toBe(3);
  expect(terminal.lines).toEqual([GREETING, ...lines, '$ exit 3']);
};

describe('the shell at a terminal', () => {
  testAtTerminal('prompts, runs commands, and ends with its status', async () => {
    using terminal = new Terminal(['sh']);
    await terminal.expectPrompt();
    terminal.type('echo one two\r');
    await terminal.expectPrompt();
    await endWith(terminal, ['$ echo one two', 'one two']);
  });

  testAtTerminal('ends at Ctrl-D in an empty line, and at no other', async () => {
    using terminal = new Terminal(['sh', '--quiet']);
    await terminal.expectPrompt();
    terminal.type(`echo x${KEY.ctrlD}y\r`);
    await terminal.expectPrompt();
    terminal.type(KEY.ctrlD);
    expect(await terminal.exitCode).toBe(0);
    expect(terminal.lines).toEqual(['$ echo xy', 'xy', '$']);
    // Whoever prompts next does so on a line of its own.
    expect(terminal.cursor).toEqual({ row: 3, column: 0 });
  });

  testAtTerminal('Ctrl-D ends a program’s input, and the shell reads on', async () => {
    using terminal = new Terminal(['sh']);
    await terminal.expectPrompt();
    for (const text of ['first', 'second']) {
      terminal.type('cat\r');
      await terminal.expectPrompt('');
      terminal.type(`${text}\r`);
      await terminal.expectPrompt('');
      terminal.type(KEY.ctrlD);
      await terminal.expectPrompt();
    }
    await endWith(terminal, ['$ cat', 'first', 'first', '$ cat', 'second', 'second']);
  });

  testAtTerminal('lines are edited, and come back', async () => {
    using terminal = new Terminal(['sh']);
    await terminal.expectPrompt();
    terminal.type(`echo wold${KEY.left.repeat(2)}${KEY.backspace}or\r`);
    await terminal.expectPrompt();
    terminal.type('echo second\r');
    await terminal.expectPrompt();
    terminal.type(`${KEY.up}${KEY.up}${KEY.down}${KEY.up} again\r`);
    await terminal.expectPrompt();
    await endWith(terminal, [
      '$ echo world',
      'world',
      '$ echo second',
      'second',
      '$ echo world again',
      'world again',
    ]);
  });

  testAtTerminal('text is pasted into the middle of a line', async () => {
    using terminal = new Terminal(['sh']);
    await terminal.expectPrompt();
    terminal.type('echo begin end');
    await terminal.expect('end');
    terminal.type(KEY.left.repeat(3));
    terminal.type(`${'middle '.repeat(12)}of the line `);
    terminal.type('\r');
    await terminal.expectPrompt();
    const line = `echo begin ${'middle '.repeat(12)}of the line end`;
    await endWith(terminal, [
      `$ ${line}`.slice(0, 80),
      `$ ${line}`.slice(80),
      line.slice(5, 85).trimEnd(),
      line.slice(85),
    ]);
  });

  testAtTerminal('many lines pasted at once are all run, each behind its prompt', async () => {
    using terminal = new Terminal(['sh']);
    await terminal.expectPrompt();
    const commands = Array.from({ length: 120 }, (_, n) => `echo ${n} ${'x'.repeat(50)}`);
    terminal.type(commands.map((command) => `${command}\r`).join(''));
    await terminal.expect(`\n${commands.at(-1)!.slice(5)}`);
    await terminal.expectPrompt();
    await endWith(
      terminal,
      commands.flatMap((command) => [`$ ${command}`, command.slice(5)]),
    );
  });

  testAtTerminal('what is typed while a command runs is not lost', async () => {
    using terminal = new Terminal(['sh']);
    await terminal.expectPrompt();
    terminal.type('grep x\r');
    await terminal.expectPrompt('');
    terminal.type(`an x\r${KEY.ctrlD}echo one\rcat\rtwo\r${KEY.ctrlD}echo thr`);
    await terminal.expect('echo thr');
    terminal.type('ee\r');
    await terminal.expect('\nthree');
    await terminal.expectPrompt();
    await endWith(terminal, [
      '$ grep x',
      'an x',
      'an x',
      '$ echo one',
      'one',
      '$ cat',
      'two',
      'two',
      '$ echo three',
      'three',
    ]);
  });

  testAtTerminal('what is typed before the terminal is the editor’s is not lost, even Ctrl-D', async () => {
    using terminal = new Terminal(['sh']);
    terminal.type(`echo early\rcat\rtext\r${KEY.ctrlD}echo on${KEY.ctrlD}\r${KEY.ctrlD}`);
    expect(await terminal.exitCode).toBe(0);
    expect(terminal.lines.slice(-7)).toEqual(['early', '$ cat', 'text', 'text', '$ echo on', 'on', '$']);
  });

  testAtTerminal('what a background job prints leaves the line that is typed as it is', async () => {
    using terminal = new Terminal(['sh', '--quiet']);
    await terminal.expectPrompt();
    terminal.type('cowtest three &\r');
    await terminal.expectPrompt();
    terminal.type(`echo tped${KEY.left.repeat(3)}`);
    await terminal.expect('PASSED: three');
    terminal.type('y\r');
    await terminal.expectPrompt();
    // The job's first line comes after the prompt, which nobody prints again.
    expect(terminal.lines.slice(2)).toEqual([
      '$ three: ok',
      'three: ok',
      'three: ok',
      'COW TESTS PASSED: three',
      'echo typed',
      'typed',
      '$',
    ]);
  });

  testAtTerminal('a line of several rows is drawn anew where something is printed above it', async () => {
    using terminal = new Terminal(['sh', '--quiet'], { columns: 40 });
    await terminal.expectPrompt();
    terminal.type('cowtest three &\r');
    await terminal.expectPrompt();
    const text = 'several words '.repeat(8);
    terminal.type(`echo ${text}`);
    await terminal.expect('PASSED: three');
    terminal.type('\r');
    await terminal.expectPrompt();
    const rows = (line: string): string[] => line.match(/.{1,40}/g)!.map((row) => row.trimEnd());
    expect(terminal.lines.slice(2)).toEqual([
      '$ three: ok',
      'three: ok',
      'three: ok',
      'COW TESTS PASSED: three',
      ...rows(`echo ${text}`),
      ...rows(text.trimEnd()),
      '$',
    ]);
  });
});

describe('Ctrl-C', () => {
  testAtTerminal('ends what runs in the foreground, and the rest of its line', async () => {
    using terminal = new Terminal(['sh']);
    await terminal.expectPrompt();
    await start(terminal, 'spin; echo not this');
    terminal.type(KEY.ctrlC);
    await terminal.expectPrompt();
    await start(terminal, 'cat /init | spin | wc');
    terminal.type(KEY.ctrlC);
    await terminal.expectPrompt();
    await endWith(terminal, ['$ spin; echo not this', '^C', '$ cat /init | spin | wc', '^C']);
  });

  testAtTerminal('ends a program that reads', async () => {
    using terminal = new Terminal(['sh']);
    await terminal.expectPrompt();
    terminal.type('cat\r');
    await terminal.expectPrompt('');
    terminal.type('half a line');
    await terminal.expect('half a line');
    terminal.type(KEY.ctrlC);
    await terminal.expectPrompt();
    await endWith(terminal, ['$ cat', 'half a line^C']);
  });

  testAtTerminal('at the prompt drops the line, however often', async () => {
    using terminal = new Terminal(['sh']);
    await terminal.expectPrompt();
    for (let press = 0; press < 5; press++) {
      terminal.type(`echo ${press}${KEY.left}`);
      await terminal.expect(`${press}`);
      terminal.type(KEY.ctrlC);
      await terminal.expectPrompt();
    }
    await endWith(
      terminal,
      [0, 1, 2, 3, 4].map((press) => `$ echo ${press}^C`),
    );
  });

  testAtTerminal('drops a command that goes on over lines', async () => {
    using terminal = new Terminal(['sh']);
    await terminal.expectPrompt();
    terminal.type('echo "one\r');
    await terminal.expectPrompt('> ');
    terminal.type(KEY.ctrlC);
    await terminal.expectPrompt();
    await endWith(terminal, ['$ echo "one', '> ^C']);
  });

  testAtTerminal('leaves jobs in the background alone', async () => {
    using terminal = new Terminal(['sh']);
    await terminal.expectPrompt();
    terminal.type('spin &\r');
    await terminal.expectPrompt();
    await start(terminal, 'spin');
    terminal.type(KEY.ctrlC);
    await terminal.expectPrompt();
    terminal.type('ps | grep -c spin\r');
    await terminal.expectPrompt();
    expect(terminal.lines.at(-2)).toBe('1');
    terminal.type(KEY.ctrlD);
    expect(await terminal.exitCode).toBe(0);
  });

  testAtTerminal('ends the machine where there is no shell to go back to', async () => {
    using directory = new TestDirectory();
    const trace = directory.file('trace.json');
    using commands = new Terminal(['sh', '--trace', trace, '-c', 'spin; echo not this']);
    await commands.expect(' frames]');
    commands.type(KEY.ctrlC);
    expect(await commands.exitCode).toBe(130);
    expect(commands.lines).toEqual(['^C']);
    expect(readFileSync(trace, 'utf8')).toContain('3 spin');

    using reader = new Terminal(['run', 'cat']);
    await reader.expectPrompt('');
    reader.type(KEY.ctrlC);
    expect(await reader.exitCode).toBe(130);
  });

  testAtTerminal('comes once through npm, whose terminal it is, too', async () => {
    using terminal = new Terminal({ command: ['npm', 'start', '--', 'sh'] }, { cwd: root });
    await terminal.expectPrompt();
    await start(terminal, 'spin');
    terminal.type(KEY.ctrlC);
    await terminal.expectPrompt();
    await sleep(300);
    terminal.type('exit 3\r');
    // The exit code is the affair of the shell that npm runs it in.
    await terminal.exitCode;
    expect(terminal.lines.slice(-3)).toEqual(['$ spin', '^C', '$ exit 3']);
  });
});

describe('the status line', () => {
  const status = /\[\d+ s, \d+\.\d [MG] instructions, 2 processes, \d+ frames\]/;

  testAtTerminal('shows what a silent run is about, and is gone at the end', async () => {
    using terminal = new Terminal(['run', 'spin']);
    await terminal.expect(' frames]');
    expect(terminal.lines).toHaveLength(1);
    expect(terminal.lines[0]).toMatch(new RegExp(`^${status.source}$`));
    terminal.type(KEY.ctrlC);
    expect(await terminal.exitCode).toBe(130);
    expect(terminal.lines).toEqual(['^C']);
  });

  testAtTerminal('stands behind what has been printed, and is refreshed', async () => {
    using terminal = new Terminal(['sh']);
    await terminal.expectPrompt();
    terminal.type('echo -n "test spin: "; spin\r');
    for (let times = 0; times < 3; times++) {
      await terminal.expect(' frames]');
      expect(terminal.lines.at(-1)!.replace(status, 'STATUS').replace('3 processes', '')).toMatch(
        /^test spin: \[/,
      );
      expect(terminal.cursor.column).toBe('test spin: '.length);
    }
    terminal.type(KEY.ctrlC);
    await terminal.expectPrompt();
    await endWith(terminal, ['$ echo -n "test spin: "; spin', 'test spin: ^C']);
  });

  testAtTerminal('does not come where the machine waits for its user, or nobody wants it', async () => {
    using idle = new Terminal(['run', 'cat']);
    using quiet = new Terminal(['run', '--quiet', 'spin']);
    using elsewhere = new Terminal(['run', 'spin'], { script: 'exec "$@" 2>/dev/null' });
    using dumb = new Terminal(['run', 'spin'], { env: { TERM: 'dumb' } });
    await idle.expectPrompt('');
    await sleep(4000);
    for (const terminal of [idle, quiet, elsewhere, dumb]) {
      expect(terminal.lines).toEqual([]);
      terminal.type(KEY.ctrlC);
      expect(await terminal.exitCode).toBe(130);
    }
  });
});

describe('a terminal', () => {
  testAtTerminal('that knows no escape sequences is sent none', async () => {
    using terminal = new Terminal(['sh'], { env: { TERM: 'dumb' } });
    await terminal.expect('$ ');
    terminal.type('cat\r');
    await terminal.expect('cat\r\n');
    terminal.type('text\r');
    await terminal.expect('text\r\ntext');
    terminal.type(KEY.ctrlC);
    await terminal.expect('$ ');
    terminal.type('exit 3\r');
    expect(await terminal.exitCode).toBe(3);
    expect(terminal.output).not.toContain('\u{1b}');
  });

  testAtTerminal('with output into a pipe gets the guest’s bytes alone', async () => {
    using directory = new TestDirectory();
    using terminal = new Terminal(['sh', '--quiet'], { script: `"$@" | tee ${directory.file('copy')}` });
    await terminal.expect('$ ');
    terminal.type('echo one\r');
    await terminal.expect('\none\r\n$ ');
    terminal.type('exit\r');
    await terminal.exitCode;
    expect(readFileSync(directory.file('copy'), 'utf8')).toBe('$ one\n$ ');
  });

  testAtTerminal('that goes away ends the machine', async () => {
    for (const command of ['cat', 'spin']) {
      using directory = new TestDirectory();
      const script = `echo $$ > ${directory.file('pid')}; exec "$@"`;
      const terminal = new Terminal(['sh'], { script });
      await terminal.expectPrompt();
      terminal.type(`${command}\r`);
      await sleep(500);
      const pid = Number(readFileSync(directory.file('pid'), 'utf8'));
      expect(isAlive(pid)).toBe(true);
      terminal[Symbol.dispose]();
      for (let tries = 0; isAlive(pid) && tries < 100; tries++) await sleep(100);
      expect(isAlive(pid)).toBe(false);
    }
  });

  testAtTerminal('is given back while the machine is stopped by Ctrl-Z', async () => {
    const bash = { command: ['bash', '--norc', '--noprofile', '-i'] };
    using terminal = new Terminal(bash, { env: { PS1: 'host> ' } });
    await terminal.expect('host> ');
    terminal.type(`'${process.execPath}' '${main}' sh --quiet\r`);
    await terminal.expectPrompt();
    terminal.type('echo stopped');
    await terminal.expect('stopped');
    terminal.type(KEY.ctrlZ);
    await terminal.expect('host> ');
    terminal.type('echo $((40 + 2))\r');
    await terminal.expect('42');
    await terminal.expect('host> ');
    terminal.type('fg\r');
    await terminal.expectPrompt('$ ', 'echo stopped');
    terminal.type(' and gone on\r');
    await terminal.expect('\nstopped and gone on');
    await terminal.expectPrompt();
    terminal.type('exit\r');
    await terminal.expect('host> ');
    terminal.type('exit 5\r');
    expect(await terminal.exitCode).toBe(5);
  });
});

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
