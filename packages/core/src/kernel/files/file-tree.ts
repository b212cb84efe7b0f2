/**
 * The tree of files that a machine has: the directories of one store or of several, with the files and devices in them. It
 * finds, makes and removes; who works with what it has found holds it meanwhile, and lets it go (inode-table.ts).
 *
 * Paths are bytes, as programs give them. '..' of the root is the root. A symbolic link of the host's is followed here,
 * name by name, with the machine's root for its '/': none leads out.
 */
import { HolsteinError } from '../../frame/index.js';
import type { MemoryObjects } from '../../vmo/index.js';
import { entryBytes, type KernelLimits } from '../limits.js';
import { Device } from './device.js';
import { blocksOf } from './disk-budget.js';
import type { Directory } from './directory.js';
import { STAT_TYPE } from './inode.js';
import { type AnyInode, InodeTable } from './inode-table.js';
import { isAbsolute, type Name, namesIn, namesOfTarget, wholeName } from './names.js';
import type { RegularFile } from './regular-file.js';
import { type FileProblem, Store, type StoreOptions } from './store.js';

/** What `struct stat` says of an inode. */
export interface FileStat {
  readonly device: number;
  readonly inode: number;
  /** 1 directory, 2 file, 3 device. */
  readonly type: number;
  readonly links: number;
  readonly sizeBytes: number;
}

export interface FileTreeOptions {
  readonly objects: MemoryObjects;
  readonly root: StoreOptions;
  /** Stores by the directories where they are seen, such as '/bin'. The directory above must be there. */
  readonly mounts?: Readonly<Record<string, StoreOptions>>;
  readonly limits: KernelLimits;
}

/** Symbolic links on the way to a file. */
const MOST_LINKS = 8;

export class FileTree {
  readonly root: Directory;
  readonly inodes: InodeTable;
  readonly #limits: KernelLimits;
  readonly #stores: Store[] = [];

  /** @throws InvalidArgument where a store's directory is none; HolsteinError ENOENT where there is no directory for a mount. */
  constructor({ objects, root, mounts = {}, limits }: FileTreeOptions) {
    this.inodes = new InodeTable(objects, limits);
    this.#limits = limits;
    this.root = this.#addStore(root, undefined);
    for (const [path, store] of Object.entries(mounts)) this.#mount(path, store);
  }

  /** Bytes of a directory's entry, `struct dirent`. */
  get entryBytes(): number {
    return entryBytes(this.#limits);
  }

  /** Calls to hosts so far. */
  get hostCalls(): number {
    return this.#stores.reduce((sum, { hostCalls }) => sum + hostCalls, 0);
  }

  // ------------------------------------------------------------------ finding

  /** Finds what a path is. @param from where a path that does not begin with '/' begins. */
  find(path: Uint8Array, from: Directory): AnyInode | FileProblem {
    if (path.length === 0) return 'ENOENT';
    return this.#walk(namesIn(path, this.#limits.nameBytes), path, from);
  }

  /** The number that a directory's entry shows for a name of it: 0 where that is nothing that a machine can have. */
  entryNumber(directory: Directory, name: string): number {
    const found = this.#child(directory, wholeName(name));
    if (typeof found === 'string') return 0;
    // What a link leads to may be anywhere; an entry says that there is something.
    return 'leadsTo' in found ? directory.number : found.number;
  }

  stat(inode: AnyInode): FileStat {
    const { store, number, kind, links } = inode;
    return {
      device: store.device,
      inode: number,
      type: STAT_TYPE[kind],
      links,
      sizeBytes: this.#size(inode),
    };
  }

  #size(inode: AnyInode): number {
    switch (inode.kind) {
      case 'file':
        return inode.sizeBytes;
      case 'directory':
        return inode.slotCount * this.entryBytes;
      case 'device':
        return 0;
    }
  }

  // ------------------------------------------------------------------ making and removing

