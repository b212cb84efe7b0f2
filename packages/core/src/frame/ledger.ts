/**
 * The ledger of raw references: for each handle that was turned into an address and not back, where that
 * was done. It is kept in checking mode only, by one thread, for its own; the counts in the slots hold for all.
 */
import { type FrameNumber, hex } from './address.js';

export interface RawReference {
  readonly frame: FrameNumber;
  /** The call stack that made it. */
  readonly madeAt: string;
}

export class RawLedger {
  readonly #entries = new Map<FrameNumber, string[]>();

  /** @param frame of a handle that is turned into an address now. */
  add(frame: FrameNumber): void {
    const madeAt = callersOfIntoRaw(new Error('raw reference').stack ?? '');
    const known = this.#entries.get(frame);
    if (known === undefined) this.#entries.set(frame, [madeAt]);
    else known.push(madeAt);
  }

  /** Strikes out the newest raw reference of a frame. One that another thread made is not here. */
  remove(frame: FrameNumber): void {
    const known = this.#entries.get(frame);
    known?.pop();
    if (known?.length === 0) this.#entries.delete(frame);
  }

  /** The raw references that have not been turned back into handles. */
  *outstanding(): Generator<RawReference> {
    for (const [frame, places] of this.#entries) for (const madeAt of places) yield { frame, madeAt };
  }

  /** A line for each outstanding raw reference: its frame, and where it was made. */
  report(): string[] {
    return [...this.outstanding()].map(
      ({ frame, madeAt }) => `frame ${hex(frame)} has a raw reference made ${madeAt.split('\n')[0]!.trim()}`,
    );
  }
}

/** The call stack below the `intoRaw` that asked (a handle's own may call another's): the first line is its caller's. */
const callersOfIntoRaw = (stack: string): string => {
  const lines = stack.split('\n').map((line) => line.trim());
  const isIntoRaw = (line: string | undefined): boolean => line !== undefined && /\bintoRaw\b/.test(line);
  let caller = lines.findIndex(isIntoRaw);
  while (isIntoRaw(lines[caller])) caller++;
  return lines.slice(Math.max(caller, 0)).join('\n') || 'at an unknown place';
};
