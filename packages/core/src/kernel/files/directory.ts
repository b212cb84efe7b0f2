/**
 * A directory: its names, in the slots in which xv6 has them. A name keeps its slot for life, and what is unlinked leaves a
 * hole that the next new name takes, so that whoever reads a directory while it changes misses nothing that stays.
 *
 *      slot 0  '.'      slot 1  '..'      slot 2 …  a name, or a hole
 *
 * Besides what the store has, a directory may hold devices, and directories of other stores that are mounted there: these are
 * in memory alone.
 */
import { Inode } from './inode.js';
import type { Device } from './device.js';
import { cutName } from './names.js';
import type { FileProblem, Store } from './store.js';

const FIRST_SLOT = 2;

export class Directory extends Inode {
  override readonly kind = 'directory';
  /** The directory that holds this one; its own for the root. */
  parent: Directory;
  /** Its name there; empty for a store's own directory. */
  name: string;
  isRemoved = false;
  /** What is there and not in the store. */
  readonly overlay = new Map<string, Device | Directory>();
  #names: Names | undefined;

  /** @param parent undefined for the root. */
  constructor(store: Store, number: number, key: string, parent: Directory | undefined, name: string) {
    super(store, number, key);
    this.parent = parent ?? this;
    this.name = name;
  }

  /** Where the store has it: '' for its own directory. */
  get path(): string {
    return this.isStoreRoot ? '' : this.parent.pathOf(this.name);
  }

  /** Whether it is the directory of a store: nobody can remove it. */
  get isStoreRoot(): boolean {
    return this.name === '';
  }

  /**
   * Whether the host still has it where it was found, and everything on the way there: not another directory in its place,
   * nor a symbolic link. Names are looked at one by one from here on.
   */
  get isInPlace(): boolean {
    if (this.isStoreRoot) return this.parent === this || this.parent.isInPlace;
    return !this.isRemoved && this.parent.isInPlace && this.store.keyOf(this.path) === this.key;
  }

  /** Whether a directory is this one, or somewhere in it. */
  contains(directory: Directory): boolean {
    let at = directory;
    while (at !== this && at !== at.parent) at = at.parent;
    return at === this;
  }

  pathOf(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Entries that it has, holes included. */
  get slotCount(): number {
    return FIRST_SLOT + this.#loaded().names.length;
  }

  /** @returns undefined for a hole. */
  nameAt(slot: number): string | undefined {
    return slot < FIRST_SLOT ? ['.', '..'][slot] : this.#loaded().names[slot - FIRST_SLOT];
  }

  /** The device of a name, if it is one. */
  device(name: string): Device | undefined {
    const inode = this.overlay.get(name);
    return inode?.kind === 'device' ? inode : undefined;
  }

  has(name: string): boolean {
    return this.#loaded().slots.has(name);
  }

  /** How many slots there will be with one name more. */
  get slotCountWithOneMore(): number {
    const { names, slots } = this.#loaded();
    return FIRST_SLOT + Math.max(names.length, slots.size + 1);
  }

  /** A name that is cut to these bytes; the first, where there are several. */
  nameCutTo(bytes: Uint8Array): string | undefined {
    const loaded = this.#loaded();
    loaded.cut ??= cutNames(loaded.names, bytes.length);
    return loaded.cut.get(keyOfBytes(bytes));
  }

  /** Notes that a name has been made. */
  add(name: string): void {
    const loaded = this.#loaded();
    const { names, slots } = loaded;
    if (slots.has(name)) return;
    // The lowest hole, or the end.
    while (loaded.lowestHole < names.length && names[loaded.lowestHole] !== undefined) loaded.lowestHole++;
    names[loaded.lowestHole] = name;
    slots.set(name, loaded.lowestHole);
    loaded.cut = undefined;
  }

  /** Notes that a name is gone. */
  remove(name: string): void {
    const loaded = this.#loaded();
    const slot = loaded.slots.get(name);
    if (slot === undefined) return;
    loaded.names[slot] = undefined;
    loaded.slots.delete(name);
    loaded.lowestHole = Math.min(loaded.lowestHole, slot);
    loaded.cut = undefined;
  }

  /** Looks again at what the host has, which others may have changed. */
  refresh(): FileProblem | undefined {
    if (this.isRemoved) return undefined;
    if (!this.isInPlace) return 'ENOENT';
    const found = this.store.names(this.path);
    if (typeof found === 'string') return found;
    this.#names ??= { names: [], slots: new Map(), lowestHole: 0, cut: undefined };
    const there = new Set([...found, ...this.overlay.keys()]);
    for (const name of this.#names.slots.keys()) if (!there.delete(name)) this.remove(name);
    for (const name of [...there].toSorted()) {
      // At the end: a hole is for what is made here.
      this.#names.slots.set(name, this.#names.names.length);
      this.#names.names.push(name);
    }
    if (there.size > 0) this.#names.cut = undefined;
    return undefined;
  }

  /** What the host cannot list is listed as empty, and can be entered still. */
  #loaded(): Names {
    if (this.#names === undefined) {
      this.#names = { names: [], slots: new Map(), lowestHole: 0, cut: undefined };
      this.refresh();
    }
    return this.#names;
  }
}

interface Names {
  /** By slot, from the third on; undefined for a hole. */
  readonly names: (string | undefined)[];
  /** The slots of names, in `names`. */
  readonly slots: Map<string, number>;
  /** No slot below it is a hole. */
  lowestHole: number;
  /** Names by the bytes that are left of them where they are cut, once somebody has asked. */
  cut: Map<string, string> | undefined;
}

const cutNames = (names: readonly (string | undefined)[], nameBytes: number): Map<string, string> => {
  const cut = new Map<string, string>();
  for (const name of names) {
    if (name === undefined) continue;
    const key = keyOfBytes(cutName(name, nameBytes));
    if (!cut.has(key)) cut.set(key, name);
  }
  return cut;
};

const keyOfBytes = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
