/**
 * The oracle's capabilities: which part of an object is reached, with what rights, and until when. Mappings are made by
 * them: closing one ends no mapping, and revoking it, or one that it was derived from, ends all.
 */
import { PAGE_SIZE } from '../../src/frame/index.js';
import type { Right } from '../../src/vmo/index.js';
import { type EagerObject, pagesOf } from './eager-objects.js';

export interface EagerReach {
  readonly object: EagerObject;
  readonly rights: ReadonlySet<Right>;
  /** In bytes: where a slice begins in the object, and how long it is; undefined where it is all. */
  readonly start?: number;
  readonly sliceBytes?: number | undefined;
  /** What it was derived from. */
  readonly above?: EagerCapability | undefined;
}

export class EagerCapability {
  readonly object: EagerObject;
  readonly rights: ReadonlySet<Right>;
  readonly start: number;
  readonly sliceBytes: number | undefined;
  #above: EagerCapability | undefined;
  #ended: 'closed' | 'revoked' | undefined;

  constructor({ object, rights, start = 0, sliceBytes, above }: EagerReach) {
    this.object = object;
    this.rights = rights;
    this.start = start;
    this.sliceBytes = sliceBytes;
    this.#above = above;
  }

  get sizeBytes(): number {
    return this.sliceBytes ?? this.object.sizeBytes;
  }

  get sizePages(): number {
    return pagesOf(this.sizeBytes);
  }

  /** Pages that a mapping shows: one that a slice ends in, and the object does not, is nobody's to see whole. */
  get mappedPages(): number {
    const isPart = this.sliceBytes !== undefined && this.start + this.sliceBytes < this.object.sizeBytes;
    return isPart ? Math.floor(this.sizeBytes / PAGE_SIZE) : this.sizePages;
  }

  /** The object's page that is page 0 of this. */
  get first(): number {
    return this.start / PAGE_SIZE;
  }

  /** Whether mappings that were made by it have ended. */
  get isRevoked(): boolean {
    if (this.#ended === 'revoked') return true;
    // What was derived from a closed one counts as derived from what that was derived from.
    while (this.#above !== undefined && this.#above.#ended === 'closed') this.#above = this.#above.#above;
    return this.#above !== undefined && this.#above.isRevoked;
  }

  /** What every call on it answers, if it is not open. */
  get refusal(): 'EBADF' | 'ESTALE' | undefined {
    if (this.#ended === 'closed') return 'EBADF';
    return this.isRevoked ? 'ESTALE' : undefined;
  }

  get isOpen(): boolean {
    return this.refusal === undefined;
  }

  close(): void {
    this.#ended = 'closed';
  }

  revoke(): void {
    this.#ended = 'revoked';
  }
}
