/** The host file systems that the kernel's files are tested on, and one that is told when to fail. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import type { HostFileSystem } from '../../../src/kernel/files/host-file-system.js';
import { MemoryFiles } from '../../../src/kernel/files/memory-files.js';

/** What tests do to a host's files behind the kernel's back, by the names that `node:fs` has for it. */
export interface HostFiles extends HostFileSystem {
  readFileSync(path: string): Uint8Array;
  writeFileSync(path: string, content: Uint8Array | string): void;
  symlinkSync(target: string, path: string): void;
  renameSync(from: string, to: string): void;
}

/** A directory on a host, for one test. */
export interface TestHost extends Disposable {
  readonly fileSystem: HostFiles;
  /** The directory's absolute path. Beside it is a file `outside` that no machine may reach. */
  readonly directory: string;
  /** Descriptors that are open for something in the directory, or for what has been there. */
  openDescriptors(): number;
}

const SECRET = 'nobody may read this';

const memoryHost = (): TestHost => {
  const fileSystem = new MemoryFiles();
  fileSystem.mkdirSync('/machine');
  fileSystem.writeFileSync('/outside', SECRET);
  return {
    fileSystem,
    directory: '/machine',
    openDescriptors: () => fileSystem.openDescriptors,
    [Symbol.dispose]: () => undefined,
  };
};

const nodeHost = (): TestHost => {
  const above = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'holstein-tree-')));
  const directory = join(above, 'machine');
  fs.mkdirSync(directory);
  fs.writeFileSync(join(above, 'outside'), SECRET);
  return {
    fileSystem: fs,
    directory,
    openDescriptors: () => openUnder(directory),
    [Symbol.dispose]: () => fs.rmSync(above, { recursive: true }),
  };
};

/** Where a process's descriptors can be seen, those that lead into a directory; elsewhere none. */
const openUnder = (directory: string): number => {
  const seenAt = '/proc/self/fd';
  if (!fs.existsSync(seenAt)) return 0;
  return fs.readdirSync(seenAt).filter((fd) => {
    try {
      return fs.readlinkSync(`${seenAt}/${fd}`).startsWith(directory + sep);
    } catch {
      return false;
    }
  }).length;
};

/** By name, for `describe.each`. */
export const HOSTS: readonly (readonly [name: string, make: () => TestHost])[] = [
  ['MemoryFiles', memoryHost],
  ['node:fs', nodeHost],
];

export { memoryHost, nodeHost };

export type HostCall = Exclude<keyof HostFileSystem, 'constants'>;

/** A file system that asks before each call. What `before` throws, the call throws. */
export const watched = (
  files: HostFiles,
  before: (call: HostCall, args: readonly unknown[]) => void,
): HostFileSystem =>
  new Proxy(files, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        before(name as HostCall, args);
        return Reflect.apply(value, target, args);
      };
    },
  });

/** An error as hosts throw them. */
export const hostError = (code: string): Error =>
  Object.assign(new Error(`${code}: as the test wants it`), { code });
