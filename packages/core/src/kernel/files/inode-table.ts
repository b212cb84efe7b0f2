/**
 * The inodes that a machine knows: one object for each file, however many paths lead to it.
 *
 *      known     found once, and can be found again
 *      held      in use: open, or a working directory
 *      unsaved   files that nobody holds, with changes that their host would not take: they are tried again
 *      idle      files that nobody holds and whose pages are still there, the last used at the end
 *
 * What has lost its last name is known no more, and gone for good when nobody holds it.
 */
import { InvalidArgument } from '../../frame/index.js';
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
/** What is written back in one go, about. */
const MOST_CHANGED_PAGES = 2048;
/** Sentences on what went wrong where nobody could be told. */
const MOST_PROBLEMS = 100;
/** Inodes that are known; beyond, those are forgotten that nothing depends on. */
const MOST_KNOWN = 4096;

export class InodeTable {
  readonly #objects: MemoryObjects;
  readonly #limits: KernelLimits;
  readonly #budgets = new Map<Store, DiskBudget>();
  readonly #known = new Map<string, Directory | RegularFile>();
  readonly #held = new Set<Inode>();
  readonly #unsaved = new Set<RegularFile>();
  readonly #idle = new Set<RegularFile>();
  readonly #numbers = new Set<number>();
  /** No number below it is free. */
  #lowestNumber = 1;
  /** Pages that were written since all was last written back, at most. */
  #changedPages = 0;
  /** Sentences on descriptors that a host would not close. */
  #problems: string[] = [];

  constructor(objects: MemoryObjects, limits: KernelLimits) {
    this.#objects = objects;
    this.#limits = limits;
    // Changed pages that are given to their host are clean, and can be evicted.
    objects.addCleaner(() => void this.sync());
  }

