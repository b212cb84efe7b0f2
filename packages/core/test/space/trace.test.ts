/** The trace of an event log, against the rules of the Trace Event Format and of the viewers that read it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frameNumber, InvalidArgument, vpn } from '../../src/frame/index.js';
import { EventLog, type MemoryEvent } from '../../src/space/event-log.js';
import { FAULT_NAMES } from '../../src/space/fault.js';
import { toChromeTrace } from '../../src/space/trace.js';

/** An event of a trace, before anything is known of it. */
type Fields = Record<string, unknown>;
interface Trace {
  displayTimeUnit: unknown;
  traceEvents: Fields[];
}

const parse = (json: string): Trace => JSON.parse(json) as Trace;
/** The events of a log's trace that are of a phase. */
const phaseOf = (events: Iterable<MemoryEvent>, phase: string): Fields[] =>
  parse(toChromeTrace(events)).traceEvents.filter(({ ph }) => ph === phase);

/** The fields that a phase must have beside those that all have, and may have none but. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  M: ['args'],
  X: ['dur', 'args'],
  i: ['s', 'args'],
  C: ['args'],
  b: ['id', 'args'],
  e: ['id', 'args'],
  s: ['id'],
  f: ['id', 'bp'],
};

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isTime = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0;
const isId = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0;

/** What is wrong with the fields of one event, whatever stands around it. */
function* fieldProblems(event: Fields): Iterable<string> {
  const { ph, args } = event;
  const wanted = FIELDS[String(ph)];
  if (wanted === undefined) return yield `unknown phase ${String(ph)}`;
  const all = ['name', 'cat', 'ph', 'ts', 'pid', 'tid', ...wanted];
  for (const field of all) if (!(field in event)) yield `no ${field}`;
  for (const field of Object.keys(event)) if (!all.includes(field)) yield `has a ${field}`;
  if (!isText(event['name']) || !isText(event['cat'])) yield 'name or cat is no text';
  if (!isTime(event['ts'])) yield 'ts is no time';
  if (!isId(event['pid']) || !isId(event['tid'])) yield 'pid or tid is no number';
  if (wanted.includes('id') && !/^0x[0-9a-f]+$/.test(String(event['id']))) yield 'id is no number in hex';
  if (ph === 'X' && !(isTime(event['dur']) && event['dur'] > 0)) yield 'dur is no time';
  if (ph === 'i' && !['t', 'p', 'g'].includes(String(event['s']))) yield 'no such scope';
  if (ph === 'f' && event['bp'] !== 'e') yield 'does not end at the enclosing slice';
  if (!wanted.includes('args')) return;
  if (typeof args !== 'object' || args === null) return yield 'args is no object';
  const values = Object.values(args);
  if (ph === 'C' && (values.length === 0 || !values.every(Number.isFinite))) yield 'counts no numbers';
  if (ph === 'M' && !isText((args as Fields)['name'])) yield 'names nothing';
}

interface Slice {
  readonly start: number;
  readonly end: number;
}

