import { describe, expect, test } from 'vitest';
import { type ByteSource, Machine, type MachineOptions } from '../../src/machine/index.js';
import { encode, x } from '../support/riscv/assembler.js';
import {
  CALL,
  call,
  type Code,
  DATA,
  expectNothingLost,
  GUEST_JIT,
  guestFiles,
  li,
  MIB,
  program,
  type Run,
  runOn,
  runOnce,
} from '../support/machine.js';
import { shellScripts } from './shell-scripts.js';
import { toolScripts } from './tool-scripts.js';

const scripts = Object.entries({ ...shellScripts, ...toolScripts });
const files = { ...guestFiles, '/crash': program(encode('ebreak')) };
const memoryBytes = 8 * MIB;

/** Runs a program with text as the console's input. */
const run = (argv: readonly [string, ...string[]], input = '', options: MachineOptions = {}): Promise<Run> =>
  runOnce(argv, { files, memoryBytes, ...options }, { input });

/** Runs the shell as init does it: it prompts. */
const prompt = async (...lines: readonly string[]): Promise<string> => {
  const { text, exitStatus } = await run(['/init'], lines.join('\n'));
  expect(exitStatus).toBe(0);
  return text;
};

/** The shell that runs scripts, in a folder of its own. */
const inFolder = (folder: string): [string, ...string[]] => [
  '/init',
  '/sh',
  '-c',
  `mkdir ${folder}; cd ${folder}; sh -s`,
];

describe.each(scripts)('%s', (_, group) => {
  test.each(group.map((script) => [script.name, script] as const))('%s', async (_name, script) => {
    const { text, outcome, exitStatus } = await run(inFolder('/folder'), script.script);
    expect(text).toBe(script.output);
    expect({ outcome, exitStatus }).toEqual({ outcome: 'exited', exitStatus: script.status ?? 0 });
  });
});

describe('all scripts, one after another on one machine', () => {
  test.each([{ fork: 'tables', quantumInstructions: 499 }, { fork: 'pages' }, { fork: 'eager' }] as const)(
    'with fork by $fork',
    async (options) => {
      // Room for what all of them leave behind.
      const limits = { inodes: 2000, diskBlocks: 20_000 };
      using machine = new Machine({ jit: GUEST_JIT, files, memoryBytes, limits, ...options });
      for (const [index, script] of scripts.flatMap(([, group]) => group).entries()) {
        const { text, exitStatus } = await runOn(machine, inFolder(`/folder-${index}`), {
          input: script.script,
        });
        expect({ script: script.name, text, exitStatus }).toEqual({
          script: script.name,
          text: script.output,
          exitStatus: script.status ?? 0,
        });
      }
    },
  );
});

describe('at the console the shell', () => {
  test('prompts, and ends at the end of the input', async () => {
    expect(await prompt('echo a', '', 'echo b | cat')).toBe('$ a\n$ $ b\n$ \n');
  });

  test('prompts in another way for the rest of a command', async () => {
    expect(await prompt("echo 'a", "b'", '(echo c', ') |', 'cat', 'echo d\\', 'e')).toBe(
      '$ > a\nb\n$ > > c\n$ > de\n$ \n',
    );
  });

  test('goes on after what is wrong, and counts on', async () => {
    expect(await prompt('echo a )', 'echo $?', 'nosuch', 'echo $?', '(', ')', 'echo $?')).toBe(
      `$ sh: line 1, column 8: \`)\` without a \`(\` before it
$ 2
$ sh: nosuch: not found
$ 127
$ > sh: line 5, column 1: nothing is between the parentheses
$ 2
$ 
`,
    );
  });

  test('tells the number of a job in the background', async () => {
    const text = await prompt('spin &', 'kill $!; echo $! >&2', 'wait', 'echo end');
    expect(text).toMatch(/^\$ \[(\d+)\]\n\$ \1\n\$ \$ end\n\$ \n$/);
  });

  test('gives up the rest of a line when what it waits for is killed, and only then', async () => {
    expect(
      await prompt('crash; echo never', 'echo $?', '(exit 1); crash || echo never', '(exit 1); echo a'),
    ).toBe('$ $ -1\n$ $ a\n$ \n');
  });

  test('drops a command that has what Ctrl-C types', async () => {
    expect(await prompt('echo never \u0003', 'echo "never', 'never either', '\u0003', 'echo a')).toBe(
      '$ $ > > $ a\n$ \n',
    );
  });

  test('is told of a line that is too long, and takes the next', async () => {
    expect(await prompt(`echo ${'x'.repeat(5000)}`, 'echo a')).toBe(
      '$ sh: line 1: the command that starts here is longer than 4095 bytes\n$ a\n$ \n',
    );
  });

  test('says what is missing when the input ends within a command', async () => {
    const { text, exitStatus } = await run(['/init'], 'echo "a\nb');
    expect(text).toBe('$ > > sh: line 1, column 6: the quote is not closed\n$ \n');
    expect(exitStatus).toBe(2);
  });

  test('lets commands read what follows them', async () => {
    expect(await prompt('cat', 'one', 'two')).toBe('$ one\ntwo$ \n');
  });
});

