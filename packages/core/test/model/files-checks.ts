/** What must be the same between calls: what the kernel's file layer says, what its host has, and what the model has. */
import { expect } from 'vitest';
import { virtAddr } from '../../src/frame/index.js';
import type { Directory } from '../../src/kernel/files/directory.js';
import type { AnyInode } from '../../src/kernel/files/inode-table.js';
import type { FileTable, OpenFile } from '../../src/kernel/file.js';
import type { FileStat, FileTree, KernelLimits } from '../../src/kernel/index.js';
import { type AddressSpace, copyIn } from '../../src/space/index.js';
import type { FilesHost } from './files-host.js';
import {
  bytesOf,
  type ModelDirectory,
  type ModelFiles,
  type ModelInode,
  type ModelProcess,
  textOf,
  UNLIMITED,
} from './files-model.js';
import type { World } from './world.js';

export interface FilesTwinOptions {
  readonly memoryBytes: number;
  readonly limits: KernelLimits;
  /**
   *      ample    nothing may fail for want of memory
   *      short    memory is too small for all that is open
   *      failing  each allocation of each call is failed, one after the other, before it is let pass
   */
  readonly memory: 'ample' | 'short' | 'failing';
  /** Whether the host refuses writes at times. */
  readonly host?: 'good' | 'failing';
}

export interface TwinProcess {
  readonly model: ModelProcess;
  readonly workingDirectory: Directory;
  readonly files: (OpenFile | undefined)[];
}

/** A program that runs: the file's bytes as they were, mapped. */
export interface TwinProgram {
  readonly space: AddressSpace;
  readonly bytes: Uint8Array;
}

/** What is compared. */
export interface FilesTwinState {
  readonly world: World;
  readonly host: FilesHost;
  readonly model: ModelFiles;
  readonly tree: FileTree;
  readonly options: FilesTwinOptions;
  readonly fileTable: FileTable;
  readonly processes: readonly TwinProcess[];
  readonly programs: readonly TwinProgram[];
  /** The numbers that inodes were seen to have. */
  readonly numbers: Map<ModelInode, number>;
}

/** Of a directory: '.' and '..' are before it. */
const FIRST_SLOT = 2;
/** Where a program has its text. */
export const TEXT = 0x1000;

/** @param how 'all' compares what is in open files too. */
export const checkFiles = (twin: FilesTwinState, how: 'all' | 'outside'): void => {
  twin.world.check();
  expectSameList(twin.tree.inodes.audit(holdersOf(twin)), [], 'the audit');
  checkDirectory(twin, twin.model.root, '/', twin.tree.root);
  checkNumbers(twin);
  checkBudgets(twin);
  if (how === 'outside') return;
  checkHost(twin);
  checkOpenFiles(twin);
  checkPrograms(twin);
};

const holdersOf = ({ processes, fileTable }: FilesTwinState): Map<AnyInode, number> => {
  const holders = new Map<AnyInode, number>();
  const hold = (inode: AnyInode): unknown => holders.set(inode, (holders.get(inode) ?? 0) + 1);
  for (const { workingDirectory } of processes) hold(workingDirectory);
  for (const { operations } of fileTable.files) hold(operations.inode!);
  return holders;
};

/** A directory, and what is in it, by slot. */
const checkDirectory = (
  twin: FilesTwinState,
  model: ModelDirectory,
  path: string,
  directory: AnyInode,
): void => {
  if (directory.kind !== 'directory') expect.fail(`${path} is a ${directory.kind}`);
  checkStat(twin, model, path, directory);
  const names = model.slots.map((entry) => (entry === undefined ? undefined : textOf(entry.name)));
  const found = names.map((_, slot) => directory.nameAt(slot + FIRST_SLOT));
  expectSameList(found, names, `the slots of ${path}`);
  for (const entry of model.slots) {
    if (entry === undefined || entry.inode.kind === 'link') continue;
    const inside = `${path}/${entry.name}`;
    const found = twin.tree.find(bytesOf(inside), twin.tree.root);
    if (typeof found === 'string') expect.fail(`${inside} is not found: ${found}`);
    if (entry.inode.kind === 'directory') checkDirectory(twin, entry.inode, inside, found);
    else checkStat(twin, entry.inode, inside, found);
  }
};

/** What `stat` says; and an inode has one number for life. */
const checkStat = (twin: FilesTwinState, model: ModelInode, path: string, inode: AnyInode): void => {
  const stat = twin.tree.stat(inode);
  expectStat(stat, twin.model, model, path);
  const number = twin.numbers.get(model);
  if (number === undefined) twin.numbers.set(model, stat.inode);
  else expectSame(stat.inode, number, `the inode of ${path}`);
};