  /** Whether one inode more can be held. What is unsaved counts, for as long as its host does not take it. */
  hasRoom(): boolean {
    const most = this.#limits.inodesInMemory;
    if (this.#held.size + this.#unsaved.size >= most && this.#unsaved.size > 0) this.sync();
    return this.#held.size + this.#unsaved.size < most;
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
    const key = store.keyIn(stats);
    const known = this.#known.get(key);
    if (known?.kind === 'directory' && isDirectory) {
      if (known.parent === directory && known.name === name) return known;
      // A host that shows a directory within itself has it where it was found first.
      if (known.contains(directory)) return known;
      known.parent = directory;
      known.name = name;
      return known;
    }
    if (known?.kind === 'file' && !isDirectory) {
      known.look(directory.pathOf(name), stats);
      if (!known.isOpen) this.#idle.delete(known);
      return known;
    }
    if (known !== undefined) {
      // Its host has removed it, and given its number to something else.
      known.links = 0;
      this.afterLastName(known);
    }
    const inode = isDirectory
      ? this.#newDirectory(directory, name, stats)
      : this.#newFile(directory, name, stats);
    this.#remember(inode);
    this.budgetOf(store).see(key, this.#blocksOf(inode));
    return inode;
  }

  /** The inode of a store's own directory. @param parent where it is mounted; undefined for the root. */
  storeRoot(store: Store, parent: Directory | undefined): Directory {
    const stats = store.stats('');
    if (typeof stats === 'string') throw new InvalidArgument(`${store.describe('')} is gone`);
    const directory = new Directory(store, this.newNumber(), store.keyIn(stats), parent, '');
    directory.links = directoryLinks(stats);
    this.#remember(directory);
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
    this.#remember(file);
    this.budgetOf(directory.store).note(file.key!);
    file.holders = 1;
    this.#held.add(file);
    return file;
  }

  /** Keeps an inode in use, and a file open. It must be let go as often. */
  hold(inode: AnyInode): FileProblem | undefined {
    if (!this.#held.has(inode)) {
      const isUnsaved = inode.kind === 'file' && this.#unsaved.has(inode);
      if (!isUnsaved && !this.hasRoom()) return 'ENFILE';
      if (inode.kind === 'file') {
        const problem = inode.open();
        if (problem !== undefined) return problem;
        this.#unsaved.delete(inode);
        this.#idle.delete(inode);
      }
      this.#held.add(inode);
    }
    inode.holders++;
    return undefined;
  }

  /**
   * Lets an inode go. The last one to do so of a file writes back what is changed.
   * @returns what has kept the host from taking it: it is kept, and tried again.
   */
  release(inode: AnyInode): FileProblem | undefined {
    inode.holders--;
    if (inode.holders > 0) return undefined;
    this.#held.delete(inode);
    if (inode.links === 0) {
      this.#end(inode);
    } else if (inode.kind === 'file') {
      const problem = inode.sync();
      if (problem !== undefined) {
        this.#unsaved.add(inode);
        return problem;
      }
      this.#keepIdle(inode);
    }
    return undefined;
  }

  /** Nobody finds it any more. */
  afterLastName(inode: AnyInode): void {
    // A host may have given the number to another file meanwhile.
    if (inode.key !== undefined && this.#known.get(inode.key) === inode) this.#known.delete(inode.key);
    if (inode.kind === 'directory') inode.isRemoved = true;
    if (inode.holders === 0) this.#end(inode);
  }

  /** Gives the hosts what is changed. @returns a sentence for each file that could not be: it is changed still. */
  sync(): string[] {
    this.#changedPages = 0;
    const problems: string[] = [];
    for (const inode of [...this.#held, ...this.#unsaved]) {
      if (!(inode instanceof RegularFile) || inode.links === 0) continue;
      const problem = inode.sync();
      if (problem !== undefined) {
        problems.push(`${inode.store.describe(inode.path)} could not be written back: ${problem}`);
      } else if (this.#unsaved.delete(inode)) {
        this.#keepIdle(inode);
      }
    }
    return problems;
  }

  /** Lets go of all pages, and of the hosts' files: nobody holds any. @returns as `sync`: that is lost then. */
  close(): string[] {
    const problems = this.sync();
    for (const inode of [...this.#held, ...this.#unsaved, ...this.#idle]) {
      if (inode instanceof RegularFile) inode.close();
    }
    this.#held.clear();
    this.#unsaved.clear();
    this.#idle.clear();
    problems.push(...this.#problems);
    this.#problems = [];
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
      if (found === inode.holders && this.#held.has(inode)) continue;
      problems.push(`inode ${inode.number} counts ${inode.holders} holders, ${found} were found`);
    }
    for (const file of this.#unsaved) {
      if (file.holders === 0 && file.isChanged) continue;
      problems.push(`${file.path} is unsaved, and held or not changed`);
    }
    for (const file of this.#idle) {
      if (file.holders === 0 && file.isOpen && !file.isChanged) continue;
      problems.push(`${file.path} is idle, and held, closed or changed`);
    }
    return problems;
  }

  #newDirectory(parent: Directory, name: string, stats: HostStats): Directory {
    const { store } = parent;
    const directory = new Directory(store, this.newNumber(), store.keyIn(stats), parent, name);
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
      noteChanged: (pages: number) => this.#noteChanged(pages),
      report: (problem: string) =>
        void (this.#problems.length < MOST_PROBLEMS && this.#problems.push(problem)),
    };
    return new RegularFile(store, this.newNumber(), directory.pathOf(name), home, stats);
  }

  /** Writes back behind those who write much, so that no close has much to do. */
  #noteChanged(pages: number): void {
    this.#changedPages += pages;
    if (this.#changedPages > MOST_CHANGED_PAGES) this.sync();
  }

  #remember(inode: Directory | RegularFile): void {
    this.#known.set(inode.key!, inode);
    // What is limited is few, and its directories' holes count.
    if (this.#known.size > MOST_KNOWN && !this.budgetOf(inode.store).isLimited) this.#forgetHalf(inode);
  }

  #forgetHalf(newest: Inode): void {
    const needed = new Set<Inode>([newest, ...this.#held, ...this.#unsaved]);
    for (const inode of this.#known.values()) if (inode.kind === 'directory') needed.add(inode.parent);
    for (const [key, inode] of this.#known) {
      if (this.#known.size <= MOST_KNOWN / 2) break;
      if (needed.has(inode) || this.budgetOf(inode.store).isLimited) continue;
      if (inode.kind === 'directory' && (inode.isStoreRoot || inode.overlay.size > 0)) continue;
      if (inode.kind === 'file') {
        inode.close();
        this.#idle.delete(inode);
      }
      this.#known.delete(key);
      this.#freeNumber(inode);
    }
  }

  /** It is gone for good, with what it took of its disk. */
  #end(inode: AnyInode): void {
    if (inode.kind === 'file') {
      inode.close();
      this.#unsaved.delete(inode);
      this.#idle.delete(inode);
    }
    this.budgetOf(inode.store).end(inode.key, this.#blocksOf(inode));
    this.#freeNumber(inode);
  }

  /** What it takes of its store's budget. */
  #blocksOf(inode: AnyInode): number {
    if (inode.kind === 'device') return 0;
    return inode.kind === 'file' ? inode.chargedBlocks : blocksOf(inode.slotCount * entryBytes(this.#limits));
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