/** Everything that is wrong with a trace, a line each. */
const problemsOf = (json: string): string[] => {
  const { displayTimeUnit, traceEvents } = parse(json);
  const problems: string[] = [];
  if (displayTimeUnit !== 'ms' && displayTimeUnit !== 'ns') problems.push('displayTimeUnit is no unit');
  if (!Array.isArray(traceEvents)) return [...problems, 'traceEvents is no list'];
  if (/\\ud[89a-f]/i.test(json)) problems.push('half a surrogate pair');

  let last = 0;
  const named = new Set<string>();
  /** Of each thread: the slices that are open, innermost last. An instant is a slice without width. */
  const stacks = new Map<string, Slice[]>();
  const bars = new Map<string, boolean>();
  const arrows = new Map<string, boolean>();
  for (const [index, event] of traceEvents.entries()) {
    const problem = (what: string) => void problems.push(`event ${index}: ${what}`);
    for (const what of fieldProblems(event)) problem(what);
    const { ph, name, cat, id } = event;
    const ts = event['ts'] as number;
    const thread = `${event['pid'] as number}/${event['tid'] as number}`;
    if (ts < last) problem('ts goes back');
    last = ts;
    if (ph === 'M') {
      if (name !== 'process_name' && name !== 'thread_name') problem('is about nothing known');
      if (named.has(`${thread} ${name as string}`)) problem('named twice');
      named.add(`${thread} ${name as string}`);
      continue;
    }
    if (!named.has(`${thread} process_name`)) problem('its process has no name');
    if (!named.has(`${thread} thread_name`)) problem('its thread has no name');

    // An arrow's ends come after their slices, so they see what their thread was left with.
    const stack = stacks.get(thread) ?? [];
    stacks.set(thread, stack);
    if (ph === 'X' || ph === 'i') {
      while (stack.length > 0 && stack.at(-1)!.end <= ts) stack.pop();
      const end = ts + (ph === 'X' ? (event['dur'] as number) : 0);
      const outer = stack.at(-1);
      if (outer !== undefined && end > outer.end) problem('overlaps the slice before it');
      stack.push({ start: ts, end });
    }
    const key = JSON.stringify([cat, name, id, ph === 'b' || ph === 'e' ? event['pid'] : 0]);
    if (ph === 'b' || ph === 's') {
      const begun = ph === 'b' ? bars : arrows;
      if (begun.has(key)) problem('begins twice');
      begun.set(key, true);
    }
    if (ph === 'e' || ph === 'f') {
      const begun = ph === 'e' ? bars : arrows;
      if (begun.get(key) !== true) problem('ends, and has not begun');
      begun.set(key, false);
    }
    if (ph === 's' || ph === 'f') {
      const slice = stack.at(-1);
      if (slice === undefined || slice.start >= ts || slice.end <= ts) problem('is in no slice');
    }
  }
  for (const begun of [...bars, ...arrows]) if (begun[1]) problems.push(`${begun[0]} does not end`);
  return problems;
};

/** A log with every kind of event, for a parent and two children. */
const richLog = (now?: () => number): EventLog => {
  const log = new EventLog(now === undefined ? {} : { now });
  log.faulted(1, vpn(0x10), 'write', 'zero-filled');
  log.forked(1, 2, 'tables');
  log.forked(1, 3, 'pages');
  const slow = log.waitBegan(3, vpn(0x30), 'execute');
  const quick = log.waitBegan(3, vpn(0x31), 'read');
  log.split(2, vpn(0), 0);
  log.copied(2, vpn(0x10), frameNumber(0x80), frameNumber(0x81));
  log.faulted(2, vpn(0x10), 'write', 'copied');
  log.waitEnded(3, vpn(0x31), quick, 'failed');
  log.copied(2, vpn(0x11), frameNumber(0x82), frameNumber(0x83));
  log.waitEnded(3, vpn(0x30), slow, 'committed');
  log.faulted(1, vpn(0x99), 'read', 'unmapped');
  log.closed(2);
  return log;
};

/** A clock that goes back. */
const decreasing = (): (() => number) => {
  let time = 1000;
  return () => (time -= 0.5);
};

/** A clock that stands still for four events. */
const coarse = (): (() => number) => {
  let asked = 0;
  return () => Math.floor(asked++ / 4) * 0.005;
};

const GOLDEN = `{"displayTimeUnit":"ns","traceEvents":[
{"name":"process_name","cat":"__metadata","ph":"M","ts":0,"pid":1,"tid":1,"args":{"name":"init"}},
{"name":"thread_name","cat":"__metadata","ph":"M","ts":0,"pid":1,"tid":1,"args":{"name":"memory"}},
{"name":"process_name","cat":"__metadata","ph":"M","ts":0,"pid":2,"tid":2,"args":{"name":"space 2"}},
{"name":"thread_name","cat":"__metadata","ph":"M","ts":0,"pid":2,"tid":2,"args":{"name":"memory"}},
{"name":"fork (tables)","cat":"fork","ph":"X","ts":0,"pid":1,"tid":1,"dur":100,"args":{"child":2}},
{"name":"forked","cat":"fork","ph":"X","ts":0,"pid":2,"tid":2,"dur":100,"args":{"parent":1}},
{"name":"fork","cat":"fork","ph":"s","ts":50,"pid":1,"tid":1,"id":"0x1"},
{"name":"fork","cat":"fork","ph":"f","ts":50,"pid":2,"tid":2,"id":"0x1","bp":"e"},
{"name":"frame copied","cat":"copy","ph":"i","ts":1000,"pid":2,"tid":2,"s":"t",\
"args":{"page":"0x3","from":"0x80","to":"0x81"}},
{"name":"frames","cat":"copy","ph":"C","ts":1000,"pid":2,"tid":2,"args":{"copied":1}},
{"name":"write fault: copied","cat":"fault","ph":"i","ts":2000,"pid":2,"tid":2,"s":"t","args":{"page":"0x3"}},
{"name":"closed","cat":"close","ph":"i","ts":3000,"pid":2,"tid":2,"s":"t","args":{}}
]}
`;

