/** Where programs come from: holstein's own, by name, and RISC-V ELF files of the user's, by path. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { parseElf, type ProgramFiles } from '@holstein/core';
import { CommandError, EXIT } from './exit-codes.js';

/** Process 1: it runs the program and reaps orphans. */
export const INIT_PATH = '/init';

/** holstein's own programs, each in the machine's root folder. */
export const guestPrograms = (): ProgramFiles => {
  const folder = join(dirname(createRequire(import.meta.url).resolve('@holstein/guest/package.json')), 'bin');
  return Object.fromEntries(
    readdirSync(folder).map((name) => [`/${name}`, readFileSync(join(folder, name))]),
  );
};

export interface FoundProgram {
  /** Where the machine finds it. */
  readonly path: string;
  readonly files: ProgramFiles;
}

/**
 * Finds what the user calls PROGRAM: one of holstein's own if it is the plain name of one, else a file of
 * the host's, which the machine has in /host.
 * @throws CommandError where there is neither, or the file is no program.
 */
export const findProgram = (program: string): FoundProgram => {
  const own = guestPrograms();
  if (Object.hasOwn(own, `/${program}`)) return { path: `/${program}`, files: own };
  const names = Object.keys(own).map((path) => path.slice(1));
  const file = readHostFile(program, names);
  const parsed = parseElf(file);
  if (parsed.kind === 'problem') throw new CommandError(EXIT.notExecutable, `${program} ${parsed.problem}`);
  const path = `/host/${basename(program)}`;
  return { path, files: { ...own, [path]: file } };
};

const readHostFile = (path: string, names: readonly string[]): Uint8Array => {
  try {
    if (!statSync(path).isFile()) throw new CommandError(EXIT.notExecutable, `${path} is not a file`);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new CommandError(
        EXIT.notFound,
        `there is no program ${path}: give a path to a RISC-V ELF file, or one of ${names.join(', ')}`,
      );
    }
    throw new CommandError(EXIT.notExecutable, `cannot read ${path}: ${(error as Error).message}`);
  }
};
