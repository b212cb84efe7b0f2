/** What must be the same between calls: what the kernel's file layer says, what its host has, and what the model has. */
import { expect } from 'vitest';
import { virtAddr } from '../../src/frame/index.js';
import type { AnyInode } from '../../src/kernel/files/inode-table.js';
import { copyIn } from '../../src/space/index.js';
import { expectSame, expectSameBytes, expectSameList, expectStat } from './files-expect.js';
import { bytesOf, type ModelDirectory, type ModelInode, textOf, UNLIMITED } from './files-model.js';
import { TEXT } from './files-programs.js';
import type { FilesTwinState } from './files-twin-state.js';

/** Of a directory: '.' and '..' are before it. */
const FIRST_SLOT = 2;

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
