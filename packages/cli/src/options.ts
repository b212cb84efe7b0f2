/** The options of a machine, which every command that boots one takes: declared, and checked. */
import type { ForkKind, Jit, SbrkKind } from '@holstein/core';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseCount, parseMemorySize } from './quantities.js';

export interface MachineCommandOptions {
  readonly memory: number;
  readonly fork: ForkKind;
  readonly sbrk: SbrkKind;
  readonly jit: Jit;
  readonly jitThreshold?: number;
  readonly jitBytes?: number;
  readonly checking?: boolean;
  /** The directory of the host's that is the machine's root. */
  readonly root?: string;
  /** The directory is not to be written. */
  readonly readOnly?: boolean;
  /** Instructions after which the machine is ended. */
  readonly limitInstructions?: number;
  /** Where to write the memory events of the run. */
  readonly trace?: string;
  /** Print the memory report when the program has ended. */
  readonly report?: boolean;
  /** Print what was run and compiled when the program has ended. */
  readonly stats?: boolean;
  /** Say nothing of one's own but errors. */
  readonly quiet?: boolean;
}

const memorySize = (text: string): number => {
  const bytes = parseMemorySize(text);
  if (bytes === undefined) throw new InvalidArgumentError('give a size such as 128M, 1G or 1048576.');
  return bytes;
};

const wholeNumber = (text: string): number => {
  const count = parseCount(text);
  if (count === undefined) throw new InvalidArgumentError('give a number such as 500000, 20M or 3G.');
  return count;
};

const ADVICE = `
A machine has one console: what a program writes to descriptor 2 is on standard output too.

With --root the machine’s files are those of a directory, and nothing outside it can be reached: a symbolic link
is not followed out of it. holstein’s own programs are seen in /bin then, in place of a bin of the directory’s.
Without it the files are in memory, and gone at the end; holstein’s own programs are in /.`;

export const addMachineOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--memory <size>', 'RAM, such as 64M or 1G')
        .argParser(memorySize)
        .default(128 * 2 ** 20, '128M'),
    )
    .addOption(
      new Option('--fork <kind>', 'how fork copies memory: on write, by table or by page, or all at once')
        .choices(['tables', 'pages', 'eager'])
        .default('tables'),
    )
    .addOption(
      new Option(
        '--sbrk <kind>',
        'when memory that sbrk gives takes frames: as its second argument says (xv6 since 2025), at once, or when touched',
      )
        .choices(['by-argument', 'eager', 'lazy'])
        .default('by-argument'),
    )
    .addOption(
      new Option(
        '--jit <kind>',
        'which code is compiled: what runs often, none, or all; programs run the same, but for the time it takes',
      )
        .choices(['auto', 'off', 'eager'])
        .default('auto'),
    )
    .addOption(
      new Option(
        '--jit-threshold <count>',
        'jumps to a place after which (about) the code there is compiled, up to 65535',
      ).argParser(wholeNumber),
    )
    .addOption(
      new Option('--jit-bytes <size>', 'compiled code that is kept, such as 8M; 64K at least').argParser(
        memorySize,
      ),
    )
    .option('--root <directory>', 'a directory for the machine’s files')
    .option('--read-only', 'do not let the machine change what is in that directory')
    .addOption(
      new Option(
        '--limit-instructions <count>',
        'end the machine after so many instructions, such as 20M',
      ).argParser(wholeNumber),
    )
    .option('--checking', 'check every translation with a fresh walk: some ten times slower')
    .option('--trace <file>', 'write what happens to memory, as a trace for ui.perfetto.dev')
    .option('--report', 'print a memory report at the end')
    .option('--stats', 'print on standard error what was run and compiled, and how fast')
    .option('--quiet', 'say nothing of processes that are killed, and show no progress')
    .addHelpText('after', ADVICE);
