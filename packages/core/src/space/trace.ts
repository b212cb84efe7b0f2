/**
 * An event log as a trace for people: JSON in the Trace Event Format's object form, which Perfetto
 * (ui.perfetto.dev) and chrome://tracing open. An address space is a process of the trace, by its id, with
 * one thread, `memory`:
 *
 *      fault, split, copy, close   i     an instant of the thread
 *      copy                        C     and the counter `frames copied`: so far, of this space, in this log
 *      fork                        X X   a slice on the parent's thread and one on the child's,
 *                                  s f   and an arrow from the one to the other
 *      wait-begin, wait-end        b e   a bar of its own. Viewers want both ends: a wait of which the log
 *                                        has one only goes on to the edge of the trace
 *
 * The rules of the format that shape it: an arrow starts and ends at the innermost slice of its thread at
 * that time, so its ends lie strictly inside their slices, with nothing between; slices of one thread may not
 * overlap, so a fork's is over before the next event; arrows and bars are matched by category, name and id.
 * Time 0 is the oldest event's. Clocks are coarser than events: each event is drawn 10 ns after the one
 * before it, at least.
 */
import { hex, InvalidArgument } from '../frame/index.js';
import type { ForkEvent, MemoryEvent, WaitBeginEvent, WaitEndEvent } from './event-log.js';

export interface TraceOptions {
  /** What address spaces are called, by id. One that has no name, or an empty one, is `space 7`. */
  readonly names?: ReadonlyMap<number, string>;
}

/** What every event of a trace has. `ts` and `dur` are in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly cat: string;
  readonly ph: 'M' | 'X' | 'i' | 'C' | 'b' | 'e' | 's' | 'f';
  readonly ts: number;
  readonly pid: number;
  readonly tid: number;
  readonly dur?: number;
  readonly id?: string;
  readonly s?: 't';
  readonly bp?: 'e';
  readonly args?: Readonly<Record<string, string | number>>;
}

/** Events are drawn so far apart at least: room for a fork's slices, and for their arrow inside. */
const STEP_NS = 10;
/** How wide forks are drawn where there is room. The log doesn't say how long they took. */
const FORK_NS = 100_000;

/**
 * The events of one log as a trace, an event a line.
 * @param events oldest first.
 * @throws InvalidArgument where the time of one is not a finite number.
 */
export const toChromeTrace = (
  events: Iterable<MemoryEvent>,
  { names = new Map() }: TraceOptions = {},
): string => {
  const lines: string[] = [];
  for (const event of draw([...events], names)) lines.push(JSON.stringify(event));
  return `{"displayTimeUnit":"ns","traceEvents":[\n${lines.join(',\n')}\n]}\n`;
};

function* draw(log: readonly MemoryEvent[], names: ReadonlyMap<number, string>): Iterable<TraceEvent> {
  const times = timesOf(log);
  const begins = new Map<number, WaitBeginEvent>();
  const ends = new Map<number, WaitEndEvent>();
  for (const event of log) {
    if (event.kind === 'wait-begin') begins.set(event.wait, event);
    if (event.kind === 'wait-end') ends.set(event.wait, event);
  }
  const copied = new Map<number, number>();

  yield* describeSpaces(log, names);
  for (const [wait, end] of ends)
    if (!begins.has(wait)) yield barOf(end, 'b', 0, { begun: 'before the log' });
  for (const [index, event] of log.entries()) {
    const time = times[index]!;
    switch (event.kind) {
      case 'fault': {
        const { access, outcome, page } = event;
        yield instant(event, time, `${access} fault: ${outcome}`, { page: hex(page) });
        break;
      }
      case 'fork':
        yield* drawFork(event, index, time, Math.min(times[index + 1]! - time, 2 * FORK_NS));
        break;
      case 'split':
        yield instant(event, time, 'table copied', { level: event.level, firstPage: hex(event.firstPage) });
        break;
      case 'copy': {
        const { space, page, from, to } = event;
        const count = (copied.get(space) ?? 0) + 1;
        copied.set(space, count);
        yield instant(event, time, 'frame copied', { page: hex(page), from: hex(from), to: hex(to) });
        yield { ...placed('frames', 'copy', 'C', space, time), args: { copied: count } };
        break;
      }
      case 'close':
        yield instant(event, time, 'closed', {});
        break;
      case 'wait-begin':
        yield barOf(event, 'b', time, { page: hex(event.page), access: event.access });
        break;
      case 'wait-end':
        yield barOf(event, 'e', time, { page: hex(event.page), result: event.result });
        break;
    }
  }
  for (const [wait, begin] of begins) {
    if (!ends.has(wait)) yield barOf(begin, 'e', times[log.length]!, { result: 'not in the log' });
  }
}