  /** Makes a regular file, which is held. */
  createFile(path: Uint8Array, from: Directory): RegularFile | FileProblem {
    return this.#make(path, from, (directory, name) => {
      if (!this.inodes.hasRoom()) return 'ENFILE';
      const taken = this.#takeEntry(directory, 1, 0);
      if (typeof taken === 'string') return taken;
      const created = directory.store.create(directory.pathOf(name));
      if (typeof created === 'string') return taken.undo(created);
      const file = this.inodes.created(directory, name, created);
      if (typeof file === 'string') {
        directory.store.unlink(directory.pathOf(name));
        return taken.undo(file);
      }
      directory.add(name);
      return file;
    });
  }

  makeDirectory(path: Uint8Array, from: Directory): FileProblem | undefined {
    return this.#make(path, from, (directory, name) => {
      const taken = this.#takeEntry(directory, 1, blocksOf(2 * this.entryBytes));
      if (typeof taken === 'string') return taken;
      const problem = directory.store.makeDirectory(directory.pathOf(name));
      if (problem !== undefined) return taken.undo(problem);
      const key = directory.store.keyOf(directory.pathOf(name));
      if (key !== undefined) this.inodes.budgetOf(directory.store).note(key);
      directory.add(name);
      directory.links++;
      return undefined;
    });
  }

  makeDevice(path: Uint8Array, from: Directory, major: number, minor: number): FileProblem | undefined {
    return this.#make(path, from, (directory, name) => {
      if (directory.store.isReadOnly) return 'EROFS';
      const taken = this.#takeEntry(directory, 1, 0);
      if (typeof taken === 'string') return taken;
      this.#addDevice(directory, name, major, minor);
      return undefined;
    });
  }

  /** Gives a file or a device one more name. */
  link(existing: Uint8Array, path: Uint8Array, from: Directory): FileProblem | undefined {
    const inode = this.find(existing, from);
    if (typeof inode === 'string') return inode;
    if (inode.kind === 'directory') return 'EISDIR';
    return this.#make(path, from, (directory, name) => {
      if (directory.store !== inode.store) return 'EXDEV';
      const taken = this.#takeEntry(directory, 0, 0);
      if (typeof taken === 'string') return taken;
      if (inode.kind === 'device') {
        directory.overlay.set(name, inode);
      } else {
        const problem = directory.store.link(inode.path, directory.pathOf(name));
        if (problem !== undefined) return taken.undo(problem);
      }
      inode.links++;
      directory.add(name);
      return undefined;
    });
  }

  /** Takes a name away, and with the last one a file, a device or an empty directory. */
  unlink(path: Uint8Array, from: Directory): FileProblem | undefined {
    const place = this.#placeOf(path, from);
    if (typeof place === 'string') return place;
    const { directory, last } = place;
    if (isDots(last)) return 'EINVAL';
    const found = this.#child(directory, last);
    if (typeof found === 'string') return found;
    const name = this.#wholeName(directory, last);
    if ('leadsTo' in found) return this.#unlinkLink(directory, name, found);
    if (found.kind === 'directory') return this.#removeDirectory(directory, name, found);
    if (found.kind === 'device') {
      directory.overlay.delete(name);
      directory.remove(name);
    } else {
      const problem = this.#unlinkHosts(directory, name);
      if (problem !== undefined) return problem;
    }
    found.links--;
    if (found.links === 0) this.inodes.afterLastName(found);
    return undefined;
  }

  /**
   * A device of the root directory: the one that is there, or a new one, whatever it takes. Where something else has the name,
   * it has none.
   */
  rootDevice(name: string, major: number, minor: number): Device {
    const there = this.root.device(name);
    if (there?.major === major) return there;
    this.inodes.budgetOf(this.root.store).add(1, 0);
    if (there === undefined && !this.root.has(name)) return this.#addDevice(this.root, name, major, minor);
    const device = new Device(this.root.store, this.inodes.newNumber(), major, minor);
    device.links = 0;
    return device;
  }

  // ------------------------------------------------------------------ walking

  /** @param path that the names are of, which says where to begin. */
  #walk(names: readonly Name[], path: Uint8Array, from: Directory): AnyInode | FileProblem {
    let at: AnyInode = isAbsolute(path) ? this.root : from;
    const left = names.toReversed();
    // What is found from here on is in its place; where it begins may not be.
    let isSure = false;
    for (let links = 0; left.length > 0;) {
      if (at.kind !== 'directory') return 'ENOTDIR';
      const name = left.pop()!;
      if (!isSure && !isDots(name)) {
        if (!at.isInPlace) return 'ENOENT';
        isSure = true;
      }
      const next: AnyInode | SymbolicLink | FileProblem = this.#child(at, name);
      if (typeof next === 'string') return next;
      if (!('leadsTo' in next)) {
        at = next;
        continue;
      }
      links++;
      if (links > MOST_LINKS) return 'ELOOP';
      if (next.leadsTo.startsWith('/')) at = this.root;
      left.push(...namesOfTarget(next.leadsTo).toReversed());
    }
    return at;
  }

  /** The directory that a path's last name is in, and that name. */
  #placeOf(
    path: Uint8Array,
    from: Directory,
  ): { readonly directory: Directory; readonly last: Name } | FileProblem {
    const names = namesIn(path, this.#limits.nameBytes);
    const last = names.pop();
    if (last === undefined) return path.length === 0 ? 'ENOENT' : 'EEXIST';
    const directory = this.#walk(names, path, from);
    if (typeof directory === 'string') return directory;
    if (directory.kind !== 'directory') return 'ENOTDIR';
    return isDots(last) || directory.isInPlace ? { directory, last } : 'ENOENT';
  }

  #child(directory: Directory, name: Name): AnyInode | SymbolicLink | FileProblem {
    const { text } = name;
    if (text === '.') return directory;
    if (text === '..') return directory.parent.isRemoved ? 'ENOENT' : directory.parent;
    if (directory.isRemoved) return 'ENOENT';
    const whole = this.#wholeName(directory, name);
    const over = directory.overlay.get(whole);
    if (over !== undefined) return over;
    if (!directory.store.allows(whole)) return 'ENOENT';
    const stats = directory.store.stats(directory.pathOf(whole));
    if (typeof stats === 'string') return stats;
    if (stats.isSymbolicLink()) {
      const leadsTo = directory.store.linkTarget(directory.pathOf(whole));
      if (typeof leadsTo !== 'string') return leadsTo.problem;
      return { leadsTo, key: directory.store.keyIn(stats), sizeBytes: Number(stats.size) };
    }
    // Pipes, sockets and devices of the host's are nothing that a machine may open.
    if (!stats.isDirectory() && !stats.isFile()) return 'EACCES';
    return this.inodes.inodeOf(directory, whole, stats);
  }

  /** What a directory has by a name, or by a longer one of which this is as much as counts. Else the name itself. */
  #wholeName(directory: Directory, { text, bytes }: Name): string {
    if (bytes.length !== this.#limits.nameBytes) return text ?? '';
    const isThere = (name: string | undefined): name is string =>
      name !== undefined && directory.store.keyOf(directory.pathOf(name)) !== undefined;
    if (isThere(text)) return text;
    const longer = directory.nameCutTo(bytes);
    if (isThere(longer)) return longer;
    // The host may have others by now.
    directory.refresh();
    return directory.nameCutTo(bytes) ?? text ?? '';
  }

  // ------------------------------------------------------------------ changes

  /** Makes something new under a path's last name. */
  #make<T>(
    path: Uint8Array,
    from: Directory,
    make: (directory: Directory, name: string) => T | FileProblem,
  ): T | FileProblem {
    const place = this.#placeOf(path, from);
    if (typeof place === 'string') return place;
    const { directory, last } = place;
    const found = this.#child(directory, last);
    if (typeof found !== 'string') return 'EEXIST';
    if (found !== 'ENOENT' || directory.isRemoved) return found;
    return last.text !== undefined && directory.store.allows(last.text)
      ? make(directory, last.text)
      : 'EINVAL';
  }

  /** Takes what a new name needs, and for what is new so many inodes and blocks. */
  #takeEntry(
    directory: Directory,
    inodes: number,
    blocks: number,
  ): { readonly undo: (problem: FileProblem) => FileProblem } | FileProblem {
    const budget = this.inodes.budgetOf(directory.store);
    const before = blocksOf(directory.slotCount * this.entryBytes);
    const after = blocksOf(directory.slotCountWithOneMore * this.entryBytes);
    const more = blocks + after - before;
    const full = budget.take(inodes, more);
    if (full !== undefined) return full;
    return {
      undo: (problem) => {
        budget.add(-inodes, -more);
        return problem;
      },
    };
  }

  #removeDirectory(parent: Directory, name: string, directory: Directory): FileProblem | undefined {
    if (directory.isStoreRoot) return 'EBUSY';
    if (directory.overlay.size > 0) return 'ENOTEMPTY';
    const problem = directory.store.removeDirectory(directory.path);
    if (problem !== undefined) return problem;
    parent.remove(name);
    parent.links = Math.max(1, parent.links - 1);
    directory.links = 0;
    this.inodes.afterLastName(directory);
    return undefined;
  }

  #unlinkLink(directory: Directory, name: string, { key, sizeBytes }: SymbolicLink): FileProblem | undefined {
    const problem = this.#unlinkHosts(directory, name);
    if (problem === undefined) this.inodes.budgetOf(directory.store).end(key, blocksOf(sizeBytes));
    return problem;
  }

  #unlinkHosts(directory: Directory, name: string): FileProblem | undefined {
    const problem = directory.store.unlink(directory.pathOf(name));
    if (problem === undefined) directory.remove(name);
    return problem;
  }

  #addDevice(directory: Directory, name: string, major: number, minor: number): Device {
    const device = new Device(directory.store, this.inodes.newNumber(), major, minor);
    directory.overlay.set(name, device);
    directory.add(name);
    return device;
  }

  // ------------------------------------------------------------------ stores

  #addStore(options: StoreOptions, parent: Directory | undefined): Directory {
    const store = new Store(options, this.#stores.length + 1);
    this.#stores.push(store);
    const budget = this.inodes.budgetOf(store);
    if (budget.isLimited && !store.isReadOnly) {
      for (const { key, sizeBytes } of store.contents(this.entryBytes)) budget.see(key, blocksOf(sizeBytes));
    }
    return this.inodes.storeRoot(store, parent);
  }

  #mount(path: string, options: StoreOptions): void {
    const place = this.#placeOf(new TextEncoder().encode(path), this.root);
    const name = typeof place === 'string' ? undefined : place.last.text;
    if (typeof place === 'string' || name === undefined || !place.directory.store.allows(name)) {
      throw new HolsteinError(
        'ENOENT',
        `nothing can be mounted at ${path}: there is no directory that it would be in`,
      );
    }
    place.directory.overlay.set(name, this.#addStore(options, place.directory));
    place.directory.add(name);
  }
}

interface SymbolicLink {
  readonly leadsTo: string;
  readonly key: string;
  readonly sizeBytes: number;
}

const isDots = ({ text }: Name): boolean => text === '.' || text === '..';
