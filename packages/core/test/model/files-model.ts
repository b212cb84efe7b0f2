/**
 * The files of a machine in plain JavaScript: inodes are objects, contents arrays of bytes, a directory a list of slots.
 * Nothing is shared, cached, counted or written back; whatever is asked for is recounted from scratch. It is what the
 * kernel's file layer (src/kernel/files) is compared with.
 *
 * Names are strings of bytes: a character for each byte of their UTF-8.
 */
import type { KernelLimits } from '../../src/kernel/index.js';

export interface ModelFile {
  readonly kind: 'file';
  readonly store: ModelStore;
  bytes: Uint8Array;
  /** Whether the host may not have all of it. */
  changed: boolean;
  /** The last close could not give the host what is changed. */
  unsaved: boolean;
}

export interface ModelDevice {
  readonly kind: 'device';
  readonly store: ModelStore;
  readonly major: number;
}

export interface ModelDirectory {
  readonly kind: 'directory';
  readonly store: ModelStore;
  /** Its own for the root. */
  readonly parent: ModelDirectory;
  /** From slot 2 on; '.' and '..' are the others. */
  readonly slots: (Entry | undefined)[];
  removed: boolean;
}

/** A symbolic link of the host's. */
export interface ModelLink {
  readonly kind: 'link';
  readonly store: ModelStore;
  readonly target: string;
}

/** One of the machine's stores. */
export class ModelStore {
  readonly device: number;
  readonly isReadOnly: boolean;
  readonly root: ModelDirectory;

  constructor(device: number, isReadOnly: boolean, parent: ModelDirectory | undefined) {
    this.device = device;
    this.isReadOnly = isReadOnly;
    this.root = newDirectory({ store: this }, parent);
  }
}

export type ModelInode = ModelFile | ModelDevice | ModelDirectory;

export interface Entry {
  /** As the host has it: it may be longer than what counts. */
  readonly name: string;
  readonly inode: ModelInode | ModelLink;
}

export interface ModelOpen {
  readonly inode: ModelInode;
  readonly readable: boolean;
  readonly writable: boolean;
  offset: number;
}

export interface ModelProcess {
  workingDirectory: ModelDirectory;
  readonly files: (ModelOpen | undefined)[];
}

/** What a call comes to that fails. */
export const FAILED = -1;

/** What a try of a read would come to. */
export interface Reading {
  /** What the call then says, if this is all. */
  readonly result: number;
  readonly bytes: Uint8Array;
  readonly isAll: boolean;
}

export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREATE = 0x200;
export const O_TRUNC = 0x400;

/** From here on a limit is none. */
export const UNLIMITED = 2 ** 30;
const BLOCK_BYTES = 1024;
const DIRECT_BLOCKS = 12;
const DEVICES = 10;
/** Symbolic links on the way. */
const MOST_LINKS = 8;
/** Bytes that a call moves at a time, and entries of a directory. */
export const PIECE_BYTES = 2 ** 20;
const PIECE_ENTRIES = 256;

export class ModelFiles {
  readonly limits: KernelLimits;
  readonly root: ModelDirectory;
  readonly stores: ModelStore[] = [];
  readonly processes = new Set<ModelProcess>();
  /** Whether the host takes what it is given now. */
  hostTakes = true;

  constructor(limits: KernelLimits) {
    this.limits = limits;
    this.root = this.#addStore(false, undefined);
  }

  /** Whether its disks have no end. */
  get isUnlimited(): boolean {
    return this.limits.diskBlocks >= UNLIMITED;
  }

  // ------------------------------------------------------------------ before the machine runs

  /** Mounts another store at a name in the root. */
  mount(name: string, isReadOnly: boolean): ModelDirectory {
    const root = this.#addStore(isReadOnly, this.root);
    addEntry(this.root, { name, inode: root });
    return root;
  }

  putDirectory(directory: ModelDirectory, name: string): ModelDirectory {
    const inode = newDirectory(directory, directory);
    addEntry(directory, { name, inode });
    return inode;
  }

  putFile(directory: ModelDirectory, name: string, bytes: Uint8Array): ModelFile {
    const inode: ModelFile = { ...newFile(directory), bytes };
    addEntry(directory, { name, inode });
    return inode;
  }

