/** Snapshots of objects that have a pager: what is frozen stays, what is live follows, and no page is asked for in vain. */
import { describe, expect, test } from 'vitest';
import { OutOfMemory, PAGE_SIZE, Usage } from '../../src/frame/index.js';
import type { SnapshotKind, Vmo } from '../../src/vmo/index.js';
import {
  errorOf,
  expectBytes,
  expectPagerError,
  first,
  makePaged,
  patternOf,
  readByte,
  readPages,
  settle,
  writeByte,
} from './paged.js';

const page = (count = 1): Uint8Array => new Uint8Array(count * PAGE_SIZE);
const KINDS = ['snapshot', 'snapshot-at-least-on-write', 'snapshot-modified'] as const;
const LIVE = ['snapshot-at-least-on-write', 'snapshot-modified'] as const;
const bytesOf = (vmo: Vmo<'read'>, ...pages: number[]): number[] => pages.map((at) => readByte(vmo, at));

describe.each(KINDS)('a %s of a paged object', (kind: SnapshotKind) => {
  test('is made without a call of the pager, and without a frame', () => {
    const { objects, pager, vmo } = makePaged(500);
    readByte(vmo, 3);
    pager.heard();
    const free = objects.memory.freeFrames;
    const children = Array.from({ length: 10 }, () => vmo.createChild({ kind }));
    children.push(vmo.createChild({ kind, offset: PAGE_SIZE, size: 100 }));
    children.push(vmo.createChild({ kind, size: 600 * PAGE_SIZE }));
    expect(pager.heard()).toEqual([]);
    expect(objects.memory.freeFrames).toBe(free);
    expect(objects.statistics().snapshots).toBe(12);
  });

  test('is made so of an object that ends inside of a page, too, with zeros after it', () => {
    const { pager, vmo } = makePaged(1.5, { answers: 'held' });
    const child = vmo.createChild({ kind, size: 3 * PAGE_SIZE });
    expect(pager.heard()).toEqual([]);
    pager.answers = 'now';
    const expected = page(3);
    expected.set(patternOf(0, 1.5 * PAGE_SIZE));
    expectBytes(readPages(child, 0, 3), expected);
  });

  test('reads what the pager has, which is asked once for both, and gives the child no frame', () => {
    const { pager, vmo } = makePaged(8);
    const child = vmo.createChild({ kind, offset: 2 * PAGE_SIZE });
    expectBytes(readPages(child, 0, 3), patternOf(2 * PAGE_SIZE, 3 * PAGE_SIZE));
    expect(pager.heard()).toEqual(['commit 2+3']);
    expect(child.committedBytes).toBe(0);
    expectBytes(readPages(vmo, 2, 3), patternOf(2 * PAGE_SIZE, 3 * PAGE_SIZE));
    expect(pager.heard()).toEqual([]);
  });

  test('keeps what it has written to itself, and asks for what it writes in part alone', () => {
    const { pager, vmo } = makePaged(8);
    const child = vmo.createChild({ kind });
    child.writeSync(PAGE_SIZE + 1, page(2).fill(7));
    expect(pager.heard()).toEqual(['commit 1+1', 'commit 3+1']);
    const expected = patternOf(0, 8 * PAGE_SIZE).fill(7, PAGE_SIZE + 1, 3 * PAGE_SIZE + 1);
    expectBytes(readPages(child, 0, 8), expected);
    expectBytes(readPages(vmo, 0, 8), patternOf(0, 8 * PAGE_SIZE));
    vmo.syncSync();
    expect(pager.heard().filter((call) => !call.startsWith('commit'))).toEqual([]);
  });

  test('keeps zeros that it was given, whatever the pager has', () => {
    const { pager, vmo } = makePaged(4);
    const child = vmo.createChild({ kind });
    child.zeroSync({ offset: PAGE_SIZE, length: 2 * PAGE_SIZE });
    child.decommit({ offset: 3 * PAGE_SIZE });
    expect(pager.heard()).toEqual([]);
    expect(bytesOf(child, 0, 1, 2, 3)).toEqual([first(0), 0, 0, 0]);
    expect(bytesOf(vmo, 1, 2, 3)).toEqual([1, 2, 3].map(first));
  });

  test('commit brings pages in once, and gives the child frames of its own', () => {
    const { pager, vmo } = makePaged(4);
    const child = vmo.createChild({ kind });
    child.commitSync();
    expect(pager.heard()).toEqual(['commit 0+4']);
    expect(child.committedBytes).toBe(4 * PAGE_SIZE);
    vmo.decommit();
    vmo.detachPager();
    expectBytes(readPages(child, 0, 4), patternOf(0, 4 * PAGE_SIZE));
  });

  test('beyond its parent there are zeros, that nobody is asked for', () => {
    const { pager, vmo } = makePaged(2);
    const child = vmo.createChild({ kind, offset: PAGE_SIZE, size: 4 * PAGE_SIZE });
    expect(bytesOf(child, 0, 1, 2, 3)).toEqual([first(1), 0, 0, 0]);
    expect(pager.heard()).toEqual(['commit 1+1']);
    expect(bytesOf(vmo.createChild({ kind, offset: 5 * PAGE_SIZE, size: PAGE_SIZE }), 0)).toEqual([0]);
  });

  test('survives its parent, whose pager is closed when the child is', () => {
    const { objects, pager, vmo } = makePaged(4);
    const child = vmo.createChild({ kind, offset: PAGE_SIZE });
    readByte(vmo, 0);
    pager.heard();
    vmo.close();
    expect(pager.heard()).toEqual([]);
    expect(bytesOf(child, 0, 1, 2)).toEqual([1, 2, 3].map(first));
    expect(pager.heard()).toEqual(['commit 1+1', 'commit 2+1', 'commit 3+1']);
    writeByte(child, 1, 7);
    expect(bytesOf(child, 0, 1, 2)).toEqual([first(1), 7, first(3)]);
    child.close();
    expect(pager.heard()).toEqual(['close']);
    expect(objects.statistics().objects).toBe(0);
  });

  test('what is asked for through it fails as it would in the parent', () => {
    const { pager, vmo } = makePaged(4);
    const child = vmo.createChild({ kind });
    const cause = new Error('gone');
    pager.failures.set('commit', cause);
    expectPagerError(
      errorOf(() => readByte(child, 1)),
      'the pager of file failed in commit',
      cause,
    );
    expectPagerError(
      errorOf(() => writeByte(child, 1, 1)),
      'failed in commit',
      cause,
    );
    pager.failures.clear();
    writeByte(child, 1, 1);
    vmo.detachPager();
    expect(readByte(child, 1)).toBe(1);
    expectPagerError(
      errorOf(() => readByte(child, 2)),
      'page 2 of file has no frame, and its pager is detached',
    );
  });

  test('evicted pages come again for both', () => {
    const { objects, pager, vmo } = makePaged(300);
    const child = vmo.createChild({ kind });
    expectBytes(readPages(child, 0, 300), patternOf(0, 300 * PAGE_SIZE));
    expectBytes(readPages(vmo, 0, 300), patternOf(0, 300 * PAGE_SIZE));
    expectBytes(readPages(child, 0, 300), patternOf(0, 300 * PAGE_SIZE));
    expect(objects.statistics().pagesEvicted).toBeGreaterThan(700);
    expect(pager.heard().filter((call) => call.startsWith('update'))).toEqual([]);
  });

  test('a child of the child sees what the child sees', () => {
    const { pager, vmo } = makePaged(4);
    const child = vmo.createChild({ kind });
    writeByte(child, 1, 7);
    const grandchild = child.createChild({ kind, offset: PAGE_SIZE });
    writeByte(child, 1, 8);
    writeByte(grandchild, 2, 9);
    expect(readByte(grandchild, 1)).toBe(first(2));
    // Live or not, a page that the child had written when the grandchild was made is a snapshot of its own.
    expect(readByte(grandchild, 0)).toBe(7);
    expect(bytesOf(child, 1, 2, 3)).toEqual([8, first(2), first(3)]);
    expect(bytesOf(vmo, 1, 2, 3)).toEqual([1, 2, 3].map(first));
    expect(pager.heard().toSorted()).toEqual(['commit 1+1', 'commit 2+1', 'commit 3+1']);
  });
});

