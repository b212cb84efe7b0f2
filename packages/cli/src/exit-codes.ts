/** What the command's exit code says. Otherwise it is the program's own status, modulo 256 (255 where it was killed). */
export const EXIT = {
  ok: 0,
  /** The arguments make no sense. */
  usage: 2,
  /** Ended because it had run as many instructions as it might. */
  limited: 124,
  /** The machine could not do its work: no memory, a broken stream, processes that all wait, lost frames. */
  machine: 125,
  /** The file is there and can't be run. */
  notExecutable: 126,
  notFound: 127,
  /** Ended by SIGHUP, SIGINT (Ctrl-C) or SIGTERM: 128 and the signal's number. */
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
  /** Whoever read the output is gone. */
  brokenPipe: 141,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A failure that the user is told of in one line. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