  /** @param target a path as `name` is. */
  putLink(directory: ModelDirectory, name: string, target: string): void {
    addEntry(directory, { name, inode: { kind: 'link', store: directory.store, target } });
  }

  /** The names in the order in which they are found by whoever first lists a directory. */
  sortSlots(directory: ModelDirectory): void {
    directory.slots.sort((one, other) => (textOf(one!.name)! < textOf(other!.name)! ? -1 : 1));
    for (const entry of directory.slots) if (entry?.inode.kind === 'directory') this.sortSlots(entry.inode);
  }

  startProcess(): ModelProcess {
    const files = Array.from<undefined>({ length: this.limits.filesPerProcess });
    const process: ModelProcess = { workingDirectory: this.root, files };
    this.processes.add(process);
    return process;
  }

  // ------------------------------------------------------------------ calls

  open(process: ModelProcess, path: string, flags: number): number {
    const descriptor = process.files.indexOf(undefined);
    if (descriptor === -1 || this.openFiles().size >= this.limits.openFiles) return FAILED;
    let inode = this.resolve(path, process.workingDirectory);
    if (inode === undefined && (flags & O_CREATE) !== 0) {
      if (this.isTableFull()) return FAILED;
      inode = this.#make(process, path, newFile);
    }
    if (inode === undefined || (!this.isHeld(inode) && this.isTableFull())) return FAILED;
    const readable = (flags & O_WRONLY) === 0;
    const writable = (flags & (O_WRONLY | O_RDWR)) !== 0;
    const truncates = (flags & O_TRUNC) !== 0;
    if (inode.kind === 'directory' && flags !== 0) return FAILED;
    if (inode.kind === 'device' && (inode.major < 0 || inode.major >= DEVICES)) return FAILED;
    if (inode.kind === 'file') {
      if ((writable || truncates) && inode.store.isReadOnly) return FAILED;
      if (truncates && inode.bytes.length > 0) setBytes(inode, new Uint8Array());
    }
    process.files[descriptor] = { inode, readable, writable, offset: 0 };
    return descriptor;
  }

  /** What a try would read, after others of the same call that have read `done` bytes. */
  peek(process: ModelProcess, descriptor: number, count: number, done: number): Reading | undefined {
    const file = process.files[descriptor];
    if (file === undefined || !file.readable || file.inode.kind === 'device') return undefined;
    const { inode, offset } = file;
    const content = inode.kind === 'file' ? inode.bytes : this.listing(inode);
    const left = Math.max(0, Math.min(count - done, content.length - offset));
    const most = inode.kind === 'file' ? PIECE_BYTES : this.#pieceEnd(offset) - offset;
    const bytes = content.slice(offset, offset + Math.min(left, most));
    return { result: done + bytes.length, bytes, isAll: bytes.length === left };
  }

  /** Whether a try of a write that wants to write so many bytes in all is not refused. */
  canWrite(process: ModelProcess, descriptor: number, count: number): boolean {
    const file = process.files[descriptor];
    if (file === undefined || !file.writable || file.inode.kind !== 'file') return false;
    return file.offset <= file.inode.bytes.length && this.hasRoomFor(file.inode, file.offset + count);
  }

  /** Puts bytes where an open file is, and goes on behind them. */
  write(process: ModelProcess, descriptor: number, bytes: Uint8Array): void {
    const file = process.files[descriptor]!;
    const inode = file.inode as ModelFile;
    const end = file.offset + bytes.length;
    const content = new Uint8Array(Math.max(end, inode.bytes.length));
    content.set(inode.bytes);
    content.set(bytes, file.offset);
    setBytes(inode, content);
    file.offset = end;
  }

  hasRoomFor(file: ModelFile, sizeBytes: number): boolean {
    if (sizeBytes > this.limits.fileBytes) return false;
    return this.#fits(file.store, 0, blocksOf(sizeBytes) - blocksOf(file.bytes.length));
  }

