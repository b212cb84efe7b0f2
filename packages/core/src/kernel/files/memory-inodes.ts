/**
 * What `MemoryFiles` is made of: files, directories and symbolic links. An inode lives for as long as it has a name or is
 * open; who takes the last of both from a file calls `release`, which gives its bytes back.
 */
import type { HostStats } from './host-file-system.js';
import { type Capacity, MemoryContent } from './memory-content.js';

/** What the inodes of one file system share. */
export class MemoryVolume implements Capacity {
  usedBytes = 0;
  readonly capacityBytes: number;
  #lastNumber = 0;
  #changes = 0;

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
  }

  /** A number that no inode has had. */
  newNumber(): number {
    return ++this.#lastNumber;
  }

  /** The time of a change: later than all before it. */
  newTime(): number {
    return ++this.#changes;
  }
}

abstract class MemoryInode {
  abstract readonly kind: 'file' | 'directory' | 'link';
  readonly number: number;
  /** Names; of a directory its own, its '.', and the '..' of each directory in it. */
  links = 0;
  /** Descriptors that are open for it. */
  openings = 0;
  /** When the content was last changed. */
  time: number;
  protected readonly volume: MemoryVolume;

  constructor(volume: MemoryVolume) {
    this.volume = volume;
    this.number = volume.newNumber();
    this.time = volume.newTime();
  }

  abstract get sizeBytes(): number;

  /** Gives back what the content takes, where nobody can reach it any more. */
  release(): void {}
}

export class MemoryFile extends MemoryInode {
  override readonly kind = 'file';
  readonly #content: MemoryContent;

  constructor(volume: MemoryVolume) {
    super(volume);
    this.#content = new MemoryContent(volume);
  }

  override get sizeBytes(): number {
    return this.#content.sizeBytes;
  }

  read(position: number, into: Uint8Array): number {
    return this.#content.read(position, into);
  }

  write(position: number, from: Uint8Array): number {
    const count = this.#content.write(position, from);
    if (count > 0) this.time = this.volume.newTime();
    return count;
  }

  resize(sizeBytes: number): void {
    this.#content.resize(sizeBytes);
    this.time = this.volume.newTime();
  }

  override release(): void {
    if (this.links === 0 && this.openings === 0) this.#content.resize(0);
  }
}

export class MemoryDirectory extends MemoryInode {
  override readonly kind = 'directory';
  override links = 2;
  /** Its own for the root. */
  parent: MemoryDirectory;
  readonly #entries = new Map<string, AnyInode>();

  /** @param parent undefined for the root. */
  constructor(volume: MemoryVolume, parent?: MemoryDirectory) {
    super(volume);
    this.parent = parent ?? this;
  }

  override get sizeBytes(): number {
    return 0;
  }

  /** In the order in which they were made. */
  get names(): string[] {
    return [...this.#entries.keys()];
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  get(name: string): AnyInode | undefined {
    return this.#entries.get(name);
  }

  /** Gives an inode a name that is free. */
  add(name: string, inode: AnyInode): void {
    this.#entries.set(name, inode);
    this.time = this.volume.newTime();
    if (inode.kind === 'directory') {
      inode.parent = this;
      this.links++;
    } else {
      inode.links++;
    }
  }

  /** Takes a name that is there from its inode. A directory keeps its own links: it may be about to get another name. */
  remove(name: string): AnyInode {
    const inode = this.#entries.get(name)!;
    this.#entries.delete(name);
    this.time = this.volume.newTime();
    if (inode.kind === 'directory') this.links--;
    else inode.links--;
    return inode;
  }
}

/** A symbolic link. */
export class MemoryLink extends MemoryInode {
  override readonly kind = 'link';
  readonly target: string;

  constructor(volume: MemoryVolume, target: string) {
    super(volume);
    this.target = target;
  }

  override get sizeBytes(): number {
    return utf8Length(this.target);
  }
}

export type AnyInode = MemoryFile | MemoryDirectory | MemoryLink;

const DEVICE = 1n;

/** An inode as it was when it was asked. */
export class MemoryStats implements HostStats {
  readonly dev = DEVICE;
  readonly ino: bigint;
  readonly nlink: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly #kind: AnyInode['kind'];

  constructor(inode: AnyInode) {
    this.ino = BigInt(inode.number);
    this.nlink = BigInt(inode.links);
    this.size = BigInt(inode.sizeBytes);
    this.mtimeNs = BigInt(inode.time);
    this.#kind = inode.kind;
  }

  isFile(): boolean {
    return this.#kind === 'file';
  }

  isDirectory(): boolean {
    return this.#kind === 'directory';
  }

  isSymbolicLink(): boolean {
    return this.#kind === 'link';
  }
}

const ENCODER = new TextEncoder();
/** A character of a string takes no more bytes than this. */
const MOST_BYTES_EACH = 3;

export const utf8Length = (text: string): number => ENCODER.encode(text).length;

/** Whether a text has more bytes than a limit. */
export const isLongerThan = (text: string, limitBytes: number): boolean =>
  text.length * MOST_BYTES_EACH > limitBytes && utf8Length(text) > limitBytes;