/** What is said to a machine when its output has come to contain something new. */
type Turn = readonly [awaited: string, answer: string | 'interrupt' | 'end'];

/** Runs init's shell, and answers each turn's text when it appears. */
const converse = async (...turns: readonly Turn[]): Promise<string> => {
  using machine = new Machine({ jit: GUEST_JIT, files, memoryBytes });
  const left = [...turns];
  let text = '';
  let seen = 0;
  let typed: Uint8Array[] = [];
  let ended = false;
  let wake = (): void => {};
  const answer = (): void => {
    const turn = left[0];
    const at = turn === undefined ? -1 : text.indexOf(turn[0], seen);
    if (turn === undefined || at < 0) return;
    seen = at + turn[0].length;
    left.shift();
    if (turn[1] === 'interrupt') expect(machine.interrupt()).toBe(true);
    else if (turn[1] === 'end') ended = true;
    else typed.push(new TextEncoder().encode(turn[1]));
    wake();
    answer();
  };
  const input: ByteSource = {
    read: async () => {
      if (typed.length === 0 && !ended) await new Promise<void>((resolve) => void (wake = resolve));
      const value = typed.shift();
      return value === undefined ? { done: ended } : { done: false, value };
    },
  };
  const output = {
    write: (bytes: Uint8Array) => {
      text += new TextDecoder().decode(bytes);
      answer();
    },
  };
  const result = await machine.run(['/init'], { input, output, signal: AbortSignal.timeout(10_000) });
  typed = [];
  expect({ left, outcome: result.outcome }).toEqual({ left: [], outcome: 'exited' });
  expectNothingLost(machine, result);
  return text;
};

describe('an interruption', () => {
  test('ends what the shell waits for, all of it, and nothing else', async () => {
    expect(
      await converse(
        ['$ ', 'spin &\n'],
        ['$ ', '(echo go; spin) | (cat; spin); echo never\n'],
        ['go\n', 'interrupt'],
        ['$ ', 'echo $?; ps | grep -c spin; kill $!; wait\n'],
        ['$ ', 'end'],
      ),
    ).toMatch(/^\$ \[\d+\]\n\$ go\n\$ -1\n1\n\$ \n$/);
  });

  test('ends a wait, after which the jobs can be waited for again, with newer ones', async () => {
    expect(
      await converse(
        ['$ ', '(sleep 10; echo go) & spin & wait; echo never\n'],
        ['go\n', 'interrupt'],
        ['$ ', 'echo $?; (sleep 1; echo newer; kill $!) & wait; echo $?\n'],
        ['$ ', 'end'],
      ),
    ).toMatch(/^\$ \[\d+\]\n\[\d+\]\ngo\n\$ -1\n\[\d+\]\nnewer\n0\n\$ \n$/);
  });

  test('ends a wait that nothing has been started after, too', async () => {
    expect(
      await converse(
        ['$ ', '(sleep 10; echo go) & spin & wait\n'],
        ['go\n', 'interrupt'],
        ['$ ', 'kill $!; wait; echo $?\n'],
        ['$ ', 'end'],
      ),
    ).toMatch(/^\$ \[\d+\]\n\[\d+\]\ngo\n\$ 0\n\$ \n$/);
  });

  test('ends who reads the console, and the next line is the shell’s', async () => {
    expect(
      await converse(
        ['$ ', 'echo go; cat\n'],
        ['go\n', 'for cat\n'],
        ['for cat\n', 'interrupt'],
        ['$ ', 'end'],
      ),
    ).toBe('$ go\nfor cat\n$ \n');
  });
});

describe('init', () => {
  test('runs the shell when it has nothing else to run, and ends with its status', async () => {
    expect(await run(['/init'], 'exit 7')).toMatchObject({ exitStatus: 7, text: '$ ' });
    expect(await run(['/init'])).toMatchObject({ exitStatus: 0, text: '$ \n' });
  });

  test('finds the shell in /bin too', async () => {
    const { '/sh': sh, ...others } = guestFiles;
    const { text } = await runOnce(
      ['/init'],
      { files: { ...others, '/bin/sh': sh! }, memoryBytes },
      { input: 'echo a' },
    );
    expect(text).toBe('$ a\n$ \n');
  });

  test('says that there is no shell', async () => {
    const { '/sh': _, ...others } = guestFiles;
    const { text, exitStatus } = await runOnce(['/init'], { files: others, memoryBytes });
    expect(text).toBe('init: cannot run /sh\n');
    expect(exitStatus).toBe(127);
  });

  test('starts the shell again when it was killed', async () => {
    const { text, exitStatus } = await run(['/init'], 'kill 2\necho again; exit 5');
    expect(text).toBe('$ init: the shell was killed\n$ again\n');
    expect(exitStatus).toBe(5);
  });

  test('does not start a shell over and over that does not live', async () => {
    const { text, exitStatus } = await runOnce(['/init'], {
      files: { ...files, '/sh': program(encode('ebreak')) },
      memoryBytes,
    });
    expect(text).toBe(
      `${'init: the shell was killed\n'.repeat(5)}init: that was 5 times at once: no other is started\n`,
    );
    expect(exitStatus).toBe(126);
  });

  test('opens the console where a kernel has given it no descriptors', async () => {
    const closing = program(
      [0, 1, 2].map((descriptor): Code => call(CALL.close, descriptor)),
      writeText(DATA, '/init\0\0\0'),
      li(x.t0, DATA),
      encode('sd', { rs1: x.t0, rs2: x.t0, imm: 16 }),
      call(CALL.exec, DATA, DATA + 16),
      call(CALL.exit, 99),
    );
    const { text, exitStatus } = await runOnce(
      ['/closing'],
      { files: { ...files, '/closing': closing }, memoryBytes },
      { input: 'echo a; nosuch; exit 3' },
    );
    expect(text).toBe('$ a\nsh: nosuch: not found\n');
    expect(exitStatus).toBe(3);
  });

  test('reaps orphans while the shell runs', async () => {
    const { text } = await run(['/init'], `${'(echo a &)\n'.repeat(80)}wait; sleep 5; ps | grep -c zombie`);
    expect(text.match(/a\n/g)).toHaveLength(80);
    expect(text).toMatch(/0\n\$ \n$/);
  });
});

