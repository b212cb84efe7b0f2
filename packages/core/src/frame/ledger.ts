/**
 * The ledger of raw references: for each frame, how many handles were turned into its address and not back, and
 * where that was done. It is kept in checking mode only, by one thread, for its own; the counts in the slots hold
 * for all.
 *
 * Raw references of one frame are equal: which of them came back cannot be told. So all places are kept while
 * any reference is outstanding, and where there are more of them than references, each is a candidate.
 */
import { type FrameNumber, hex } from './address.js';

export interface RawReference {
  readonly frame: FrameNumber;
  /** The call stacks one of which made it. */
  readonly candidates: readonly string[];
}

interface Entry {
  outstanding: number;
  /** How often each call stack made one, since there was none. */
  readonly made: Map<string, number>;
}

export class RawLedger {
  readonly #entries = new Map<FrameNumber, Entry>();

  /** @param frame of a handle that is turned into an address now. */
  add(frame: FrameNumber): void {
    const madeAt = callersOfIntoRaw(new Error('raw reference').stack ?? '');
    let entry = this.#entries.get(frame);
    if (entry === undefined) this.#entries.set(frame, (entry = { outstanding: 0, made: new Map() }));
    entry.outstanding++;
    entry.made.set(madeAt, (entry.made.get(madeAt) ?? 0) + 1);
  }

  /** Strikes out one raw reference of a frame. One that another thread made is not here. */
  remove(frame: FrameNumber): void {
    const entry = this.#entries.get(frame);
    if (entry !== undefined && --entry.outstanding === 0) this.#entries.delete(frame);
  }

  /** The raw references that have not been turned back into handles. */
  *outstanding(): Generator<RawReference> {
    for (const [frame, { outstanding, made }] of this.#entries) {
      const all = [...made.values()].reduce((sum, times) => sum + times, 0);
      if (all > outstanding) {
        for (let left = outstanding; left > 0; left--) yield { frame, candidates: [...made.keys()] };
        continue;
      }
      for (const [madeAt, times] of made) {
        for (let left = times; left > 0; left--) yield { frame, candidates: [madeAt] };
      }
    }
  }

  /** A line for each outstanding raw reference: its frame, and where it was made, or may have been. */
  report(): string[] {
    return [...this.outstanding()].map(({ frame, candidates }) => {
      const places = [...new Set(candidates.map((madeAt) => madeAt.split('\n')[0]!.replace(/^at /, '')))];
      const made = places.length === 1 ? places[0]! : `one of: ${places.join('; ')}`;
      return `frame ${hex(frame)} has a raw reference made at ${made}`;
    });
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
