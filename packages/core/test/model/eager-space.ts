/**
 * The oracle: an address space that shares nothing. Every page is an array of its own, a fork copies all of them at
 * once, and nobody counts anything. It knows nothing of frames, tables or memory running out.
 *
 * What a page of a mapped object shows is looked up in the oracle's object each time: the object's page as it is now,
 * unless the mapping is private and has written the page.
 *
 * Each operation comes in two: `refuseX` says for which reasons it must be refused, any of which is a right answer,
 * and `x` does it.
 */
import { PAGE_SIZE } from '../../src/frame/index.js';
import { type Access, MAX_PAGES } from '../../src/paging/index.js';
import type { OnFork, Protection, MapSharing } from '../../src/space/index.js';
import { RIGHTS } from '../../src/vmo/index.js';
import { EagerCapability } from './eager-capability.js';
import { EagerObject } from './eager-objects.js';

/** The part of a mapping that is one page. */
interface EagerPage {
  readonly protection: Protection;
  readonly ceiling: Protection;
  readonly sharing: MapSharing;
  readonly onFork: OnFork;
  /** What it shows, and which page of that. Undefined for zeros. */
  readonly capability: EagerCapability | undefined;
  readonly objectPage: number;
  /** What the space has written or committed of a private page. Nothing yet where undefined. */
  own: Uint8Array | undefined;
}

/** What is mapped, wherever that is. */
export interface EagerMapping {
  readonly lengthPages: number;
  readonly protection: Protection;
  readonly sharing: MapSharing;
  readonly ceiling?: Protection | undefined;
  readonly onFork: OnFork;
  readonly capability?: EagerCapability | undefined;
  readonly objectPage?: number;
}

/** Whether a mapping may take the place of others. */
export type Overlap = 'refuse' | 'replace';

export interface EagerRemap {
  readonly start: number;
  readonly lengthPages: number;
  readonly newLengthPages: number;
  readonly to: number | 'anywhere' | undefined;
  readonly overlap: Overlap;
}

export type AccessResult = 'resolved' | 'protection' | 'unmapped' | 'revoked' | 'beyond-end';
export type Refusals = readonly string[];

const LETTER: Readonly<Record<Access, string>> = { read: 'r', write: 'w', execute: 'x' };
const ZEROS = new Uint8Array(PAGE_SIZE);

export class EagerSpace {
  readonly pages = new Map<number, EagerPage>();

  /** @param start undefined where it is left to the space. */
  refuseMap(start: number | undefined, mapping: EagerMapping, overlap: Overlap): Refusals {
    const { lengthPages, protection, sharing, onFork, capability } = mapping;
    const { ceiling = most(mapping) } = mapping;
    const isWithin = start === undefined || start + lengthPages <= MAX_PAGES;
    return reasons([
      ['EINVAL', !isWithin],
      ['EINVAL', onFork === 'wipe' && (sharing === 'shared' || capability !== undefined)],
      [capability?.refusal ?? '', capability?.isOpen === false],
      ['EACCES', !allows(most(mapping), ceiling) || !allows(ceiling, protection)],
      ['EEXIST', start !== undefined && overlap === 'refuse' && !this.isFree(start, lengthPages)],
    ]);
  }

  map(start: number, mapping: EagerMapping): void {
    const { lengthPages, protection, sharing, onFork, objectPage = 0 } = mapping;
    const { ceiling = most(mapping) } = mapping;
    const isOwnObject = mapping.capability === undefined && sharing === 'shared';
    const capability = isOwnObject ? sharedZeros(lengthPages) : mapping.capability;
    for (let index = 0; index < lengthPages; index++) {
      this.pages.set(start + index, {
        protection,
        ceiling,
        sharing,
        onFork,
        capability,
        objectPage: objectPage + index,
        own: undefined,
      });
    }
  }

  refuseUnmap(start: number, length: number): Refusals {
    return reasons([['EINVAL', start + length > MAX_PAGES]]);
  }

  unmap(start: number, length: number): void {
    for (const page of range(start, length)) this.pages.delete(page);
  }

