import { expect, test } from 'vitest';
import { PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import { EventLog, toChromeTrace } from '../../src/space/index.js';
import { mapPages, peek, poke } from '../model/touch.js';
import { makeWorld } from '../model/world.js';

/** Events without their times, as short lines. */
const lines = (log: EventLog): string[] =>
  [...log].map(({ kind, space, ...rest }) => {
    const shown = Object.entries(rest).filter(([name]) => !['time', 'from', 'to'].includes(name));
    return [kind, `space ${space}`, ...shown.map(([name, value]) => `${name} ${String(value)}`)].join(', ');
  });

test('a log records faults, forks, splits, copies and closes, in order', () => {
  using world = makeWorld();
  const log = new EventLog();
  const space = world.space();
  mapPages(space, 4, 2, 'rw-');
  poke(space, 4, 1);
  world.virtualMemory.log = log;
  peek(space, 5);
  const child = space.fork();
  poke(child, 4, 2);
  expect(space.prefault(virtAddr(0), PAGE_SIZE, 'read')?.kind).toBe('unmapped');
  child.close();
  child.close();
  world.virtualMemory.log = undefined;
  poke(space, 4, 3);
  expect(lines(log)).toEqual([
    'fault, space 1, page 5, access read, outcome zero-mapped',
    'fork, space 1, child 2, forkKind tables',
    'split, space 2, level 1, firstPage 0',
    'split, space 2, level 0, firstPage 0',
    'copy, space 2, page 4',
    'fault, space 2, page 4, access write, outcome copied',
    'fault, space 1, page 0, access read, outcome unmapped',
    'close, space 2',
  ]);
  expect(world.virtualMemory.statistics().tablesCopied).toBe(2);
  expect(JSON.parse(toChromeTrace(log))).toHaveProperty('traceEvents');
});

test('a copy of an object’s page names the frame that it was copied from', () => {
  using world = makeWorld();
  const space = world.space();
  const { objects } = world.virtualMemory;
  using vmo = objects.create({ size: PAGE_SIZE });
  vmo.writeSync(0, Uint8Array.of(5));
  space.map({ at: virtAddr(PAGE_SIZE), lengthBytes: PAGE_SIZE, protection: 'rw-', vmo });
  const log = new EventLog();
  world.virtualMemory.log = log;
  poke(space, 1, 6);
  using page = vmo.page(0, 'read');
  const [copy] = log;
  expect(copy).toMatchObject({ kind: 'copy', from: page!.frame, page: vpn(1) });
});

test('a log shows how long an access waited for its pager, and how that ended', async () => {
  using world = makeWorld();
  const space = world.space();
  let fail = true;
  const pager = {
    commit: async ({ length }: { length: number }) => {
      if (fail) throw new Error('the disk is gone');
      return Promise.resolve(new Uint8Array(length).fill(3));
    },
  };
  using vmo = world.virtualMemory.objects.create({ size: PAGE_SIZE, pager });
  space.map({ at: virtAddr(PAGE_SIZE), lengthBytes: PAGE_SIZE, protection: 'r--', vmo });
  const log = new EventLog();
  world.virtualMemory.log = log;
  for (const settles of [false, true]) {
    fail = !settles;
    const outcome = space.handleFault(vpn(1), 'read');
    if (outcome.kind !== 'waiting') throw new Error(outcome.kind);
    await outcome.until.then(
      () => expect(settles).toBe(true),
      () => expect(settles).toBe(false),
    );
  }
  expect(peek(space, 1)).toBe(3);
  expect(lines(log)).toEqual([
    'wait-begin, space 1, page 1, access read, wait 1',
    'wait-end, space 1, page 1, wait 1, result failed',
    'wait-begin, space 1, page 1, access read, wait 2',
    'wait-end, space 1, page 1, wait 2, result committed',
    'fault, space 1, page 1, access read, outcome mapped',
  ]);
});
