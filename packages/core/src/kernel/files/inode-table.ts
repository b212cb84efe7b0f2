/**
 * The inodes that a machine knows: one object for each file, however many paths lead to it.
 *
 *      known     found once, and can be found again
 *      held      in use: open, a working directory, or with changes that its host would not take; only so many at a time
 *      idle      files that nobody holds and whose pages are still there, the last used at the end
 *
 * What has lost its last name is known no more, and gone for good when nobody holds it.
 */
import { hex } from '../../frame/index.js';
import type { MemoryObjects } from '../../vmo/index.js';
import { entryBytes, type KernelLimits } from '../limits.js';
import type { Device } from './device.js';
import { blocksOf, DiskBudget } from './disk-budget.js';
import { Directory } from './directory.js';
import type { HostStats } from './host-file-system.js';
import type { Inode } from './inode.js';
import { RegularFile } from './regular-file.js';
import type { FileProblem, HostFile, Store } from './store.js';

export type AnyInode = Directory | RegularFile | Device;

/** Files that nobody holds whose objects, and the host's descriptors, are kept. */
const MOST_IDLE = 32;
/** Inodes that are known; beyond, those are forgotten that nothing depends on. */
const MOST_KNOWN = 4096;

export class InodeTable {
  readonly #objects: MemoryObjects;
  readonly #limits: KernelLimits;
  readonly #budgets = new Map<Store, DiskBudget>();
  readonly #known = new Map<string, Directory | RegularFile>();
  readonly #keys = new Map<Inode, string>();
  readonly #held = new Set<Inode>();
  readonly #idle = new Set<RegularFile>();
  readonly #numbers = new Set<number>();
  /** No number below it is free. */
  #lowestNumber = 1;

  constructor(objects: MemoryObjects, limits: KernelLimits) {
    this.#objects = objects;
    this.#limits = limits;
  }

  /** Whether no more inodes can be held. */
  get isFull(): boolean {
    return this.#held.size >= this.#limits.inodesInMemory;
  }

  /** What a store's files may take. */
  budgetOf(store: Store): DiskBudget {
    let budget = this.#budgets.get(store);
    if (budget === undefined) this.#budgets.set(store, (budget = new DiskBudget(this.#limits)));
    return budget;
  }

  /** The inode of a file or directory that the host has under a name. */
  inodeOf(directory: Directory, name: string, stats: HostStats): Directory | RegularFile {
    const { store } = directory;
    const isDirectory = stats.isDirectory();
    const key = keyOf(store, stats);
    const known = this.#known.get(key);
    if (known?.kind === 'directory' && isDirectory) {
      known.parent = directory;
      known.name = name;
      return known;
    }
    if (known?.kind === 'file' && !isDirectory) {
      known.look(directory.pathOf(name), stats);
      if (!known.isOpen) this.#idle.delete(known);
      return known;
    }
    const inode = isDirectory
      ? this.#newDirectory(directory, name, stats)
      : this.#newFile(directory, name, stats);
    this.#remember(key, inode);
    return inode;
  }

  /** The inode of a store's own directory. @param parent where it is mounted; undefined for the root. */
  storeRoot(store: Store, parent: Directory | undefined): Directory {
    const directory = new Directory(store, this.newNumber(), parent, '');
    const stats = store.stats('');
    if (typeof stats !== 'string') directory.links = directoryLinks(stats);
    return directory;
  }

  /** The inode of a file that has just been made; it is held. */
  created(directory: Directory, name: string, host: HostFile): RegularFile | FileProblem {
    const file = this.#newFile(directory, name, host.stats);
    const problem = file.open(host);
    if (problem !== undefined) {
      this.#freeNumber(file);
      return problem;
    }
    this.#remember(keyOf(directory.store, host.stats), file);
    file.holders = 1;
    this.#held.add(file);
    return file;
  }

  /** Keeps an inode in use, and a file open. It must be let go as often. */
  hold(inode: AnyInode): FileProblem | undefined {
    if (!this.#held.has(inode)) {
      if (this.isFull) return 'ENFILE';
      const problem = inode.kind === 'file' ? inode.open() : undefined;
      if (problem !== undefined) return problem;
      this.#held.add(inode);
      if (inode.kind === 'file') this.#idle.delete(inode);
    }
    inode.holders++;
    return undefined;
  }

  /**
   * Lets an inode go. The last one to do so of a file writes back what is changed.
   * @returns what has kept the host from taking it: it stays held, and is tried again.
   */
  release(inode: AnyInode): FileProblem | undefined {
    inode.holders--;
    if (inode.holders > 0) return undefined;
    if (inode.links > 0 && inode.kind === 'file') {
      const problem = inode.sync();
      if (problem !== undefined) return problem;
      this.#keepIdle(inode);
    }
    this.#held.delete(inode);
    if (inode.links === 0) this.#end(inode);
    return undefined;
  }

