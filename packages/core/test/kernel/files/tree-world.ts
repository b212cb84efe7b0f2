/**
 * A tree of files over a host, with RAM of its own, for one test: what processes do with files, without the processes.
 *
 * `using tree = makeTree(host)` fails its test where, at the end, a frame or a descriptor of the host's was lost.
 */
import { expect } from 'vitest';
import { virtAddr } from '../../../src/frame/index.js';
import { Console } from '../../../src/kernel/console.js';
import type { FileOperations, Transfer } from '../../../src/kernel/file.js';
import { FileTree, type FileTreeOptions } from '../../../src/kernel/files/file-tree.js';
import type { Directory } from '../../../src/kernel/files/directory.js';
import type { AnyInode } from '../../../src/kernel/files/inode-table.js';
import { O_CREATE, O_RDWR, openPath } from '../../../src/kernel/files/open.js';
import type { RegularFile } from '../../../src/kernel/files/regular-file.js';
import { type KernelLimits, xv6Limits } from '../../../src/kernel/limits.js';
import { type AddressSpace, copyIn, copyOut } from '../../../src/space/index.js';
import { World } from '../../model/world.js';
import type { TestHost } from './hosts.js';

/** Where the space of a tree has memory that is read and written, and how much. */
export const BUFFER = 0x10_0000;
export const BUFFER_BYTES = 512 * 1024;
const MEMORY_BYTES = 4 * 2 ** 20;

export interface TreeOptions extends Partial<Pick<FileTreeOptions, 'root' | 'mounts'>> {
  readonly limits?: Partial<KernelLimits>;
  readonly memoryBytes?: number;
}

/** What a descriptor would be for: reads and writes go on until they are done. */
export class Opened {
  readonly operations: FileOperations;
  readonly #space: AddressSpace;

  constructor(operations: FileOperations, space: AddressSpace) {
    this.operations = operations;
    this.#space = space;
  }

