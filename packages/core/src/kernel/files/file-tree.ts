/**
 * The tree of files that a machine has: the folders of one store or of several, with the files and devices in them. It
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
import { Folder } from './folder.js';
import { STAT_TYPE } from './inode.js';
import { type AnyInode, InodeTable } from './inode-table.js';
import { isAbsolute, type Name, namesIn, namesOfTarget } from './names.js';
import type { RegularFile } from './regular-file.js';
import { type FileProblem, Store, type StoreOptions } from './store.js';

/** What `struct stat` says of an inode. */
export interface FileStat {
  readonly device: number;
  readonly inode: number;
  /** 1 folder, 2 file, 3 device. */
  readonly type: number;
  readonly links: number;
  readonly sizeBytes: number;
}

export interface FileTreeOptions {
  readonly objects: MemoryObjects;
  readonly root: StoreOptions;
  /** Stores by the folders where they are seen, such as '/bin'. The folder above must be there. */
  readonly mounts?: Readonly<Record<string, StoreOptions>>;
  readonly limits: KernelLimits;
}

/** Symbolic links on the way to a file. */
const MOST_LINKS = 8;

export class FileTree {
  readonly root: Folder;
  readonly inodes: InodeTable;
  readonly #limits: KernelLimits;
  readonly #stores: Store[] = [];

  /** @throws InvalidArgument where a store's folder is none; HolsteinError ENOENT where there is no folder for a mount. */
  constructor({ objects, root, mounts = {}, limits }: FileTreeOptions) {
    this.inodes = new InodeTable(objects, limits);
    this.#limits = limits;
    this.root = this.#addStore(root, undefined);
    for (const [path, store] of Object.entries(mounts)) this.#mount(path, store);
  }

  /** Bytes of a folder's entry, `struct dirent`. */
  get entryBytes(): number {
    return entryBytes(this.#limits);
  }

  /** Calls to hosts so far. */
  get hostCalls(): number {
    return this.#stores.reduce((sum, { hostCalls }) => sum + hostCalls, 0);
  }

  // ------------------------------------------------------------------ finding

  /** Finds what a path is. @param from where a path that does not begin with '/' begins. */
  find(path: Uint8Array, from: Folder): AnyInode | FileProblem {
    if (path.length === 0) return 'ENOENT';
    return this.#walk(namesIn(path, this.#limits.nameBytes), isAbsolute(path) ? this.root : from);
  }

  /** The number that a folder's entry shows for a name of it: 0 where that is nothing that a machine can have. */
  entryNumber(folder: Folder, name: string): number {
    const found = this.#child(folder, { bytes: new Uint8Array(), text: name });
    if (typeof found === 'string') return 0;
    // What a link leads to may be anywhere; an entry says that there is something.
    return 'leadsTo' in found ? folder.number : found.number;
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
      case 'folder':
        return inode.slotCount * this.entryBytes;
      case 'device':
        return 0;
    }
  }

  // ------------------------------------------------------------------ making and removing

