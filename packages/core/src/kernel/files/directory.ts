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
import { cutName, isSameName } from './names.js';
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
  #slots: (string | undefined)[] | undefined;

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
    return FIRST_SLOT + this.#load().length;
  }

  /** @returns undefined for a hole. */
  nameAt(slot: number): string | undefined {
    return slot < FIRST_SLOT ? ['.', '..'][slot] : this.#load()[slot - FIRST_SLOT];
  }

  get isEmpty(): boolean {
    return this.#load().every((name) => name === undefined);
  }

  /** The device of a name, if it is one. */
  device(name: string): Device | undefined {
    const inode = this.overlay.get(name);
    return inode?.kind === 'device' ? inode : undefined;
  }

  has(name: string): boolean {
    return this.#load().includes(name);
  }

  /** How many slots there will be with one name more. */
  get slotCountWithOneMore(): number {
    return this.slotCount + (this.#load().includes(undefined) ? 0 : 1);
  }

  /** A name that is cut to these bytes. */
  nameCutTo(bytes: Uint8Array): string | undefined {
    return this.#load().find((name) => name !== undefined && isSameName(cutName(name, bytes.length), bytes));
  }

  /** Notes that a name has been made. */
  add(name: string): void {
    const slots = this.#load();
    if (slots.includes(name)) return;
    const hole = slots.indexOf(undefined);
    slots[hole === -1 ? slots.length : hole] = name;
  }

  /** Notes that a name is gone. */
  remove(name: string): void {
    const slots = this.#load();
    const slot = slots.indexOf(name);
    if (slot !== -1) slots[slot] = undefined;
  }

  /** Looks again at what the host has, which others may have changed. */
  refresh(): FileProblem | undefined {
    if (this.isRemoved) return undefined;
    if (!this.isInPlace) return 'ENOENT';
    const found = this.store.names(this.path);
    if (typeof found === 'string') return found;
    const names = new Set([...found, ...this.overlay.keys()]);
    const slots = (this.#slots ??= []);
    for (const [slot, name] of slots.entries()) {
      if (name !== undefined && !names.delete(name)) slots[slot] = undefined;
    }
    for (const name of [...names].toSorted()) slots.push(name);
    return undefined;
  }

  /** What the host cannot list is listed as empty, and can be entered still. */
  #load(): (string | undefined)[] {
    if (this.#slots === undefined) {
      this.#slots = [];
      this.refresh();
    }
    return this.#slots;
  }
}