/** No number is two inodes'; none is larger than there may be inodes. */
const checkNumbers = ({ model, numbers, options }: FilesTwinState): void => {
  const live = new Set(model.stores.flatMap((store) => [...model.inodesOf(store)]));
  for (const inode of numbers.keys()) if (!live.has(inode)) numbers.delete(inode);
  expectSame(new Set(numbers.values()).size, numbers.size, 'inodes of different numbers');
  const most = options.limits.inodes * model.stores.length;
  expectSame(Math.max(most, ...numbers.values()), most, 'the largest inode number');
};

/** What each disk has left is what a recount says. */
const checkBudgets = ({ model, tree, options }: FilesTwinState): void => {
  if (options.limits.diskBlocks >= UNLIMITED) return;
  for (const store of model.stores) {
    if (store.isReadOnly) continue;
    const found = tree.find(bytesOf(store.device === 1 ? '/' : '/mnt'), tree.root);
    if (typeof found === 'string') expect.fail(found);
    const { inodes, blocks } = tree.inodes.budgetOf(found.store);
    const usage = model.usage(store);
    expectSameList([inodes, blocks], [usage.inodes, usage.blocks], `the disk of store ${store.device}`);
  }
};

/** The host has all names, and all bytes of what is not held with changes. */
const checkHost = ({ model, host }: FilesTwinState): void => {
  const { files } = host;
  const visit = (directory: ModelDirectory): void => {
    const path = host.pathOf(directory);
    const entries = directory.slots.filter(
      (entry) =>
        entry !== undefined && entry.inode.kind !== 'device' && entry.inode.store === directory.store,
    );
    const names = entries.map((entry) => textOf(entry!.name));
    expectSameList(files.readdirSync(path).toSorted(), names.toSorted(), `what the host has in ${path}`);
    for (const entry of directory.slots) if (entry?.inode.kind === 'directory') visit(entry.inode);
  };
  visit(model.root);
  for (const { file, hostPath } of host.fileNames(model)) {
    const { nlink } = files.lstatSync(hostPath, { bigint: true });
    expectSame(nlink, BigInt(model.linksOf(file)), `the links of ${hostPath}`);
    if (file.changed) continue;
    expectSameBytes(files.readFileSync(hostPath), file.bytes, `what the host has in ${hostPath}`);
  }
};

const checkOpenFiles = ({ processes, options }: FilesTwinState): void => {
  for (const { files, model } of processes) {
    for (const [descriptor, file] of files.entries()) {
      const expected = model.files[descriptor]?.inode;
      const inode = file?.operations.inode;
      expectSame(inode?.kind, expected?.kind, 'what is open');
      if (inode?.kind !== 'file' || expected?.kind !== 'file') continue;
      expectSame(inode.sizeBytes, expected.bytes.length, 'the size of an open file');
      const bytes = new Uint8Array(inode.sizeBytes);
      const problem = inode.read(0, bytes);
      if (problem === 'ENOMEM' && options.memory === 'short') continue;
      expectSame(problem, undefined, 'reading an open file');
      expectSameBytes(bytes, expected.bytes, 'an open file');
    }
  }
};

/** Programs see their files as they were when they began. */
const checkPrograms = ({ programs }: FilesTwinState): void => {
  for (const { space, bytes } of programs) {
    const found = new Uint8Array(bytes.length);
    expectSame(copyIn(space, virtAddr(TEXT), found), 'ok', 'reading a program');
    expectSameBytes(found, bytes, 'what a program sees');
  }
};

/** As `toBe`, in a fraction of its time. */
export const expectSame = (found: unknown, expected: unknown, what: string): void => {
  if (!Object.is(found, expected)) expect(found, what).toBe(expected);
};

/** As `toEqual`, of lists. */
const expectSameList = (found: readonly unknown[], expected: readonly unknown[], what: string): void => {
  if (found.length === expected.length && found.every((item, index) => item === expected[index])) return;
  expect(found, what).toEqual(expected);
};

/** As `toEqual`, of bytes. */
export const expectSameBytes = (found: Uint8Array, expected: Uint8Array, what: string): void => {
  expectSame(found.length, expected.length, `${what}: length`);
  for (let at = 0; at < found.length; at++) {
    if (found[at] !== expected[at]) {
      expect.fail(`${what}: byte ${at} of ${found.length} is ${found[at]}, not ${expected[at]}`);
    }
  }
};

/** What `struct stat` says is right, but for the number. */
export const expectStat = (stat: FileStat, model: ModelFiles, inode: ModelInode, what: string): void => {
  expectSame(stat.device, inode.store.device, `${what}: device`);
  expectSame(stat.type, STAT_TYPES[inode.kind], `${what}: type`);
  expectSame(stat.links, model.linksOf(inode), `${what}: links`);
  expectSame(stat.sizeBytes, model.sizeOf(inode), `${what}: size`);
};

const STAT_TYPES = { directory: 1, file: 2, device: 3 } as const;