/** When each event is drawn, and last, when the trace ends: in nanoseconds, ascending. */
const timesOf = (log: readonly MemoryEvent[]): Float64Array => {
  const times = new Float64Array(log.length + 1);
  let last = -STEP_NS;
  for (const [index, { kind, time }] of log.entries()) {
    if (!Number.isFinite(time)) throw new InvalidArgument(`event ${index}, a ${kind}: its time is ${time}`);
    last = Math.max(Math.round((time - log[0]!.time) * 1e6), last + STEP_NS);
    times[index] = last;
  }
  times[log.length] = last + 2 * FORK_NS;
  return times;
};

function* describeSpaces(
  log: readonly MemoryEvent[],
  names: ReadonlyMap<number, string>,
): Iterable<TraceEvent> {
  const spaces = new Set<number>();
  for (const event of log) {
    spaces.add(event.space);
    if (event.kind === 'fork') spaces.add(event.child);
  }
  for (const space of spaces) {
    const name = wellFormed(names.get(space) || `space ${space}`);
    yield { ...placed('process_name', '__metadata', 'M', space, 0), args: { name } };
    yield { ...placed('thread_name', '__metadata', 'M', space, 0), args: { name: 'memory' } };
  }
}

/** Perfetto refuses a name that has half a surrogate pair. */
const wellFormed = (text: string): string => text.replaceAll(/\p{Surrogate}/gu, '\u{fffd}');

/** @param room nanoseconds to the next event: the slices take half, and the arrow is in their middle. */
function* drawFork(event: ForkEvent, index: number, time: number, room: number): Iterable<TraceEvent> {
  const { space: parent, child, forkKind } = event;
  const slice = { dur: Math.floor(room / 2) / 1000 };
  const inside = time + Math.floor(room / 4);
  const id = hex(index + 1);
  yield { ...placed(`fork (${forkKind})`, 'fork', 'X', parent, time), ...slice, args: { child } };
  yield { ...placed('forked', 'fork', 'X', child, time), ...slice, args: { parent } };
  yield { ...placed('fork', 'fork', 's', parent, inside), id };
  yield { ...placed('fork', 'fork', 'f', child, inside), id, bp: 'e' };
}

const instant = (
  { kind, space }: MemoryEvent,
  time: number,
  name: string,
  args: Readonly<Record<string, string | number>>,
): TraceEvent => ({ ...placed(name, kind, 'i', space, time), s: 't', args });

/** One end of a wait's bar. */
const barOf = (
  { space, wait }: WaitBeginEvent | WaitEndEvent,
  phase: 'b' | 'e',
  time: number,
  args: Readonly<Record<string, string | number>>,
): TraceEvent => ({ ...placed('pager wait', 'wait', phase, space, time), id: hex(wait), args });

/** What all events of a trace have. @param time in nanoseconds. */
const placed = (name: string, cat: string, ph: TraceEvent['ph'], space: number, time: number) => ({
  name,
  cat,
  ph,
  ts: time / 1000,
  pid: space,
  tid: space,
});