  refuseProtect(start: number, length: number, protection: Protection): Refusals {
    const beyond = this.#in(start, length).some(({ ceiling }) => !allows(ceiling, protection));
    return [...this.refuseUse(start, length), ...reasons([['EACCES', beyond]])];
  }

  protect(start: number, length: number, protection: Protection): void {
    this.#change(start, length, (page) => ({ ...page, protection }));
  }

  refuseRemap({ start, lengthPages, newLengthPages, to, overlap }: EagerRemap): Refusals {
    const found = [...this.refuseUse(start, lengthPages)];
    const grown = Math.max(newLengthPages - lengthPages, 0);
    if (to === undefined) {
      const isWithin = start + newLengthPages <= MAX_PAGES;
      const hasRoom = this.isFree(start + lengthPages, grown);
      found.push(
        ...reasons([
          ['EINVAL', !isWithin],
          ['EEXIST', !isWithin || !hasRoom],
        ]),
      );
    } else if (to !== 'anywhere') {
      const meets = to < start + lengthPages && start < to + newLengthPages;
      found.push(
        ...reasons([
          ['EINVAL', to + newLengthPages > MAX_PAGES || meets],
          ['EEXIST', overlap === 'refuse' && !this.isFree(to, newLengthPages)],
        ]),
      );
    }
    return found;
  }

  /** @param target where the pages are then: where they were, or elsewhere. */
  remap({ start, lengthPages, newLengthPages }: EagerRemap, target: number): void {
    const moved = this.#in(start, lengthPages);
    this.unmap(start, lengthPages);
    if (target !== start) this.unmap(target, newLengthPages);
    const last = moved.at(-1)!;
    for (let index = 0; index < newLengthPages; index++) {
      const further = { ...last, objectPage: last.objectPage + index - lengthPages + 1, own: undefined };
      this.pages.set(target + index, moved[index] ?? further);
    }
  }

  /** Why a range cannot be used that must be mapped all over. */
  refuseUse(start: number, length: number): Refusals {
    return reasons([
      ['EINVAL', start + length > MAX_PAGES],
      ['ENOMEM', this.#in(start, length).length < length],
    ]);
  }

  refuseCommit(start: number, length: number): Refusals {
    const others = this.#in(start, length).some(({ capability }) => capability !== undefined);
    return [...this.refuseUse(start, length), ...reasons([['ENOTSUP', others]])];
  }

  commit(start: number, length: number): void {
    for (const page of range(start, length)) this.own(page);
  }

  /** @returns how many pages of its own the space had there. */
  dontNeed(start: number, length: number): number {
    const pages = this.#in(start, length).filter(({ own }) => own !== undefined);
    for (const page of pages) page.own = undefined;
    return pages.length;
  }

  refuseOnFork(start: number, length: number, onFork: OnFork): Refusals {
    const others = this.#in(start, length).some(({ capability }) => capability !== undefined);
    return [...this.refuseUse(start, length), ...reasons([['EINVAL', onFork === 'wipe' && others]])];
  }

  onFork(start: number, length: number, onFork: OnFork): void {
    this.#change(start, length, (page) => ({ ...page, onFork }));
  }

  access(page: number, access: Access): AccessResult {
    const found = this.pages.get(page);
    if (found === undefined) return 'unmapped';
    if (!found.protection.includes(LETTER[access])) return 'protection';
    return this.lost(page) ?? 'resolved';
  }

  /** Why a mapped page shows nothing, whatever its mapping grants. */
  lost(page: number): 'revoked' | 'beyond-end' | undefined {
    const { capability, objectPage } = this.pages.get(page)!;
    if (capability?.isRevoked === true) return 'revoked';
    return capability !== undefined && objectPage >= capability.mappedPages ? 'beyond-end' : undefined;
  }

  /** What a page is now. */
  shown(page: number): Uint8Array {
    const { own, capability, objectPage } = this.pages.get(page)!;
    if (own !== undefined) return own;
    return capability === undefined ? ZEROS : capability.object.page(capability.first + objectPage);
  }

  /**
   * How many bytes of a page may be written so that everybody agrees what becomes of them: a page that is the object's
   * own may end before its last byte.
   */
  writableBytes(page: number): number {
    const found = this.pages.get(page);
    if (found?.sharing !== 'shared' || this.lost(page) !== undefined) return PAGE_SIZE;
    const { object, first } = found.capability!;
    return Math.min(object.sizeBytes - (first + found.objectPage) * PAGE_SIZE, PAGE_SIZE);
  }

  /** Makes a page ready to be written, as an access does that writes. */
  touch(page: number): void {
    const { sharing, capability, objectPage } = this.pages.get(page)!;
    if (sharing === 'private') this.own(page);
    else capability!.object.touch((capability!.first + objectPage) * PAGE_SIZE, 1);
  }

  /** A private page's bytes, to be written. */
  own(page: number): Uint8Array {
    return (this.pages.get(page)!.own ??= this.shown(page).slice());
  }

  byte(address: number): number {
    return this.shown(Math.floor(address / PAGE_SIZE))[address % PAGE_SIZE]!;
  }

  write(address: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const [page, offset] = [Math.floor((address + done) / PAGE_SIZE), (address + done) % PAGE_SIZE];
      const piece = bytes.subarray(done, done + PAGE_SIZE - offset);
      const { sharing, capability, objectPage } = this.pages.get(page)!;
      if (sharing === 'private') this.own(page).set(piece, offset);
      else capability!.object.write((capability!.first + objectPage) * PAGE_SIZE + offset, piece);
      done += piece.length;
    }
  }

