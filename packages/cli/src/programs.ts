/**
 * The programs and other files that a command puts into the machine: holstein's own programs, and files of the user's
 * that are named on the command line.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { parseElf } from '@holstein/core';
import { CommandError, EXIT } from './exit-codes.js';

/** Contents by names. */
export type NamedFiles = Readonly<Record<string, Uint8Array>>;

/** holstein's own programs, by their names. */
export const ownPrograms = (): NamedFiles => {
  const directory = join(
    dirname(createRequire(import.meta.url).resolve('@holstein/guest/package.json')),
    'bin',
  );
  return Object.fromEntries(
    readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]),
  );
};

/** What the user names: one of holstein's own programs, or a file of the host's, under a name for the machine. */
export type FoundFile =
  | { readonly kind: 'own'; readonly name: string }
  | { readonly kind: 'host'; readonly name: string; readonly content: Uint8Array };

/**
 * Finds what the user calls PROGRAM: one of holstein's own if it is the plain name of one, else a file of the host's.
 * @throws CommandError where there is neither, or the file is no program.
 */
export const findProgram = (program: string, own: NamedFiles): FoundFile => {
  if (Object.hasOwn(own, program)) return { kind: 'own', name: program };
  const names = Object.keys(own).join(', ');
  const found = findHostFile(
    program,
    `there is no program ${program}: give a path to a RISC-V ELF file, or one of ${names}`,
  );
  const parsed = parseElf(found.content);
  if (parsed.kind === 'problem') throw new CommandError(EXIT.notExecutable, `${program} ${parsed.problem}`);
  return found;
};

/**
 * Reads a file of the host's.
 * @param absent what to tell where there is none.
 * @throws CommandError where it can't be read.
 */
export const findHostFile = (path: string, absent: string): FoundFile & { readonly kind: 'host' } => {
  try {
    if (!statSync(path).isFile()) throw new CommandError(EXIT.notExecutable, `${path} is not a file`);
    return { kind: 'host', name: nameFor(path), content: readFileSync(path) };
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new CommandError(EXIT.notFound, absent);
    throw new CommandError(EXIT.notExecutable, `cannot read ${path}: ${message}`);
  }
};

/** Names are of 14 bytes there. */
const NAME_LENGTH = 14;

/** What a file is called in the machine: its own name, as far as that is plain. */
const nameFor = (path: string): string =>
  basename(path)
    .replaceAll(/[^\w.+-]/g, '_')
    .slice(0, NAME_LENGTH);