/** Stores ASCII text, a multiple of four bytes of it. */
const writeText = (address: number, text: string): Code => [
  li(x.t0, address),
  Array.from({ length: text.length / 4 }, (_, word): Code => {
    const bytes = new TextEncoder().encode(text.slice(word * 4, word * 4 + 4));
    return [
      li(x.t1, new DataView(bytes.buffer).getInt32(0, true)),
      encode('sw', { rs1: x.t0, rs2: x.t1, imm: word * 4 }),
    ];
  }),
];

describe('where the machine has no more to give, the shell', () => {
  test('says that it cannot fork, and goes on when processes have ended', async () => {
    const jobs = 40;
    const command = `${'sleep 1000 &\n'.repeat(jobs)}echo $?\necho a | cat | cat; echo $?\nwait; echo b`;
    const { text } = await run(['/init', '/sh', '-c', command]);
    // Of 64 processes two are init and the shell. A job in the background takes two, and a third to start.
    const cannot = 'sh: cannot fork\n';
    expect(text).toBe(`${cannot.repeat(jobs - 30)}126\n${cannot}126\nb\n`);
  });

  test('says that a disk is full', async () => {
    const { text } = await run(
      [
        '/init',
        '/sh',
        '-c',
        'cat /selftest /selftest /selftest /selftest /selftest > f; echo $?; rm f; echo a > f; cat f',
      ],
      '',
      { limits: { diskBlocks: 300 } },
    );
    expect(text).toBe('cat: the output cannot be written\n1\na\n');
  });

  test('says that a program does not fit into memory, or is killed as any process is', async () => {
    const endings = new Set<string>();
    for (let taken = 0; taken < 60; taken += 5) {
      const log: string[] = [];
      using machine = new Machine({
        files: guestFiles,
        memoryBytes: 640 * 1024,
        jit: GUEST_JIT,
        log: (line) => log.push(line),
      });
      // What is left when memory ends depends on where it begins.
      using held = machine.virtualMemory.objects.create({ size: taken * 4096 });
      held.commitSync();
      const command = 'echo a | cat | cat\n(echo b | wc -c) & wait';
      const { text, exitStatus } = await runOn(machine, ['/init', '/sh', '-c', command]);
      if (exitStatus === -1) {
        expect(log.join('\n')).toContain('process 2 (sh) killed: out of memory');
      } else if (/^sh: (\w+: cannot run: it is no program, or memory is short|cannot fork)$/m.test(text)) {
        endings.add('told');
      } else if (text !== 'init: cannot run /sh\n') {
        endings.add(text);
      }
    }
    expect(endings).toEqual(new Set(['told', 'a\n      2\n']));
  });
});

describe('the tools that look into the kernel', () => {
  test('ps lists the processes', async () => {
    const { text } = await run(['/init', '/sh', '-s'], 'spin &\nps; kill $!');
    const lines = text.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^ *PID +PPID +STATE +SIZE +RESIDENT +NAME$/);
    expect(
      lines
        .slice(1)
        .map((line) => line.trim().split(/ +/).at(-1))
        .toSorted(),
    ).toEqual(['init', 'ps', 'sh', 'sh', 'spin']);
  });

  test('pmap shows a process’s mappings, or says that there is none', async () => {
    const { text, exitStatus } = await run(
      ['/init', '/sh', '-s'],
      'pmap 2; pmap 99; echo $?; pmap 2 | wc -l',
    );
    expect(text).toContain('sh');
    expect(text).toContain('r-x');
    expect(text).toContain('stack');
    expect(text).toMatch(/\npmap: 99: no such process\n1\n +\d+\n$/);
    expect(exitStatus).toBe(0);
  });

  test('frames shows what memory is used for', async () => {
    const { text } = await run(['/init', '/sh', '-s'], 'frames');
    expect(text).toMatch(/^all +\d+ frames +8192K$/m);
    expect(text).toMatch(/forks have shared \d+ frames/);
  });
});