  dup(process: ModelProcess, descriptor: number): number {
    const free = process.files.indexOf(undefined);
    const file = process.files[descriptor];
    if (file === undefined || free === -1) return FAILED;
    process.files[free] = file;
    return free;
  }

  close(process: ModelProcess, descriptor: number): number {
    const file = process.files[descriptor];
    if (file === undefined) return FAILED;
    process.files[descriptor] = undefined;
    return 0;
  }

  makeDirectory(process: ModelProcess, path: string): number {
    return this.#make(process, path, (parent) => newDirectory(parent, parent)) === undefined ? FAILED : 0;
  }

  makeDevice(process: ModelProcess, path: string, major: number): number {
    const made = this.#make(process, path, ({ store }) => ({ kind: 'device', store, major }));
    return made === undefined ? FAILED : 0;
  }

  link(process: ModelProcess, existing: string, path: string): number {
    const inode = this.resolve(existing, process.workingDirectory);
    if (inode === undefined || inode.kind === 'directory') return FAILED;
    const made = this.#make(process, path, ({ store }) => (store === inode.store ? inode : undefined));
    return made === undefined ? FAILED : 0;
  }

  unlink(process: ModelProcess, path: string): number {
    const place = this.#placeOf(process, path);
    if (place === undefined || place.name === '.' || place.name === '..') return FAILED;
    const slot = this.#slotOf(place.directory, place.name);
    if (slot === undefined) return FAILED;
    const { inode } = place.directory.slots[slot]!;
    if (place.directory.store.isReadOnly || inode.store !== place.directory.store) return FAILED;
    if (inode.kind === 'directory') {
      if (inode.slots.some((entry) => entry !== undefined)) return FAILED;
      inode.removed = true;
    }
    place.directory.slots[slot] = undefined;
    return 0;
  }

  changeDirectory(process: ModelProcess, path: string): number {
    const inode = this.resolve(path, process.workingDirectory);
    if (inode?.kind !== 'directory' || (!this.isHeld(inode) && this.isTableFull())) return FAILED;
    process.workingDirectory = inode;
    return 0;
  }

  fork(parent: ModelProcess): ModelProcess {
    const child = { workingDirectory: parent.workingDirectory, files: [...parent.files] };
    this.processes.add(child);
    return child;
  }

  exit(process: ModelProcess): void {
    this.processes.delete(process);
  }

  // ------------------------------------------------------------------ what there is

  /** What a path leads to. */
  resolve(path: string, from: ModelDirectory): ModelInode | undefined {
    if (path === '') return undefined;
    return this.#walk(this.#namesIn(path), path.startsWith('/') ? this.root : from);
  }

  /** Names of a file or a device; of a directory its own and those of the directories in it. */
  linksOf(inode: ModelInode): number {
    if (inode.kind !== 'directory') return this.#entries().filter((entry) => entry.inode === inode).length;
    const within = inode.slots.filter(
      (entry) => entry?.inode.kind === 'directory' && entry.inode.store === inode.store,
    );
    return inode.removed ? 0 : 1 + within.length;
  }

  sizeOf(inode: ModelInode | ModelLink): number {
    switch (inode.kind) {
      case 'file':
        return inode.bytes.length;
      case 'directory':
        return (inode.slots.length + 2) * this.#entryBytes;
      case 'device':
        return 0;
      case 'link':
        return inode.target.length;
    }
  }

  /** A directory as who reads it sees it, but for the numbers, which are 1 where there is something. */
  listing(directory: ModelDirectory): Uint8Array {
    const bytes = new Uint8Array(this.sizeOf(directory));
    const names = ['.', '..', ...directory.slots.map((entry) => entry?.name)];
    for (const [slot, name] of names.entries()) {
      if (name === undefined) continue;
      const at = slot * this.#entryBytes;
      bytes[at] = 1;
      bytes.set(bytesOf(name.slice(0, this.limits.nameBytes)), at + 2);
    }
    return bytes;
  }

  /** All open files. */
  openFiles(): Set<ModelOpen> {
    const open = new Set<ModelOpen>();
    for (const { files } of this.processes) for (const file of files) if (file !== undefined) open.add(file);
    return open;
  }

