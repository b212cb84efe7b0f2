/** `holstein run`: boots a machine, runs one program in it, and checks that no memory was lost. */
import {
  type ForkKind,
  formatMemoryReport,
  HolsteinError,
  Machine,
  type MachineOptions,
  type RunResult,
} from '@holstein/core';
import { CommandError, EXIT, type ExitCode } from './exit-codes.js';
import { findProgram, INIT_PATH } from './programs.js';
import { StreamSink, StreamSource } from './streams.js';

export interface RunCommandOptions {
  readonly memory: number;
  readonly fork: ForkKind;
  /** Print the memory report when the program has ended. */
  readonly report?: boolean;
  /** Say nothing of processes that are killed. */
  readonly quiet?: boolean;
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const PATIENT_INTERRUPTIONS = 2;

const signalExit = (signal: NodeJS.Signals | undefined): ExitCode =>
  signal === 'SIGTERM' ? EXIT.terminated : signal === 'SIGHUP' ? EXIT.hungUp : EXIT.interrupted;

/** @returns the command's exit code. */
export const runCommand = async (
  program: string,
  args: readonly string[],
  options: RunCommandOptions,
): Promise<number> => {
  const { path, files } = findProgram(program);
  using machine = boot({
    files,
    memoryBytes: options.memory,
    fork: options.fork,
    ...(options.quiet === true
      ? {}
      : { log: (line: string) => void process.stderr.write(`holstein: ${line}\n`) }),
  });
  const input = new StreamSource(process.stdin);
  const output = new StreamSink(process.stdout);
  const interruption = new AbortController();
  let interruptedBy: NodeJS.Signals | undefined;
  let interruptions = 0;
  const interrupt = (signal: NodeJS.Signals): void => {
    interruptedBy ??= signal;
    interruption.abort();
    // A terminal and npm may each pass one Ctrl-C on; whoever sends more does not want to wait.
    if (++interruptions > PATIENT_INTERRUPTIONS) process.exit(signalExit(interruptedBy));
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  let result: RunResult;
  try {
    result = await machine.run([INIT_PATH, path, ...args], { input, output, signal: interruption.signal });
    if (options.report === true)
      await output.write(new TextEncoder().encode(`${formatMemoryReport(result.memory)}\n`));
  } catch (error) {
    throw asCommandError(error);
  } finally {
    input.close();
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
  checkNothingLost(machine, result);
  switch (result.outcome) {
    case 'exited':
      return result.exitStatus & 0xff;
    case 'aborted':
      return signalExit(interruptedBy);
    case 'stuck':
      throw new CommandError(
        EXIT.machine,
        'every process waits for another, and none ever will go on: all killed',
      );
  }
};

const boot = (options: MachineOptions): Machine => {
  try {
    return new Machine(options);
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