  /** Nobody finds it any more. */
  afterLastName(inode: AnyInode): void {
    const key = this.#keys.get(inode);
    this.#keys.delete(inode);
    // A host may have given the number to another file meanwhile.
    if (key !== undefined && this.#known.get(key) === inode) this.#known.delete(key);
    if (inode.kind === 'directory') inode.isRemoved = true;
    if (inode.holders > 0) return;
    this.#held.delete(inode);
    this.#end(inode);
  }

  /** Gives the hosts what is changed. @returns a sentence for each file that could not be: it is changed still. */
  sync(): string[] {
    const problems: string[] = [];
    for (const inode of this.#held) {
      if (!(inode instanceof RegularFile) || inode.links === 0) continue;
      const problem = inode.sync();
      if (problem === undefined) continue;
      problems.push(`${inode.store.describe(inode.path)} could not be written back: ${problem}`);
    }
    return problems;
  }

  /** Lets go of all pages, and of the hosts' files: nobody holds any. @returns as `sync`: that is lost then. */
  close(): string[] {
    const problems = this.sync();
    for (const inode of [...this.#held, ...this.#idle]) if (inode instanceof RegularFile) inode.close();
    this.#held.clear();
    this.#idle.clear();
    return problems;
  }

  /** The lowest number that no inode has. */
  newNumber(): number {
    while (this.#numbers.has(this.#lowestNumber)) this.#lowestNumber++;
    this.#numbers.add(this.#lowestNumber);
    return this.#lowestNumber;
  }

  /** @returns a line for each thing that is wrong. @param holders how often each inode was found to be held. */
  audit(holders: ReadonlyMap<AnyInode, number>): string[] {
    const problems: string[] = [];
    for (const inode of new Set<Inode>([...this.#held, ...holders.keys()])) {
      const found = holders.get(inode as AnyInode) ?? 0;
      if (found === inode.holders && (found === 0 || this.#held.has(inode))) continue;
      problems.push(`inode ${inode.number} counts ${inode.holders} holders, ${found} were found`);
    }
    for (const file of this.#idle) {
      if (file.holders === 0 && file.isOpen && !file.isChanged) continue;
      problems.push(`${file.path} is idle, and held, closed or changed`);
    }
    return problems;
  }

  #newDirectory(parent: Directory, name: string, stats: HostStats): Directory {
    const directory = new Directory(parent.store, this.newNumber(), parent, name);
    directory.links = directoryLinks(stats);
    return directory;
  }

  #newFile(directory: Directory, name: string, stats: HostStats): RegularFile {
    const { store } = directory;
    const home = {
      objects: this.#objects,
      budget: this.budgetOf(store),
      fileBytes: this.#limits.fileBytes,
      relieve: () => void this.sync(),
    };
    return new RegularFile(store, this.newNumber(), directory.pathOf(name), home, stats);
  }

  #remember(key: string, inode: Directory | RegularFile): void {
    const replaced = this.#known.get(key);
    if (replaced !== undefined) this.#keys.delete(replaced);
    this.#known.set(key, inode);
    this.#keys.set(inode, key);
    if (this.#known.size > MOST_KNOWN) this.#forgetHalf(inode);
  }

  #forgetHalf(newest: Inode): void {
    const needed = new Set<Inode>([newest, ...this.#held]);
    for (const inode of this.#known.values()) if (inode.kind === 'directory') needed.add(inode.parent);
    for (const [key, inode] of this.#known) {
      if (this.#known.size <= MOST_KNOWN / 2) break;
      if (needed.has(inode)) continue;
      if (inode.kind === 'directory' && inode.overlay.size > 0) continue;
      if (inode.kind === 'file') {
        inode.close();
        this.#idle.delete(inode);
      }
      this.#known.delete(key);
      this.#keys.delete(inode);
      this.#freeNumber(inode);
    }
  }

  /** It is gone for good, with what it took of its disk. */
  #end(inode: AnyInode): void {
    let blocks = 0;
    if (inode.kind === 'file') {
      blocks = blocksOf(inode.sizeBytes);
      inode.close();
      this.#idle.delete(inode);
    } else if (inode.kind === 'directory') {
      blocks = blocksOf(inode.slotCount * entryBytes(this.#limits));
    }
    this.budgetOf(inode.store).add(-1, -blocks);
    this.#freeNumber(inode);
  }

  #freeNumber({ number }: Inode): void {
    this.#numbers.delete(number);
    this.#lowestNumber = Math.min(this.#lowestNumber, number);
  }

  /** Keeps a file's pages for whoever opens it next, and lets go of those that were used longest ago. */
  #keepIdle(file: RegularFile): void {
    this.#idle.add(file);
    for (const oldest of this.#idle) {
      if (this.#idle.size <= MOST_IDLE) break;
      this.#idle.delete(oldest);
      oldest.close();
    }
  }
}

/** A host counts '.' and the name, xv6 the name alone; both count the directories within. Some hosts count nothing. */
const directoryLinks = ({ nlink }: HostStats): number => Math.max(1, Number(nlink) - 1);

const keyOf = (store: Store, { dev, ino }: HostStats): string => `${store.device} ${hex(dev)} ${hex(ino)}`;