  /** @returns what was read, or -1. */
  read(count: number): Uint8Array | -1 {
    const length = untilDone((done) => this.operations.read(this.#space, virtAddr(BUFFER), count, done));
    if (length === -1) return -1;
    const bytes = new Uint8Array(length);
    expect(copyIn(this.#space, virtAddr(BUFFER), bytes)).toBe('ok');
    return bytes;
  }

  readText(count = BUFFER_BYTES): string | -1 {
    const bytes = this.read(count);
    return bytes === -1 ? -1 : new TextDecoder().decode(bytes);
  }

  /** @returns how many bytes were written, or -1. */
  write(content: Uint8Array | string): number {
    const bytes = bytesOf(content);
    expect(copyOut(this.#space, virtAddr(BUFFER), bytes)).toBe('ok');
    return untilDone((done) => this.operations.write(this.#space, virtAddr(BUFFER), bytes.length, done));
  }

  close(): string | undefined {
    return this.operations.close();
  }
}

export class TreeWorld implements Disposable {
  readonly world: World;
  readonly host: TestHost;
  readonly files: FileTree;
  readonly space: AddressSpace;
  readonly #console = new Console(1024, () => undefined);

  constructor(host: TestHost, { limits, memoryBytes = MEMORY_BYTES, ...options }: TreeOptions = {}) {
    this.host = host;
    this.world = new World(memoryBytes);
    const { objects } = this.world.virtualMemory;
    const { fileSystem, directory } = host;
    this.files = new FileTree({
      objects,
      root: { fileSystem, directory },
      limits: xv6Limits(limits),
      ...options,
    });
    this.space = this.world.space();
    this.space.map({ at: virtAddr(BUFFER), lengthBytes: BUFFER_BYTES, protection: 'rw-' });
  }

  get root(): Directory {
    return this.files.root;
  }

  /** What the root's store has taken: inodes and blocks. */
  get taken(): readonly [inodes: number, blocks: number] {
    const { inodes, blocks } = this.files.inodes.budgetOf(this.root.store);
    return [inodes, blocks];
  }

  /** The host's path of something in the machine's root directory. */
  at(path: string): string {
    return `${this.host.directory}${path}`;
  }

  find(path: Uint8Array | string, from = this.root): AnyInode | string {
    return this.files.find(bytesOf(path), from);
  }

  directory(path: string, from = this.root): Directory {
    return this.#findKind(path, from, 'directory') as Directory;
  }

  file(path: string, from = this.root): RegularFile {
    return this.#findKind(path, from, 'file') as RegularFile;
  }

  #findKind(path: string, from: Directory, kind: AnyInode['kind']): AnyInode {
    const found = this.find(path, from);
    if (typeof found === 'string') throw new Error(`${path}: ${found}`);
    expect(found.kind).toBe(kind);
    return found;
  }

  /** @returns what is open, or why it is not. */
  tryOpen(path: Uint8Array | string, flags = 0, from = this.root): Opened | string {
    const opened = openPath(this.files, this.#console, bytesOf(path), from, flags);
    return typeof opened === 'string' ? opened : new Opened(opened.operations, this.space);
  }

  open(path: Uint8Array | string, flags = 0, from = this.root): Opened {
    const opened = this.tryOpen(path, flags, from);
    if (typeof opened === 'string') throw new Error(`${String(path)}: ${opened}`);
    return opened;
  }

  /** Makes a file with some content, as a program does. */
  create(path: string, content: Uint8Array | string = '', from = this.root): void {
    const opened = this.open(path, O_CREATE | O_RDWR, from);
    if (content.length > 0) expect(opened.write(content)).toBe(bytesOf(content).length);
    expect(opened.close()).toBeUndefined();
  }

  /** The content of a file, as a program reads it. */
  contentOf(path: Uint8Array | string, from = this.root): string | -1 {
    const opened = this.tryOpen(path, 0, from);
    if (typeof opened === 'string') return opened;
    const text = opened.readText();
    opened.close();
    return text;
  }

  mkdir(path: Uint8Array | string, from = this.root): string | undefined {
    return this.files.makeDirectory(bytesOf(path), from);
  }

  unlink(path: Uint8Array | string, from = this.root): string | undefined {
    return this.files.unlink(bytesOf(path), from);
  }

  link(existing: Uint8Array | string, path: Uint8Array | string, from = this.root): string | undefined {
    return this.files.link(bytesOf(existing), bytesOf(path), from);
  }

  /** The names and inode numbers of a directory, as a program reads them; holes are left out. */
  list(path: string, from = this.root): Map<string, number> {
    const opened = this.open(path, 0, from);
    const bytes = opened.read(BUFFER_BYTES);
    opened.close();
    if (bytes === -1) throw new Error(`${path} cannot be read`);
    const entries = new Map<string, number>();
    const size = this.files.entryBytes;
    expect(bytes.length % size).toBe(0);
    for (let at = 0; at < bytes.length; at += size) {
      const number = bytes[at]! + 256 * bytes[at + 1]!;
      const name = bytes.subarray(at + 2, at + size);
      const end = name.indexOf(0);
      if (number !== 0)
        entries.set(new TextDecoder().decode(end === -1 ? name : name.subarray(0, end)), number);
    }
    return entries;
  }

  /** What is wrong, with nobody holding anything but `holders`. */
  audit(...holders: readonly AnyInode[]): readonly string[] {
    const counts = new Map<AnyInode, number>();
    for (const inode of holders) counts.set(inode, (counts.get(inode) ?? 0) + 1);
    return [...this.world.virtualMemory.audit(this.world.held), ...this.files.inodes.audit(counts)];
  }

  /** Does something with every allocation failing, from the n-th on, for each n until it is done without. */
  *failing(most = 100): Generator<number> {
    const { memory } = this.world;
    for (let n = 1; n <= most; n++) {
      let left = n;
      let failed = false;
      memory.failAllocationsWhen(() => (failed = --left <= 0));
      yield n;
      memory.failAllocationsWhen(undefined);
      if (!failed) return;
    }
    throw new Error(`${most} allocations were not enough`);
  }

  [Symbol.dispose](): void {
    try {
      this.world.memory.failAllocationsWhen(undefined);
      this.space.close();
      this.files.inodes.close();
      this.world[Symbol.dispose]();
      expect(this.host.openDescriptors(), 'descriptors of the host that are left open').toBe(0);
    } finally {
      this.host[Symbol.dispose]();
    }
  }
}

export const bytesOf = (content: Uint8Array | string): Uint8Array =>
  typeof content === 'string' ? new TextEncoder().encode(content) : content;

const untilDone = (transfer: (done: number) => Transfer): number => {
  for (let done = 0; ;) {
    const moved = transfer(done);
    if (typeof moved === 'number') return moved;
    if ('wait' in moved) throw new Error('nobody wakes what waits here');
    done = moved.again;
  }
};
