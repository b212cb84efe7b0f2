/** `holstein run`: one program, under init. */
import { layOut } from './layout.js';
import type { MachineCommandOptions } from './options.js';
import { findProgram, ownPrograms } from './programs.js';
import { runSession } from './session.js';

/** @returns the command's exit code. */
export const runCommand = (
  program: string,
  args: readonly string[],
  options: MachineCommandOptions,
): Promise<number> => {
  const own = ownPrograms();
  const file = findProgram(program, own);
  const { initPath, pathOf, machine } = layOut(options, own, file);
  return runSession({ argv: [initPath, pathOf(file), ...args], machine, ctrlC: 'ends-machine', options });
};