describe('a trace', () => {
  test('is what the golden text says', () => {
    const log = new EventLog();
    log.forked(1, 2, 'tables');
    log.copied(2, vpn(3), frameNumber(0x80), frameNumber(0x81));
    log.faulted(2, vpn(3), 'write', 'copied');
    log.closed(2);
    expect(toChromeTrace(log, { names: new Map([[1, 'init']]) })).toBe(GOLDEN);
  });

  test('of a log with everything in it keeps the rules, whatever the clock', () => {
    const clocks = [undefined, () => 0, () => 1_700_000_000_000, () => -5, decreasing(), coarse()];
    for (const now of clocks) expect(problemsOf(toChromeTrace(richLog(now)))).toEqual([]);
  });

  test('of no events keeps the rules', () => {
    expect(problemsOf(toChromeTrace([]))).toEqual([]);
  });

  test('of any log that has lost events keeps the rules', () => {
    const step = fc.record({
      act: fc.constantFrom('fault', 'fork', 'split', 'copy', 'close', 'begin', 'end'),
      space: fc.integer({ min: 1, max: 4 }),
      page: fc.nat(2 ** 27 - 1),
      after: fc.constantFrom(0, 0, 0.000_001, 0.1, 1, 1000, -3),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 40 }), (steps, capacity) => {
        let time = 1e6;
        const log = new EventLog({ capacity, now: () => time });
        const waits: { readonly space: number; readonly wait: number }[] = [];
        let child = 5;
        for (const { act, space, page: at, after, pick } of steps) {
          const page = vpn(at);
          time += after;
          if (act === 'fault') log.faulted(space, page, 'read', FAULT_NAMES[pick % FAULT_NAMES.length]!);
          else if (act === 'fork') log.forked(space, child++, 'tables');
          else if (act === 'split') log.split(space, page, pick % 3);
          else if (act === 'copy') log.copied(space, page, frameNumber(1), frameNumber(2));
          else if (act === 'close') log.closed(space);
          else if (act === 'begin') waits.push({ space, wait: log.waitBegan(space, page, 'write') });
          else if (waits.length > 0) {
            const [{ space, wait }] = waits.splice(pick % waits.length, 1) as [(typeof waits)[0]];
            log.waitEnded(space, page, wait, 'committed');
          }
        }
        expect(problemsOf(toChromeTrace(log))).toEqual([]);
      }),
    );
  });

  test('has the times in microseconds from the oldest event on', () => {
    const times = [500, 500.25, 501, 501];
    const log = new EventLog({ now: () => times.shift()! });
    for (let space = 1; space <= 4; space++) log.closed(space);
    expect(phaseOf(log, 'i').map(({ ts }) => ts)).toEqual([0, 250, 1000, 1000.01]);
  });

  test("counts the frames that each space has copied, and nobody else's", () => {
    const log = new EventLog();
    for (const space of [1, 2, 1, 1]) log.copied(space, vpn(1), frameNumber(1), frameNumber(2));
    const counts = phaseOf(log, 'C').map(({ pid, args }) => [pid, args]);
    expect(counts).toEqual([
      [1, { copied: 1 }],
      [2, { copied: 1 }],
      [1, { copied: 2 }],
      [1, { copied: 3 }],
    ]);
  });

  test('draws waits of which the log has one end only to the edge', () => {
    const log = new EventLog({ capacity: 2 });
    const lost = log.waitBegan(1, vpn(1), 'read');
    log.waitEnded(1, vpn(1), lost, 'committed');
    const pending = log.waitBegan(1, vpn(2), 'write');
    const bars = [...phaseOf(log, 'b'), ...phaseOf(log, 'e')].map(({ id, ts }) => [id, ts]);
    const [first, second] = [lost, pending].map((wait) => `0x${wait.toString(16)}`);
    expect(bars).toEqual([
      [first, 0],
      [second, 1000],
      [first, 0],
      [second, 1200],
    ]);
    expect(problemsOf(toChromeTrace(log))).toEqual([]);
  });

  test('survives any name', () => {
    const named = (name: string): unknown => {
      const json = toChromeTrace(richLog(), { names: new Map([[1, name]]) });
      expect(problemsOf(json)).toEqual([]);
      const about = parse(json).traceEvents.find((event) => event['pid'] === 1);
      return (about!['args'] as Fields)['name'];
    };
    for (const name of ['"quoted"', 'two\nlines', '\\', '\u0000\u2028', '</script>', '__proto__', '🐄']) {
      expect(named(name)).toBe(name);
    }
    expect(named('\ud83d half \udc04 \ud83d\udc04')).toBe('\ufffd half \ufffd 🐄');
    expect(named('')).toBe('space 1');
  });

  test('refuses a time that is none', () => {
    for (const time of [NaN, Infinity, -Infinity]) {
      expect(() =>
        toChromeTrace([
          { kind: 'close', time: 0, space: 1 },
          { kind: 'close', time, space: 1 },
        ]),
      ).toThrow(InvalidArgument);
    }
  });
});