describe('a snapshot', () => {
  test('is as the object was, whatever is written there: pages that were there, and pages that were not', () => {
    const { pager, vmo } = makePaged(6);
    readByte(vmo, 0);
    writeByte(vmo, 1, 7);
    const child = vmo.createChild({ kind: 'snapshot' });
    pager.heard();
    for (const at of [0, 1, 2]) writeByte(vmo, at, 50 + at);
    vmo.writeSync(3 * PAGE_SIZE, page().fill(53));
    vmo.zeroSync({ offset: 4 * PAGE_SIZE, length: PAGE_SIZE });
    // Whole pages are not read for the object's own sake: the snapshot has to have them as they were.
    expect(pager.heard().filter((call) => call.startsWith('commit'))).toEqual([
      'commit 2+1',
      'commit 3+1',
      'commit 4+1',
    ]);
    expect(bytesOf(child, 0, 1, 2, 3, 4, 5)).toEqual([first(0), 7, first(2), first(3), first(4), first(5)]);
    expect(bytesOf(vmo, 0, 1, 2, 3, 4, 5)).toEqual([50, 51, 52, 53, 0, first(5)]);
  });

  test('so it is after a write-back, and when the pages have been dropped and come again', () => {
    const { pager, vmo } = makePaged(4);
    const child = vmo.createChild({ kind: 'snapshot' });
    for (const at of [0, 1]) writeByte(vmo, at, 50 + at);
    vmo.syncSync();
    vmo.decommit();
    expect(bytesOf(vmo, 0, 1, 2)).toEqual([50, 51, first(2)]);
    expect(bytesOf(child, 0, 1, 2)).toEqual([0, 1, 2].map(first));
    expect(pager.bytes[0]).toBe(50);
  });

  test('a second snapshot sees what was written since the first', () => {
    const { vmo } = makePaged(3);
    const one = vmo.createChild({ kind: 'snapshot' });
    writeByte(vmo, 0, 7);
    const two = vmo.createChild({ kind: 'snapshot' });
    writeByte(vmo, 0, 8);
    vmo.syncSync();
    const three = vmo.createChild({ kind: 'snapshot' });
    writeByte(vmo, 0, 9);
    expect([one, two, three, vmo].map((object) => readByte(object, 0))).toEqual([first(0), 7, 8, 9]);
  });

  test('a page that is being written back when it is made is its own', async () => {
    const { pager, vmo } = makePaged(1);
    writeByte(vmo, 0, 7);
    pager.answers = 'held';
    const sync = vmo.sync();
    await settle();
    const child = vmo.createChild({ kind: 'snapshot' });
    pager.answers = 'now';
    writeByte(vmo, 0, 8);
    pager.finishNext();
    await sync;
    vmo.syncSync();
    expect([readByte(child, 0), readByte(vmo, 0), pager.bytes[0]]).toEqual([7, 8, 8]);
  });

  test('nobody else pays for it: a page is written in place when the snapshot is gone, or has its own', () => {
    const { objects, vmo } = makePaged(2);
    readPages(vmo, 0, 2);
    const child = vmo.createChild({ kind: 'snapshot' });
    writeByte(child, 0, 1);
    const free = objects.memory.freeFrames;
    writeByte(vmo, 0, 2);
    expect(objects.memory.freeFrames).toBe(free);
    child.close();
    expect(objects.memory.freeFrames).toBe(free + 1);
    writeByte(vmo, 1, 2);
    expect(objects.memory.freeFrames).toBe(free + 1);
  });

  test('a page in an open view is copied, and the copy stays as it was', () => {
    const { vmo } = makePaged(2);
    using view = vmo.viewSync({ length: PAGE_SIZE });
    view.pieces[0]!.bytes[0] = 7;
    const child = vmo.createChild({ kind: 'snapshot' });
    view.pieces[0]!.bytes[0] = 8;
    expect([readByte(child, 0), readByte(vmo, 0)]).toEqual([7, 8]);
  });

  // The second is for a page that comes with another: it is asked for again.
  test.each([1, 3, 4, 5])('a write that fails at allocation %d leaves both as they were', (nth) => {
    const { objects, vmo } = makePaged(3);
    readByte(vmo, 0);
    const child = vmo.createChild({ kind: 'snapshot' });
    objects.memory.failAllocation(nth);
    expect(() => vmo.writeSync(5, new Uint8Array(2 * PAGE_SIZE))).toThrow(OutOfMemory);
    expectBytes(readPages(child, 0, 3), patternOf(0, 3 * PAGE_SIZE));
    expectBytes(readPages(vmo, 0, 3), patternOf(0, 3 * PAGE_SIZE));
    expect(objects.audit()).toEqual([]);
  });

  test('a cut that would lose a page that it still needs is refused, until it has it', () => {
    const { pager, vmo } = makePaged(4, { resizable: true });
    readByte(vmo, 3);
    const child = vmo.createChild({ kind: 'snapshot' });
    expect(() => vmo.resizeSync(2 * PAGE_SIZE)).toThrow(
      expect.objectContaining({
        code: 'EBUSY',
        message: expect.stringMatching(/page 2 .* commit\(\)/) as unknown,
      }),
    );
    expect(vmo.size).toBe(4 * PAGE_SIZE);
    child.commitSync({ offset: 2 * PAGE_SIZE, length: 1 });
    vmo.resizeSync(2 * PAGE_SIZE);
    vmo.syncSync();
    vmo.resizeSync(4 * PAGE_SIZE);
    expect(pager.heard()).toEqual(['commit 3+1', 'commit 2+1', 'resize 0+2']);
    expectBytes(readPages(child, 0, 4), patternOf(0, 4 * PAGE_SIZE));
    expectBytes(readPages(vmo, 2, 2), page(2));
  });

  test('a cut needs no page that the snapshot does not see, or has written', () => {
    const { vmo } = makePaged(4, { resizable: true });
    const child = vmo.createChild({ kind: 'snapshot', size: 3 * PAGE_SIZE });
    child.writeSync(2 * PAGE_SIZE, page().fill(7));
    vmo.resizeSync(2 * PAGE_SIZE);
    expect(bytesOf(child, 1, 2)).toEqual([first(1), 7]);
  });

  test('a cut in the middle of a page leaves the snapshot all of it', () => {
    const { vmo } = makePaged(2, { resizable: true });
    readPages(vmo, 0, 2);
    const child = vmo.createChild({ kind: 'snapshot' });
    vmo.resizeSync(1.5 * PAGE_SIZE);
    vmo.resizeSync(2 * PAGE_SIZE);
    expectBytes(readPages(child, 0, 2), patternOf(0, 2 * PAGE_SIZE));
    expectBytes(readPages(vmo, 1), patternOf(PAGE_SIZE, PAGE_SIZE).fill(0, PAGE_SIZE / 2));
  });

  test('a cut while a page is on its way is refused for it, and the page comes', async () => {
    const { pager, vmo } = makePaged(2, { resizable: true, answers: 'held' });
    const child = vmo.createChild({ kind: 'snapshot' });
    const read = child.read(PAGE_SIZE, page());
    expect(() => vmo.resizeSync(PAGE_SIZE)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    pager.finishNext();
    expectBytes(await read, patternOf(PAGE_SIZE, PAGE_SIZE));
    vmo.resizeSync(PAGE_SIZE);
    expectBytes(readPages(child, 1), patternOf(PAGE_SIZE, PAGE_SIZE));
  });

  test('the pages that it alone has do not go when frames are short, and those of the pager do', () => {
    const { objects, vmo } = makePaged(40);
    readPages(vmo, 0, 20);
    const child = vmo.createChild({ kind: 'snapshot' });
    for (let at = 0; at < 4; at++) writeByte(vmo, at, 9);
    vmo.syncSync();
    readPages(vmo, 20, 10);
    const { memory } = objects;
    const taken = [];
    while (taken.length < 22) taken.push(memory.allocate(Usage.Kernel));
    while (memory.freeFrames > 0) taken.push(memory.allocate(Usage.Kernel));
    expectBytes(readPages(child, 0, 4), patternOf(0, 4 * PAGE_SIZE));
    for (const frame of taken) memory.release(frame);
    expectBytes(readPages(child, 0, 40), patternOf(0, 40 * PAGE_SIZE));
    expect(bytesOf(vmo, 0, 3, 4, 39)).toEqual([9, 9, first(4), first(39)]);
  });

  test('a snapshot of a slice is of its part', () => {
    const { vmo } = makePaged(6);
    const slice = vmo.createChild({ kind: 'slice', offset: 2 * PAGE_SIZE, size: 2 * PAGE_SIZE });
    const child = slice.createChild({ kind: 'snapshot', size: 3 * PAGE_SIZE });
    writeByte(vmo, 3, 7);
    expect(bytesOf(child, 0, 1, 2)).toEqual([first(2), first(3), 0]);
  });

  test('of a live child: what that saw stays, although the object is written', () => {
    for (const kind of LIVE) {
      const { objects, vmo } = makePaged(5);
      const live = vmo.createChild({ kind });
      writeByte(live, 1, 7);
      const frozen = live.createChild({ kind: 'snapshot' });
      for (const at of [0, 1, 2]) writeByte(vmo, at, 50 + at);
      writeByte(live, 1, 8);
      writeByte(live, 3, 8);
      expect(bytesOf(frozen, 0, 1, 2, 3, 4)).toEqual([first(0), 7, first(2), first(3), first(4)]);
      expect(bytesOf(live, 0, 1, 2, 3, 4)).toEqual([50, 8, 52, 8, first(4)]);
      expect(objects.audit()).toEqual([]);
    }
  });
});

describe.each(LIVE)('a %s', (kind) => {
  test('sees what the object is, until it writes a page itself', () => {
    const { vmo } = makePaged(4);
    writeByte(vmo, 0, 7);
    const child = vmo.createChild({ kind });
    writeByte(vmo, 0, 8);
    writeByte(vmo, 1, 9);
    expect(bytesOf(child, 0, 1, 2)).toEqual([8, 9, first(2)]);
    writeByte(child, 1, 10);
    writeByte(vmo, 1, 11);
    vmo.zeroSync({ offset: 0, length: PAGE_SIZE });
    expect(bytesOf(child, 0, 1)).toEqual([0, 10]);
  });

  test('takes no frames for what it only sees, nor does the object when it is written', () => {
    const { objects, vmo } = makePaged(4);
    readPages(vmo, 0, 4);
    const child = vmo.createChild({ kind });
    const free = objects.memory.freeFrames;
    writeByte(vmo, 0, 7);
    expect(readByte(child, 0)).toBe(7);
    expect(objects.memory.freeFrames).toBe(free);
  });

  test('what is cut off of the object is zeros in it for ever, but for what it has written', () => {
    const { vmo } = makePaged(4, { resizable: true });
    const child = vmo.createChild({ kind });
    writeByte(child, 3, 7);
    vmo.resizeSync(2 * PAGE_SIZE);
    vmo.resizeSync(4 * PAGE_SIZE);
    writeByte(vmo, 2, 9);
    expect(bytesOf(child, 1, 2, 3)).toEqual([first(1), 0, 7]);
  });

  test('changed pages of a closed object are lost, and the child has them still', () => {
    const { pager, vmo } = makePaged(2);
    const child = vmo.createChild({ kind });
    writeByte(vmo, 0, 7);
    expect(() => vmo.close()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    vmo.close({ unwritten: 'discard' });
    expect(bytesOf(child, 0, 1)).toEqual([7, first(1)]);
    expect(pager.bytes[0]).toBe(first(0));
  });

  test('a page that was read in for a child alone moves to it when it writes, and is not copied', () => {
    const { objects, vmo } = makePaged(2);
    const child = vmo.createChild({ kind });
    vmo.close();
    readByte(child, 0);
    const free = objects.memory.freeFrames;
    writeByte(child, 0, 7);
    expect(objects.memory.freeFrames).toBe(free);
    expect(objects.statistics().pagesCopied).toBe(0);
    expect(bytesOf(child, 0, 1)).toEqual([7, first(1)]);
  });
});
