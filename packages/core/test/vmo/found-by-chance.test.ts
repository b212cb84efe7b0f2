/** What the random programs of random-objects.test.ts have found, each as the shortest program that shows it. */
import { expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/frame/index.js';
import type { MemoryObjects } from '../../src/vmo/index.js';
import { first, makeObjects, makePaged, readByte, writeByte } from './paged.js';

const KINDS = ['snapshot-at-least-on-write', 'snapshot-modified'] as const;
const framesOf = ({ memory }: MemoryObjects): number => memory.statistics().byUsage.Frame;

test('an empty view holds up neither decommit nor resize across it', () => {
  const vmo = makeObjects().create({ size: 3 * PAGE_SIZE, resizable: true });
  for (const offset of [PAGE_SIZE, PAGE_SIZE + 5]) {
    using view = vmo.viewSync({ offset, length: 0 });
    expect(view.pieces).toEqual([]);
    vmo.decommit();
    vmo.resizeSync(10);
    vmo.resizeSync(3 * PAGE_SIZE);
  }
});

test('sync of an empty range writes nothing back, wherever it lies', () => {
  const { vmo, pager } = makePaged(2);
  writeByte(vmo, 0, 1);
  pager.heard();
  vmo.syncSync({ offset: 5, length: 0 });
  expect(pager.heard()).toEqual([]);
});

test.each(KINDS)('what a %s saw is not given a page that its snapshot has written', (kind) => {
  const { objects, vmo, pager } = makePaged(2);
  const live = vmo.createChild({ kind });
  const snapshot = live.createChild({ kind: 'snapshot' });
  snapshot.writeSync(0, new Uint8Array(PAGE_SIZE));
  pager.heard();
  vmo.writeSync(0, new Uint8Array(PAGE_SIZE));
  // Nobody can see what the page was: it was not asked for.
  expect(pager.heard()).toEqual(['update 0+1']);
  expect(framesOf(objects)).toBe(2);
  expect(objects.audit()).toEqual([]);
});

test('a snapshot of which a slice is left is not given pages that lie elsewhere, and lets go of them', () => {
  const { objects, vmo, pager } = makePaged(3);
  const snapshot = vmo.createChild({ kind: 'snapshot' });
  const slice = snapshot.createChild({ kind: 'slice', offset: 2 * PAGE_SIZE });
  snapshot.close();
  pager.heard();
  vmo.writeSync(0, new Uint8Array(PAGE_SIZE));
  expect(pager.heard()).toEqual(['update 0+1']);
  expect(objects.audit()).toEqual([]);
  expect(readByte(slice, 0)).toBe(first(2));
  vmo.close({ unwritten: 'discard' });
  // The page that was written can be seen by nobody.
  expect(framesOf(objects)).toBe(1);
});

test.each(KINDS)(
  'a %s does not show what was cut off its base inside a page that a snapshot shares',
  (kind) => {
    const { vmo } = makePaged(2, { resizable: true });
    readByte(vmo, 1);
    const snapshot = vmo.createChild({ kind: 'snapshot' });
    const live = vmo.createChild({ kind });
    vmo.resizeSync(PAGE_SIZE + 7);
    expect(readByte(live, 1, 7)).toBe(0);
    expect(readByte(live, 1)).toBe(first(1));
    expect(readByte(snapshot, 1, 7)).not.toBe(0);
  },
);

test.each(KINDS)('a %s that goes beyond a base that was cut inside a shared page is live there', (kind) => {
  const { vmo } = makePaged(2, { resizable: true });
  readByte(vmo, 1);
  const snapshot = vmo.createChild({ kind: 'snapshot' });
  vmo.resizeSync(PAGE_SIZE + 7);
  const live = vmo.createChild({ kind, size: 2 * PAGE_SIZE });
  writeByte(vmo, 1, 99);
  expect(readByte(live, 1)).toBe(99);
  expect(readByte(snapshot, 1)).toBe(first(1));
});

test.each(KINDS)('a part of a page of a %s that is zeroed stays so, had it a frame or not', (kind) => {
  const { vmo } = makePaged(2);
  vmo.zeroSync({ offset: 0, length: PAGE_SIZE });
  const live = vmo.createChild({ kind });
  for (const page of [0, 1]) live.zeroSync({ offset: page * PAGE_SIZE + 10, length: 20 });
  for (const page of [0, 1]) writeByte(vmo, page, 99, 15);
  for (const page of [0, 1]) expect(readByte(live, page, 15)).toBe(0);
});

test('a slice can be closed although pages are changed that it does not reach', () => {
  const { vmo } = makePaged(2);
  const slice = vmo.createChild({ kind: 'slice', offset: PAGE_SIZE });
  const snapshot = vmo.createChild({ kind: 'snapshot-modified' });
  writeByte(vmo, 0, 1);
  expect(() => vmo.close()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
  vmo.close({ unwritten: 'discard' });
  slice.close();
  expect(readByte(snapshot, 0)).toBe(1);
});