describe('the rules find', () => {
  /** The first event of a phase. */
  const first = ({ traceEvents }: Trace, phase: string): Fields =>
    traceEvents.find(({ ph }) => ph === phase)!;
  const without = (trace: Trace, phase: string): void => {
    trace.traceEvents.splice(trace.traceEvents.indexOf(first(trace, phase)), 1);
  };
  const change = (phase: string, fields: Fields) => (trace: Trace) => {
    Object.assign(first(trace, phase), fields);
  };
  const drop = (phase: string, field: string) => (trace: Trace) => {
    delete first(trace, phase)[field];
  };
  const broken: readonly (readonly [what: string, spoil: (trace: Trace) => void, problem: string])[] = [
    ['an unknown unit', (trace) => void (trace.displayTimeUnit = 's'), 'displayTimeUnit'],
    ['an unknown phase', change('i', { ph: 'Z' }), 'unknown phase Z'],
    ['an event without a time', drop('i', 'ts'), 'no ts'],
    ['a process that is no number', change('i', { pid: '1' }), 'pid or tid'],
    ['a thread that is not whole', change('i', { tid: 1.5 }), 'pid or tid'],
    ['a slice without a width', drop('X', 'dur'), 'no dur'],
    ['a slice of no width', change('X', { dur: 0 }), 'dur is no time'],
    ['a slice that overlaps', change('X', { dur: 1050 }), 'overlaps'],
    ['an instant without a scope', drop('i', 's'), 'no s'],
    ['an instant of a wrong scope', change('i', { s: 'x' }), 'no such scope'],
    ['a counter of nothing', change('C', { args: {} }), 'counts no numbers'],
    ['a counter of text', change('C', { args: { copied: '1' } }), 'counts no numbers'],
    ['a name that is empty', change('M', { args: { name: '' } }), 'names nothing'],
    ['half a surrogate pair', change('M', { args: { name: '\ud83d' } }), 'surrogate'],
    ['a process that is not named', (trace) => without(trace, 'M'), 'its process has no name'],
    [
      'time that goes back',
      (trace) => void (trace.traceEvents = trace.traceEvents.toReversed()),
      'ts goes back',
    ],
    ['a bar without a beginning', (trace) => without(trace, 'b'), 'has not begun'],
    ['a bar without an end', (trace) => without(trace, 'e'), 'does not end'],
    ['a bar that ends in another process', change('e', { pid: 1, tid: 1 }), 'has not begun'],
    ['a bar with no id', drop('b', 'id'), 'no id'],
    ['bars with one id', change('b', { id: '0x2' }), 'begins twice'],
    ['an arrow without a start', (trace) => without(trace, 's'), 'has not begun'],
    ['an arrow without an end', (trace) => without(trace, 'f'), 'does not end'],
    ['an arrow of two names', change('f', { name: 'spoon' }), 'has not begun'],
    ['an arrow that ends at the next slice', drop('f', 'bp'), 'no bp'],
    ['an arrow with no slice', (trace) => without(trace, 'X'), 'is in no slice'],
    ['an arrow from the edge of a slice', change('X', { dur: 50 }), 'is in no slice'],
    ['an arrow to a thread with no slice', change('f', { pid: 3, tid: 3 }), 'is in no slice'],
  ];

  test.each(broken)('%s', (_what, spoil, problem) => {
    const trace = parse(toChromeTrace(richLog()));
    spoil(trace);
    expect(problemsOf(JSON.stringify(trace)).join('\n')).toContain(problem);
  });
});