  /** How often inodes are held: by open files and as working directories. */
  holders(): Map<ModelInode, number> {
    const holders = new Map<ModelInode, number>();
    const hold = (inode: ModelInode): unknown => holders.set(inode, (holders.get(inode) ?? 0) + 1);
    for (const { inode } of this.openFiles()) hold(inode);
    for (const { workingDirectory } of this.processes) hold(workingDirectory);
    return holders;
  }

  isHeld(inode: ModelInode): boolean {
    return this.holders().has(inode) || (inode.kind === 'file' && inode.unsaved);
  }

  /** Whether no more inodes can be held. What is unsaved counts, where the host does not take it still. */
  isTableFull(): boolean {
    const held = new Set<ModelInode>(this.holders().keys());
    if (this.hostTakes) return held.size >= this.limits.inodesInMemory;
    for (const file of this.unsavedFiles()) held.add(file);
    return held.size >= this.limits.inodesInMemory;
  }

  /** Files that have names, and whose last close could not save them. */
  unsavedFiles(): ModelFile[] {
    const files = this.#entries().flatMap(({ inode }) =>
      inode.kind === 'file' && inode.unsaved ? [inode] : [],
    );
    return [...new Set(files)];
  }

  /** All that a store has: what has a name, and what is held without one. */
  inodesOf(store: ModelStore): Set<ModelInode | ModelLink> {
    const inodes = new Set<ModelInode | ModelLink>([store.root]);
    for (const { inode } of this.#entries()) inodes.add(inode);
    for (const inode of this.holders().keys()) inodes.add(inode);
    for (const inode of inodes) if (inode.store !== store) inodes.delete(inode);
    return inodes;
  }

  /** Inodes and blocks of a store that are taken. */
  usage(store: ModelStore): { inodes: number; blocks: number } {
    let blocks = 0;
    const inodes = this.inodesOf(store);
    for (const inode of inodes) blocks += blocksOf(this.sizeOf(inode));
    return { inodes: inodes.size, blocks };
  }

  // ------------------------------------------------------------------ paths

  #walk(names: readonly string[], from: ModelDirectory): ModelInode | undefined {
    let at: ModelInode = from;
    const left = [...names];
    for (let links = 0; left.length > 0;) {
      if (at.kind !== 'directory') return undefined;
      const next: ModelInode | ModelLink | undefined = this.#child(at, left.shift()!);
      if (next === undefined) return undefined;
      if (next.kind !== 'link') {
        at = next;
        continue;
      }
      links++;
      if (links > MOST_LINKS) return undefined;
      if (next.target.startsWith('/')) at = this.root;
      left.unshift(...next.target.split('/').filter((name) => name !== ''));
    }
    return at;
  }

  #child(directory: ModelDirectory, name: string): ModelInode | ModelLink | undefined {
    if (name === '.') return directory;
    if (name === '..') return directory.parent.removed ? undefined : directory.parent;
    const slot = this.#slotOf(directory, name);
    return slot === undefined ? undefined : directory.slots[slot]!.inode;
  }

  /** Where a directory has a name, or, of a name of as many bytes as count, a longer one that begins so. */
  #slotOf(directory: ModelDirectory, name: string): number | undefined {
    const { nameBytes } = this.limits;
    const same = directory.slots.findIndex((entry) => entry?.name === name);
    if (same !== -1) return same;
    const slot = directory.slots.findIndex((entry) => entry?.name.slice(0, nameBytes) === name);
    return slot === -1 || name.length < nameBytes ? undefined : slot;
  }

  #namesIn(path: string): string[] {
    const names = path.split('/').filter((name) => name !== '');
    return names.map((name) => name.slice(0, this.limits.nameBytes));
  }

  #placeOf(
    process: ModelProcess,
    path: string,
  ): { readonly directory: ModelDirectory; readonly name: string } | undefined {
    const names = this.#namesIn(path);
    const name = names.pop();
    if (name === undefined) return undefined;
    const directory = this.#walk(names, path.startsWith('/') ? this.root : process.workingDirectory);
    return directory?.kind === 'directory' ? { directory, name } : undefined;
  }

  // ------------------------------------------------------------------ making

  /** Gives something that `make` makes a path's last name. @returns undefined where that is not possible. */
  #make<T extends ModelInode>(
    process: ModelProcess,
    path: string,
    make: (directory: ModelDirectory) => T | undefined,
  ): T | undefined {
    const place = this.#placeOf(process, path);
    if (place === undefined) return undefined;
    const { directory, name } = place;
    if (this.#child(directory, name) !== undefined || directory.removed) return undefined;
    if (directory.store.isReadOnly || name === '..' || textOf(name) === undefined || name.includes('\\'))
      return undefined;
    const inode = make(directory);
    if (inode === undefined) return undefined;
    const isNew = !this.inodesOf(directory.store).has(inode);
    const hole = directory.slots.includes(undefined);
    const entry = hole
      ? 0
      : blocksOf(this.sizeOf(directory) + this.#entryBytes) - blocksOf(this.sizeOf(directory));
    const own = isNew ? blocksOf(this.sizeOf(inode)) : 0;
    if (!this.#fits(directory.store, isNew ? 1 : 0, entry + own)) return undefined;
    addEntry(directory, { name, inode });
    return inode;
  }

  /** Whether a store has room for so many more. */
  #fits(store: ModelStore, inodes: number, blocks: number): boolean {
    const used = this.usage(store);
    const { inodes: mostInodes, diskBlocks } = this.limits;
    if (inodes > 0 && mostInodes < UNLIMITED && used.inodes + inodes > mostInodes) return false;
    return blocks <= 0 || diskBlocks >= UNLIMITED || used.blocks + blocks <= diskBlocks;
  }

  /** Where the entries end that a try may read. */
  #pieceEnd(offset: number): number {
    return (Math.floor(offset / this.#entryBytes) + PIECE_ENTRIES) * this.#entryBytes;
  }

  get #entryBytes(): number {
    return this.limits.nameBytes + 2;
  }

  #addStore(isReadOnly: boolean, parent: ModelDirectory | undefined): ModelDirectory {
    const store = new ModelStore(this.stores.length + 1, isReadOnly, parent);
    this.stores.push(store);
    return store.root;
  }

  /** All entries that can be reached. */
  #entries(): Entry[] {
    const visit = (directory: ModelDirectory): Entry[] =>
      directory.slots.flatMap((entry) =>
        entry === undefined ? [] : [entry, ...(entry.inode.kind === 'directory' ? visit(entry.inode) : [])],
      );
    return visit(this.root);
  }
}

