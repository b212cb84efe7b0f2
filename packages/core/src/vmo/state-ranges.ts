/** State tables: pages in a row that are in the same state are one line, here and in the reports of other layers. */
import { hex } from '../frame/index.js';

/** Pages `first … end - 1`, all in one state. */
export interface StateRange {
  readonly first: number;
  readonly end: number;
  readonly state: string;
  /** The first page's frame. The others have those that follow, or `repeats`: the same. */
  readonly frame?: number;
  readonly repeats?: boolean;
}

/** Joins ranges in a row that are in the same state, and whose frames are in a row too, or one and the same. */
export function* joinRanges(ranges: Iterable<StateRange>): Generator<StateRange> {
  let last: StateRange | undefined;
  for (const range of ranges) {
    const joined = last === undefined ? undefined : join(last, range);
    if (joined === undefined && last !== undefined) yield last;
    last = joined ?? range;
  }
  if (last !== undefined) yield last;
}

const join = (one: StateRange, other: StateRange): StateRange | undefined => {
  if (one.end !== other.first || one.state !== other.state) return undefined;
  const { first, frame } = one;
  const { end } = other;
  if (frame === undefined && other.frame === undefined) return { ...one, end };
  if (frame === undefined || other.frame === undefined) return undefined;
  const pages = one.end - first;
  if (one.repeats !== true && other.repeats !== true && other.frame === frame + pages) return { ...one, end };
  const isSame = other.frame === frame && isOneFrame(one) && isOneFrame(other);
  return isSame ? { ...one, end, repeats: true } : undefined;
};

const isOneFrame = ({ first, end, repeats = false }: StateRange): boolean => repeats || end - first === 1;

/** The frames of a range, for people; undefined where it has none. */
export const formatFrames = (range: StateRange): string | undefined => {
  const { first, end, frame } = range;
  if (frame === undefined) return undefined;
  return isOneFrame(range) ? `frame ${hex(frame)}` : `frames ${hex(frame)}-${hex(frame + end - first - 1)}`;
};