  /** Makes a regular file, which is held. */
  createFile(path: Uint8Array, from: Folder): RegularFile | FileProblem {
    return this.#make(path, from, (folder, name) => {
      if (this.inodes.isFull) return 'ENFILE';
      const taken = this.#takeEntry(folder, 1, 0);
      if (typeof taken === 'string') return taken;
      const created = folder.store.create(folder.pathOf(name));
      if (typeof created === 'string') return taken.undo(created);
      const file = this.inodes.created(folder, name, created);
      if (typeof file === 'string') {
        folder.store.unlink(folder.pathOf(name));
        return taken.undo(file);
      }
      folder.add(name);
      return file;
    });
  }

  makeFolder(path: Uint8Array, from: Folder): FileProblem | undefined {
    return this.#make(path, from, (folder, name) => {
      const taken = this.#takeEntry(folder, 1, blocksOf(2 * this.entryBytes));
      if (typeof taken === 'string') return taken;
      const problem = folder.store.makeFolder(folder.pathOf(name));
      if (problem !== undefined) return taken.undo(problem);
      folder.add(name);
      folder.links++;
      return undefined;
    });
  }

  makeDevice(path: Uint8Array, from: Folder, major: number, minor: number): FileProblem | undefined {
    return this.#make(path, from, (folder, name) => {
      if (folder.store.isReadOnly) return 'EROFS';
      const taken = this.#takeEntry(folder, 1, 0);
      if (typeof taken === 'string') return taken;
      this.#addDevice(folder, name, major, minor);
      return undefined;
    });
  }

  /** Gives a file or a device one more name. */
  link(existing: Uint8Array, path: Uint8Array, from: Folder): FileProblem | undefined {
    const inode = this.find(existing, from);
    if (typeof inode === 'string') return inode;
    if (inode.kind === 'folder') return 'EISDIR';
    return this.#make(path, from, (folder, name) => {
      if (folder.store !== inode.store) return 'EXDEV';
      const taken = this.#takeEntry(folder, 0, 0);
      if (typeof taken === 'string') return taken;
      if (inode.kind === 'device') {
        folder.overlay.set(name, inode);
      } else {
        const problem = folder.store.link(inode.path, folder.pathOf(name));
        if (problem !== undefined) return taken.undo(problem);
      }
      inode.links++;
      folder.add(name);
      return undefined;
    });
  }

  /** Takes a name away, and with the last one a file, a device or an empty folder. */
  unlink(path: Uint8Array, from: Folder): FileProblem | undefined {
    const place = this.#placeOf(path, from);
    if (typeof place === 'string') return place;
    const { folder, last } = place;
    if (isDots(last)) return 'EINVAL';
    const found = this.#child(folder, last);
    if (typeof found === 'string') return found;
    const name = this.#wholeName(folder, last);
    if ('leadsTo' in found) return this.#unlinkHosts(folder, name);
    if (found.kind === 'folder') return this.#removeFolder(folder, name, found);
    if (found.kind === 'device') {
      folder.overlay.delete(name);
      folder.remove(name);
    } else {
      const problem = this.#unlinkHosts(folder, name);
      if (problem !== undefined) return problem;
    }
    found.links--;
    if (found.links === 0) this.inodes.afterLastName(found);
    return undefined;
  }

  /** Puts a device into the root folder, whatever is there and whatever it takes. */
  addRootDevice(name: string, major: number, minor: number): Device {
    this.inodes.budgetOf(this.root.store).add(1, 0);
    return this.#addDevice(this.root, name, major, minor);
  }

  // ------------------------------------------------------------------ walking

  #walk(names: readonly Name[], from: Folder): AnyInode | FileProblem {
    let at: AnyInode = from;
    const left = names.toReversed();
    for (let links = 0; left.length > 0;) {
      if (at.kind !== 'folder') return 'ENOTDIR';
      const next: AnyInode | SymbolicLink | FileProblem = this.#child(at, left.pop()!);
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

  /** The folder that a path's last name is in, and that name. */
  #placeOf(path: Uint8Array, from: Folder): { readonly folder: Folder; readonly last: Name } | FileProblem {
    const names = namesIn(path, this.#limits.nameBytes);
    const last = names.pop();
    if (last === undefined) return path.length === 0 ? 'ENOENT' : 'EEXIST';
    const folder = this.#walk(names, isAbsolute(path) ? this.root : from);
    if (typeof folder === 'string') return folder;
    return folder.kind === 'folder' ? { folder, last } : 'ENOTDIR';
  }

  #child(folder: Folder, name: Name): AnyInode | SymbolicLink | FileProblem {
    const { text } = name;
    if (text === '.') return folder;
    if (text === '..') return folder.parent.isRemoved ? 'ENOENT' : folder.parent;
    if (folder.isRemoved) return 'ENOENT';
    const whole = this.#wholeName(folder, name);
    const over = folder.overlay.get(whole);
    if (over !== undefined) return over;
    if (!folder.store.allows(whole)) return 'ENOENT';
    const stats = folder.store.stats(folder.pathOf(whole));
    if (typeof stats === 'string') return stats;
    if (stats.isSymbolicLink()) {
      const leadsTo = folder.store.linkTarget(folder.pathOf(whole));
      return typeof leadsTo === 'string' ? { leadsTo } : leadsTo.problem;
    }
    // Pipes, sockets and devices of the host's are nothing that a machine may open.
    if (!stats.isDirectory() && !stats.isFile()) return 'EACCES';
    return this.inodes.inodeOf(folder, whole, stats);
  }

  /** What a folder has by a name, or by a longer one of which this is as much as counts. Else the name itself. */
  #wholeName(folder: Folder, { text, bytes }: Name): string {
    if (text !== undefined && (bytes.length !== this.#limits.nameBytes || folder.has(text))) return text;
    return folder.nameCutTo(bytes) ?? text ?? '';
  }

  // ------------------------------------------------------------------ changes

  /** Makes something new under a path's last name. */
  #make<T>(
    path: Uint8Array,
    from: Folder,
    make: (folder: Folder, name: string) => T | FileProblem,
  ): T | FileProblem {
    const place = this.#placeOf(path, from);
    if (typeof place === 'string') return place;
    const { folder, last } = place;
    const found = this.#child(folder, last);
    if (typeof found !== 'string') return 'EEXIST';
    if (found !== 'ENOENT' || folder.isRemoved) return found;
    return last.text !== undefined && folder.store.allows(last.text) ? make(folder, last.text) : 'EINVAL';
  }

  /** Takes what a new name needs, and for what is new so many inodes and blocks. */
  #takeEntry(
    folder: Folder,
    inodes: number,
    blocks: number,
  ): { readonly undo: (problem: FileProblem) => FileProblem } | FileProblem {
    const budget = this.inodes.budgetOf(folder.store);
    const before = blocksOf(folder.slotCount * this.entryBytes);
    const after = blocksOf(folder.slotCountWithOneMore * this.entryBytes);
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

  #removeFolder(parent: Folder, name: string, folder: Folder): FileProblem | undefined {
    if (folder.isStoreRoot) return 'EBUSY';
    if (folder.overlay.size > 0) return 'ENOTEMPTY';
    const problem = folder.store.removeFolder(folder.path);
    if (problem !== undefined) return problem;
    parent.remove(name);
    parent.links = Math.max(1, parent.links - 1);
    folder.links = 0;
    this.inodes.afterLastName(folder);
    return undefined;
  }

  #unlinkHosts(folder: Folder, name: string): FileProblem | undefined {
    const problem = folder.store.unlink(folder.pathOf(name));
    if (problem === undefined) folder.remove(name);
    return problem;
  }

  #addDevice(folder: Folder, name: string, major: number, minor: number): Device {
    const device = new Device(folder.store, this.inodes.newNumber(), major, minor);
    folder.overlay.set(name, device);
    folder.add(name);
    return device;
  }

  // ------------------------------------------------------------------ stores

  #addStore(options: StoreOptions, parent: Folder | undefined): Folder {
    const store = new Store(options, this.#stores.length + 1);
    this.#stores.push(store);
    const budget = this.inodes.budgetOf(store);
    if (budget.isLimited && !store.isReadOnly) {
      for (const sizeBytes of store.contents(this.entryBytes)) budget.add(1, blocksOf(sizeBytes));
    }
    return new Folder(store, this.inodes.newNumber(), parent, '');
  }

  #mount(path: string, options: StoreOptions): void {
    const place = this.#placeOf(new TextEncoder().encode(path), this.root);
    const name = typeof place === 'string' ? undefined : place.last.text;
    if (typeof place === 'string' || name === undefined || !place.folder.store.allows(name)) {
      throw new HolsteinError(
        'ENOENT',
        `nothing can be mounted at ${path}: there is no folder that it would be in`,
      );
    }
    place.folder.overlay.set(name, this.#addStore(options, place.folder));
    place.folder.add(name);
  }
}

interface SymbolicLink {
  readonly leadsTo: string;
}

const isDots = ({ text }: Name): boolean => text === '.' || text === '..';
