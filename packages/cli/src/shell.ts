/**
 * `holstein sh`: the guest's shell.
 *
 *      a terminal is standard input   init runs it, and again when it was killed; Ctrl-C is for what it runs
 *      else                           it runs the commands there, without prompts
 *      -c COMMANDS, or a SCRIPT       it runs these
 */
import { posix } from 'node:path';
import { layOut } from './layout.js';
import type { MachineCommandOptions } from './options.js';
import { findHostFile, ownPrograms } from './programs.js';
import { runSession } from './session.js';

export interface ShellCommandOptions extends MachineCommandOptions {
  /** What to run instead of standard input. */
  readonly c?: string;
}

const SHELL = { kind: 'own', name: 'sh' } as const;

/**
 * @param script with -c an argument like the others.
 * @returns the command's exit code.
 */
export const shellCommand = (
  script: string | undefined,
  args: readonly string[],
  options: ShellCommandOptions,
): Promise<number> => {
  const own = ownPrograms();
  const isFile = script !== undefined && options.c === undefined;
  const file = isFile ? findHostFile(script, `there is no script ${script}`) : undefined;
  const { initPath, pathOf, machine } = layOut(options, own, file);
  const run = (...rest: readonly string[]): Promise<number> =>
    runSession({ argv: [initPath, pathOf(SHELL), ...rest], machine, ctrlC: 'ends-machine', options });

  if (options.c !== undefined)
    return run('-c', options.c, ...(script === undefined ? [] : [script, ...args]));
  if (file !== undefined) return run(pathOf(file), ...args);
  if (!process.stdin.isTTY) return run('-s');
  const greeting = `${options.memory / 2 ** 20} MiB of memory. The programs are in ${posix.dirname(pathOf(SHELL))}; Ctrl-D ends the shell.`;
  return runSession({ argv: [initPath], machine, ctrlC: 'ends-foreground', greeting, options });
};