const newFile = ({ store }: { readonly store: ModelStore }): ModelFile => ({
  kind: 'file',
  store,
  bytes: new Uint8Array(),
  changed: false,
  unsaved: false,
});

/** @param parent undefined for the root of all. */
const newDirectory = (
  { store }: { readonly store: ModelStore },
  parent: ModelDirectory | undefined,
): ModelDirectory => {
  const directory = { kind: 'directory', store, slots: [], removed: false } as Omit<ModelDirectory, 'parent'>;
  return Object.assign(directory, { parent: parent ?? (directory as ModelDirectory) });
};

/** Puts a name into the first hole, or at the end. */
const addEntry = ({ slots }: ModelDirectory, entry: Entry): void => {
  const hole = slots.indexOf(undefined);
  slots[hole === -1 ? slots.length : hole] = entry;
};

const setBytes = (file: ModelFile, bytes: Uint8Array): void => {
  file.bytes = bytes;
  file.changed = true;
};

const blocksOf = (sizeBytes: number): number => {
  const blocks = Math.ceil(sizeBytes / BLOCK_BYTES);
  return blocks > DIRECT_BLOCKS ? blocks + 1 : blocks;
};

/** The bytes of a name or a path. */
export const bytesOf = (name: string): Uint8Array =>
  Uint8Array.from(name, (character) => character.codePointAt(0)!);

/** What a name's bytes are in UTF-8; undefined where they are none. */
export const textOf = (name: string): string | undefined => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytesOf(name));
  } catch {
    return undefined;
  }
};

/** A text's bytes in UTF-8, as a name or a path has them. */
export const nameOf = (text: string): string => String.fromCodePoint(...new TextEncoder().encode(text));
