/**
 * Where in the machine's tree of files what is.
 *
 *                             in memory      with --root DIR
 *      holstein's programs    /              /bin, read-only, in place of DIR's own bin
 *      README                 /              -
 *      the user's files       -              /
 *      a file of the host's   /host          /host, read-only
 *        that is to be run
 */
import * as hostFiles from 'node:fs';
import { type MachineOptions, MemoryFiles, type StoreOptions } from '@holstein/core';
import { CommandError, EXIT } from './exit-codes.js';
import type { MachineCommandOptions } from './options.js';
import type { FoundFile, NamedFiles } from './programs.js';

export interface Layout {
  /** Process 1: it runs the program and reaps orphans. */
  readonly initPath: string;
  /** Where a program, or another file of the user's, is in the machine. */
  pathOf(file: FoundFile): string;
  readonly machine: Pick<MachineOptions, 'root' | 'mounts' | 'files' | 'limits'>;
}

const HOST_DIRECTORY = '/host';
/** xv6's disk has a file of that name, and its tests read it. */
const README = `This machine's files are in memory, and are gone with it.\nProgram NAME is /NAME: ls / shows them.\n`;
/** The kernel takes this for no limit of its own. */
const UNLIMITED = 2 ** 30;
/** The host's own files are not held to xv6's limits. */
const HOST_LIMITS = { inodes: UNLIMITED, diskBlocks: UNLIMITED, fileBytes: 2 ** 40 };

/**
 * @param file what is to be run, if it is the host's.
 * @throws CommandError where the root is no directory.
 */
export const layOut = (
  { root, readOnly = false }: Pick<MachineCommandOptions, 'root' | 'readOnly'>,
  own: NamedFiles,
  file: FoundFile | undefined,
): Layout => {
  const hosts: NamedFiles = file?.kind === 'host' ? { [file.name]: file.content } : {};
  if (root === undefined) {
    if (readOnly) throw new CommandError(EXIT.usage, '--read-only is about a directory: give --root too');
    const files = { '/README': README, ...inDirectory('', own), ...inDirectory(HOST_DIRECTORY, hosts) };
    return { initPath: '/init', pathOf: (found) => pathOf(found, ''), machine: { files } };
  }
  const store: StoreOptions = {
    fileSystem: hostFiles,
    directory: realDirectory(root),
    access: readOnly ? 'read-only' : 'read-write',
  };
  const mounts = {
    '/bin': inMemory(own),
    ...(file?.kind === 'host' ? { [HOST_DIRECTORY]: inMemory(hosts) } : {}),
  };
  return {
    initPath: '/bin/init',
    pathOf: (found) => pathOf(found, '/bin'),
    machine: { root: store, mounts, limits: HOST_LIMITS },
  };
};

const pathOf = ({ kind, name }: FoundFile, programs: string): string =>
  `${kind === 'own' ? programs : HOST_DIRECTORY}/${name}`;

const inDirectory = (directory: string, files: NamedFiles): NamedFiles =>
  Object.fromEntries(Object.entries(files).map(([name, content]) => [`${directory}/${name}`, content]));

const inMemory = (files: NamedFiles): StoreOptions => {
  const fileSystem = new MemoryFiles();
  for (const [name, content] of Object.entries(files)) fileSystem.writeFileSync(`/${name}`, content);
  return { fileSystem, access: 'read-only' };
};

/** A directory's path without symbolic links, which the machine does not follow. */
const realDirectory = (path: string): string => {
  try {
    const real = hostFiles.realpathSync(path);
    if (hostFiles.statSync(real).isDirectory()) return real;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const what = code === 'ENOENT' ? `there is no directory ${path}` : `cannot use ${path}: ${message}`;
    throw new CommandError(EXIT.usage, `--root: ${what}`);
  }
  throw new CommandError(EXIT.usage, `--root: ${path} is not a directory`);
};