  fork(): EagerSpace {
    const child = new EagerSpace();
    for (const [number, page] of this.pages) {
      if (page.onFork === 'omit') continue;
      child.pages.set(number, { ...page, own: page.onFork === 'wipe' ? undefined : page.own?.slice() });
    }
    return child;
  }

  /** Forgets the own copies of pages that show nothing any more. @returns how many there were. */
  forgetLost(): number {
    let lost = 0;
    for (const [number, page] of this.pages) {
      if (page.own === undefined || this.lost(number) === undefined) continue;
      page.own = undefined;
      lost++;
    }
    return lost;
  }

  isFree(start: number, length: number): boolean {
    return this.#in(start, length).length === 0;
  }

  /** Frames that hold this space's own pages when nothing is shared. */
  get frames(): number {
    let frames = 0;
    for (const { own } of this.pages.values()) if (own !== undefined) frames++;
    return frames;
  }

  #in(start: number, length: number): EagerPage[] {
    return range(start, length).flatMap((page) => this.pages.get(page) ?? []);
  }

  #change(start: number, length: number, change: (page: EagerPage) => EagerPage): void {
    for (const page of range(start, length)) this.pages.set(page, change(this.pages.get(page)!));
  }
}

/** The most that a mapping can ever grant. Each right wants the capability's, and what is private is not written there. */
export const most = ({ capability, sharing }: Pick<EagerMapping, 'capability' | 'sharing'>): Protection => {
  if (capability === undefined) return 'rwx';
  const { rights } = capability;
  const r = rights.has('read') ? 'r' : '-';
  const w = rights.has('read') && (sharing === 'private' || rights.has('write')) ? 'w' : '-';
  return `${r}${w}${rights.has('exec') ? 'x' : '-'}` as Protection;
};

export const allows = (ceiling: Protection, protection: Protection): boolean =>
  [...protection].every((letter) => letter === '-' || ceiling.includes(letter));

const reasons = (all: readonly (readonly [code: string, applies: boolean])[]): Refusals =>
  all.filter(([, applies]) => applies).map(([code]) => code);

/** Memory that forks share: an object that nobody else has. */
const sharedZeros = (lengthPages: number): EagerCapability =>
  new EagerCapability({
    object: new EagerObject({ kind: 'anonymous', sizeBytes: lengthPages * PAGE_SIZE, resizable: false }),
    rights: new Set(RIGHTS),
  });

const range = (start: number, length: number): number[] =>
  Array.from({ length }, (_, index) => start + index);
