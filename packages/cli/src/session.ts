/** A session: boots a machine, runs one program in it with this process's console, and checks that no memory was lost. */
import {
  formatMemoryReport,
  formatRunStatistics,
  HolsteinError,
  Machine,
  type MachineOptions,
  type RunResult,
} from '@holstein/core';
import { CommandError, EXIT, type ExitCode } from './exit-codes.js';
import { HostConsole } from './host-console.js';
import { Interruptions } from './interruptions.js';
import type { MachineCommandOptions } from './options.js';
import { Screen } from './terminal/screen.js';
import { TraceFile } from './trace-file.js';

export interface Session {
  /** What process 1 runs, and its arguments. */
  readonly argv: readonly [path: string, ...rest: string[]];
  /** Where the machine's files are. */
  readonly machine: Pick<MachineOptions, 'root' | 'mounts' | 'files' | 'limits'>;
  /** What Ctrl-C ends: all of it, or what a shell runs in the foreground. */
  readonly ctrlC: 'ends-machine' | 'ends-foreground';
  /** What to tell the user first, unless he wants quiet. */
  readonly greeting?: string;
  readonly options: MachineCommandOptions;
}

/** @returns the command's exit code. */
export const runSession = async (session: Session): Promise<number> => {
  const { options } = session;
  const { limitInstructions: maxInstructions } = options;
  using trace = options.trace === undefined ? undefined : new TraceFile(options.trace);
  const screen = new Screen(process.stdout, process.stderr);
  using machine = boot(session, screen);
  trace?.record(machine);
  if (session.greeting !== undefined && options.quiet !== true) screen.message(session.greeting);
  let result: RunResult;
  using interruptions = new Interruptions(
    session.ctrlC === 'ends-machine' ? undefined : () => hostConsole.interruptForeground(),
  );
  using hostConsole = new HostConsole({
    machine,
    screen,
    progress: options.quiet === true ? 'hidden' : 'shown',
    onInterrupt: () => interruptions.interrupt(),
  });
  const start = performance.now();
  try {
    const { signal } = interruptions;
    result = await machine.run(session.argv, {
      input: hostConsole.input,
      output: screen,
      signal,
      ...(maxInstructions === undefined ? {} : { maxInstructions }),
    });
    if (options.report === true)
      await screen.write(new TextEncoder().encode(`${formatMemoryReport(result.memory)}\n`));
    // Not on standard output, which is the same each time that a program is run.
    if (options.stats === true) {
      const { compilation } = machine.hart;
      screen.message(formatRunStatistics({ ...result, compilation, hostMs: performance.now() - start }));
    }
  } catch (error) {
    throw asCommandError(error);
  } finally {
    trace?.write();
  }
  checkNothingLost(machine, result);
  switch (result.outcome) {
    case 'exited':
      return result.exitStatus & 0xff;
    case 'aborted':
      return interruptions.exitCode;
    case 'limited':
      throw new CommandError(EXIT.limited, `ended: it had run ${maxInstructions} instructions`);
    case 'stuck':
      throw new CommandError(
        EXIT.machine,
        'every process waits for another, and none ever will go on: all killed',
      );
  }
};

const boot = ({ machine, options }: Session, screen: Screen): Machine => {
  const { memory, fork, sbrk, jit, jitThreshold, jitBytes, checking, quiet } = options;
  try {
    return new Machine({
      ...machine,
      memoryBytes: memory,
      fork,
      sbrk,
      jit,
      ...(jitThreshold === undefined ? {} : { jitThreshold }),
      ...(jitBytes === undefined ? {} : { jitBytes }),
      checking: checking === true ? 'on' : 'off',
      ...(quiet === true ? {} : { log: (line: string) => screen.message(line) }),
    });
  } catch (error) {
    throw asCommandError(error);
  }
};

const checkNothingLost = (machine: Machine, { memory }: RunResult): void => {
  const problems = machine.audit();
  const lost = memory.framesInUseAfter - memory.framesInUseBefore;
  if (lost !== 0) problems.push(`${lost} frames were lost`);
  if (problems.length > 0) {
    throw new CommandError(
      EXIT.machine,
      `the memory does not add up, a bug of holstein's: ${problems.join('; ')}`,
    );
  }
};

const EXIT_CODES: Readonly<Record<string, ExitCode>> = {
  EINVAL: EXIT.usage,
  ENOENT: EXIT.notFound,
  ENOEXEC: EXIT.notExecutable,
  EPIPE: EXIT.brokenPipe,
};

/** holstein's errors and the host's are told in a line; what is neither is a bug, and keeps its stack. */
const asCommandError = (error: unknown): unknown => {
  if (!(error instanceof HolsteinError) && !isSystemError(error)) return error;
  return new CommandError(EXIT_CODES[error.code] ?? EXIT.machine, error.message);
};

const isSystemError = (error: unknown): error is Error & { readonly code: string } =>
  error instanceof Error && 'code' in error && 'syscall' in error;
