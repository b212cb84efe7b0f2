/** Pagers that answer later: who waits, who is told, and what becomes of answers that nobody wants any more. */
import { describe, expect, test } from 'vitest';
import { OutOfMemory, PAGE_SIZE } from '../../src/frame/index.js';
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
  stateOf,
  writeByte,
} from './paged.js';

const page = (count = 1): Uint8Array => new Uint8Array(count * PAGE_SIZE);

describe('waiting', () => {
  test('read, write, commit and the others wait for the pager', async () => {
    const { pager, vmo } = makePaged(8, { answers: 'later' });
    expectBytes(await vmo.read(PAGE_SIZE, page(2)), patternOf(PAGE_SIZE, 2 * PAGE_SIZE));
    await vmo.write(3 * PAGE_SIZE + 1, Uint8Array.of(7));
    await vmo.zero({ offset: 4 * PAGE_SIZE + 1, length: 1 });
    await vmo.clear({ offset: 5 * PAGE_SIZE, length: 1 });
    await vmo.commit({ offset: 6 * PAGE_SIZE, length: 1 });
    using view = await vmo.view({ offset: 7 * PAGE_SIZE, length: 2 });
    expect([...view.pieces[0]!.bytes]).toEqual([...patternOf(7 * PAGE_SIZE, 2)]);
    expect(pager.heard()).toEqual([
      'commit 1+2',
      'commit 3+1',
      'update 3+1',
      'commit 4+1',
      'update 4+1',
      'commit 5+1',
      'update 5+1',
      'commit 6+1',
      'commit 7+1',
      'update 7+1',
    ]);
    expect([3, 4, 5].map((at) => readByte(vmo, at, 1))).toEqual([7, 0, patternOf(5 * PAGE_SIZE + 1, 1)[0]]);
    await vmo.sync();
  });

  test('read gives back the array that it filled', async () => {
    const { vmo } = makePaged(1, { answers: 'later' });
    const into = new Uint8Array(5);
    expect(await vmo.read(3, into)).toBe(into);
  });

  test.each([
    ['readSync', 'read()', 'commit 0+1'],
    ['writeSync', 'write()', 'commit 0+1'],
    ['commitSync', 'commit()', 'commit 0+1'],
    ['zeroSync', 'zero()', 'commit 0+1'],
    ['viewSync', 'view()', 'commit 0+1'],
    ['page(read)', 'commit()', 'commit 0+1'],
    ['page(write)', 'commit()', 'commit 0+1'],
  ])(
    '%s throws EAGAIN, begins what it wants, and succeeds once that is there',
    async (what, instead, call) => {
      const { pager, vmo } = makePaged(1, { answers: 'held' });
      const attempts: Record<string, () => { [Symbol.dispose](): void } | Uint8Array | undefined | void> = {
        readSync: () => vmo.readSync(0, new Uint8Array(1)),
        writeSync: () => writeByte(vmo, 0, 7),
        commitSync: () => vmo.commitSync(),
        zeroSync: () => vmo.zeroSync({ length: 1 }),
        viewSync: () => vmo.viewSync(),
        'page(read)': () => vmo.page(0, 'read'),
        'page(write)': () => vmo.page(0, 'write'),
      };
      const attempt = attempts[what]!;
      for (let time = 0; time < 3; time++) {
        expect(errorOf(attempt)).toMatchObject({
          code: 'EAGAIN',
          message: `${what}: the pager answers later; use await ${instead}`,
        });
      }
      expect(pager.heard()).toEqual([call]);
      pager.finishNext();
      await settle();
      pager.answers = 'now';
      const result = attempt();
      if (result !== undefined && Symbol.dispose in result) result[Symbol.dispose]();
      expect(vmo.isCommitted(0)).toBe(true);
      expect(pager.heard().filter((heard) => heard.startsWith('commit'))).toEqual([]);
    },
  );

  test('syncSync throws EAGAIN, and what it began goes on', async () => {
    const { pager, vmo } = makePaged(1);
    writeByte(vmo, 0, 7);
    pager.answers = 'held';
    expect(() => vmo.syncSync()).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
    pager.answers = 'now';
    pager.finishNext();
    await settle();
    expect(pager.bytes[0]).toBe(7);
    // It could not be waited for, so nobody has noted that it went well.
    vmo.syncSync();
    vmo.close();
  });

  test('a failure that nobody waits for is no unhandled rejection, and the next attempt asks again', async () => {
    const { pager, vmo } = makePaged(1, { answers: 'held' });
    expect(() => readByte(vmo, 0)).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
    pager.held.shift()!.fail(new Error('no'));
    await settle();
    expect(() => readByte(vmo, 0)).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
    pager.finishNext();
    await settle();
    expect(readByte(vmo, 0)).toBe(first(0));
    expect(pager.heard()).toEqual(['commit 0+1', 'commit 0+1']);
  });

  test('what is there needs no waiting, although the pager would answer later', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'later' });
    await vmo.prefetch({ offset: PAGE_SIZE, length: PAGE_SIZE });
    expect(readByte(vmo, 1)).toBe(first(1));
    expect(() => readPages(vmo, 1, 2)).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
    await settle();
    expect(pager.heard()).toEqual(['commit 1+1', 'commit 2+1']);
  });

  test('the same memory objects serve others while one waits', async () => {
    const { objects, pager, vmo } = makePaged(1, { answers: 'held' });
    const waiting = vmo.read(0, page());
    const other = objects.create({ size: PAGE_SIZE });
    writeByte(other, 0, 3);
    expect(readByte(other, 0)).toBe(3);
    pager.finishNext();
    expectBytes(await waiting, patternOf(0, PAGE_SIZE));
  });
});

describe('who wants the same page', () => {
  test('reads of it ask once', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const reads = [1, 2, 3].map(() => vmo.read(PAGE_SIZE, page()));
    expect(pager.heard()).toEqual(['commit 1+1']);
    pager.finishNext();
    for (const read of reads) expectBytes(await read, patternOf(PAGE_SIZE, PAGE_SIZE));
    expect(pager.heard()).toEqual([]);
  });

  test('ranges that overlap ask for what is not on its way', async () => {
    const { pager, vmo } = makePaged(32, { answers: 'held' });
    const inner = vmo.read(8 * PAGE_SIZE, page(16));
    const outer = vmo.read(0, page(32));
    // The read goes on in order: what comes before, then what is on its way, then what comes after.
    expect(pager.heard()).toEqual(['commit 8+16', 'commit 0+8']);
    pager.held.pop()!.finish();
    await settle();
    expect(pager.held).toHaveLength(1);
    pager.finishNext();
    expectBytes(await inner, patternOf(8 * PAGE_SIZE, 16 * PAGE_SIZE));
    await settle();
    expect(pager.finishNext()).toBe('commit 24+8');
    expectBytes(await outer, patternOf(0, 32 * PAGE_SIZE));
    expect(pager.held).toEqual([]);
  });

  test('a range that is within one on its way asks nothing', async () => {
    const { pager, vmo } = makePaged(8, { answers: 'held' });
    const outer = vmo.read(0, page(8));
    const inner = [vmo.read(3 * PAGE_SIZE, page(2)), vmo.prefetch(), vmo.commit({ offset: 9, length: 1 })];
    expect(pager.heard()).toEqual(['commit 0+8']);
    pager.finishNext();
    await Promise.all([outer, ...inner]);
    expect(pager.heard()).toEqual([]);
  });

  test('a read and a write ask once, and the read sees one or the other', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const read = vmo.read(0, new Uint8Array(2));
    const write = vmo.write(1, Uint8Array.of(77));
    expect(pager.heard()).toEqual(['commit 0+1']);
    pager.answers = 'now';
    pager.finishNext();
    const [bytes] = await Promise.all([read, write]);
    expect([first(0), 77]).toEqual([bytes[0], readByte(vmo, 0, 1)]);
    expect([77, patternOf(1, 1)[0]]).toContain(bytes[1]);
    expect(pager.heard()).toEqual(['update 0+1']);
  });

  test.each(['snapshot', 'snapshot-at-least-on-write', 'snapshot-modified', 'slice', 'reference'] as const)(
    'a %s asks with its parent once, and finds its own offset',
    async (kind) => {
      const { pager, vmo } = makePaged(8, { answers: 'held' });
      const offset = kind === 'reference' ? {} : { offset: 2 * PAGE_SIZE };
      const child = vmo.createChild({ kind, ...offset });
      const at = kind === 'reference' ? 3 : 1;
      const reads = [child.read(at * PAGE_SIZE, page()), vmo.read(3 * PAGE_SIZE, page())];
      expect(pager.heard()).toEqual(['commit 3+1']);
      pager.finishNext();
      for (const read of reads) expectBytes(await read, patternOf(3 * PAGE_SIZE, PAGE_SIZE));
      expect(pager.heard()).toEqual([]);
    },
  );

  test('writes of a clean page at the same time ask for leave once', async () => {
    const { pager, vmo } = makePaged(8);
    readPages(vmo, 0, 8);
    pager.heard();
    pager.answers = 'held';
    const one = vmo.write(PAGE_SIZE, page(3).fill(1));
    const other = vmo.write(2 * PAGE_SIZE, page(4).fill(2));
    await settle();
    expect(pager.heard()).toEqual(['update 1+3']);
    pager.finishNext();
    await one;
    await settle();
    expect(pager.heard()).toEqual(['update 4+2']);
    pager.finishNext();
    await other;
    expect([0, 1, 2, 3, 4, 5, 6].map((at) => readByte(vmo, at))).toEqual([first(0), 1, 2, 2, 2, 2, first(6)]);
  });
});

describe('failure', () => {
  test('a refusal reaches every write that waits for leave, and a later one asks again', async () => {
    const { pager, vmo } = makePaged(2);
    readPages(vmo, 0, 2);
    pager.heard();
    pager.answers = 'held';
    const cause = new Error('no room');
    const writes = [vmo.write(0, Uint8Array.of(1)), vmo.zero({ length: PAGE_SIZE }), vmo.view({ length: 1 })];
    const failed = writes.map((write) => write.catch((error: unknown) => error));
    pager.held.shift()!.fail(cause);
    for (const error of failed) expectPagerError(await error, 'failed in update', cause);
    expect(pager.heard()).toEqual(['update 0+1']);
    pager.answers = 'now';
    writeByte(vmo, 0, 7);
    expect(pager.heard()).toEqual(['update 0+1']);
  });

  test('reaches everyone who waits, with its cause, and the next read asks again', async () => {
    const { pager, vmo } = makePaged(8, { answers: 'held' });
    const child = vmo.createChild({ kind: 'snapshot' });
    const waiting = [
      vmo.read(0, page(4)),
      vmo.read(2 * PAGE_SIZE, page()),
      vmo.write(1, Uint8Array.of(9)),
      vmo.commit({ length: 1 }),
      vmo.prefetch({ length: 1 }),
      vmo.zero({ offset: 1, length: 1 }),
      child.read(PAGE_SIZE, page()),
      child.write(5, Uint8Array.of(9)),
    ];
    expect(pager.heard()).toEqual(['commit 0+4']);
    const cause = new Error('the line is cut');
    pager.held.shift()!.fail(cause);
    for (const attempt of waiting) {
      const error: unknown = await attempt.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expectPagerError(
        error,
        'the pager of file failed in commit of bytes 0x0 to 0x4000: the line is cut',
        cause,
      );
    }
    expect(vmo.committedBytes).toBe(0);
    pager.answers = 'later';
    expectBytes(await vmo.read(0, page(8)), patternOf(0, 8 * PAGE_SIZE));
    expect(pager.heard()).toEqual(['commit 0+8']);
  });

  test.each([
    ['too short', new Uint8Array(PAGE_SIZE - 1), /gave 4095 bytes for 4096/],
    ['too long', new Uint8Array(PAGE_SIZE + 1), /gave 4097 bytes for 4096/],
    ['undefined', undefined, /gave undefined, not a Uint8Array/],
    ['a string', 'x'.repeat(PAGE_SIZE), /gave string, not a Uint8Array/],
    ['a number', 4096, /gave number, not a Uint8Array/],
  ])('an answer that is %s', async (_, answer, message) => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const read = vmo.read(0, page());
    pager.held.shift()!.give(answer);
    expectPagerError(await read.catch((error: unknown) => error), message);
    expect(vmo.committedBytes).toBe(0);
  });

  test('a pager that throws at once, although it answers later', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const cause = new Error('not today');
    pager.during.commit = () => {
      throw cause;
    };
    expectPagerError(await vmo.read(0, page()).catch((error: unknown) => error), 'not today', cause);
    expectPagerError(
      errorOf(() => readByte(vmo, 0)),
      'not today',
      cause,
    );
  });

  test('a refusal to be written leaves nothing changed', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'later' });
    const cause = new Error('read only');
    pager.failures.set('update', cause);
    for (const attempt of [
      () => vmo.write(PAGE_SIZE - 1, page(2)),
      () => vmo.zero({ offset: 0, length: 3 * PAGE_SIZE }),
      () => vmo.clear(),
      () => vmo.view(),
    ]) {
      const error = await attempt().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expectPagerError(error, /failed in update of bytes .*: read only/, cause);
    }
    expectBytes(await vmo.read(0, page(4)), patternOf(0, 4 * PAGE_SIZE));
    pager.heard();
    await vmo.sync();
    expect(pager.heard()).toEqual([]);
  });

  test('memory that runs out when the answer comes fails the read, and not the next', async () => {
    const { objects, pager, vmo } = makePaged(4, { answers: 'held' });
    const read = vmo.read(0, page());
    objects.memory.failAllocation(1);
    pager.finishNext();
    await expect(read).rejects.toBeInstanceOf(OutOfMemory);
    pager.answers = 'later';
    expectBytes(await vmo.read(0, page()), patternOf(0, PAGE_SIZE));
  });
});

describe('what has changed when the answer comes', () => {
  test('a page that was supplied meanwhile: who waits for it goes on, and the answer is not taken', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const read = vmo.read(PAGE_SIZE, page(2));
    vmo.supply(PAGE_SIZE, page().fill(8));
    expect(await stateOf(read)).toBe('waiting');
    vmo.supply(2 * PAGE_SIZE, page().fill(9));
    expectBytes(await read, Uint8Array.from([...page().fill(8), ...page().fill(9)]));
    pager.finishNext();
    await settle();
    expect([readByte(vmo, 1), readByte(vmo, 2)]).toEqual([8, 9]);
  });

  test('who waits for such a page alone goes on at once, and hears nothing of a failure', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const all = vmo.read(0, page(4)).catch((error: unknown) => error);
    const [one, other] = [vmo.read(PAGE_SIZE, page()), vmo.read(2 * PAGE_SIZE, page())];
    const failed = other.catch((error: unknown) => error);
    vmo.supply(PAGE_SIZE, page().fill(8));
    expectBytes(await one, page().fill(8));
    expect(await stateOf(other)).toBe('waiting');
    expect(pager.heard()).toEqual(['commit 0+4']);
    const cause = new Error('the line is cut');
    pager.held.shift()!.fail(cause);
    expectPagerError(await failed, 'the line is cut', cause);
    expectPagerError(await all, 'the line is cut', cause);
    expect(readByte(vmo, 1)).toBe(8);
  });

  test('a pager that only supplies, and never answers, serves who waits', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const reads = [vmo.read(0, page(4)), vmo.read(PAGE_SIZE, page())];
    vmo.supply(0, patternOf(0, 4 * PAGE_SIZE));
    const [all] = await Promise.all(reads);
    expectBytes(all!, patternOf(0, 4 * PAGE_SIZE));
    expect(pager.heard()).toEqual(['commit 0+4']);
  });

  test('pages that were written whole meanwhile stay as they were written', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const read = vmo.read(0, page(3));
    pager.answers = 'now';
    vmo.writeSync(PAGE_SIZE, page().fill(7));
    pager.finishNext();
    const bytes = await read;
    expect([bytes[0], bytes[PAGE_SIZE], bytes[2 * PAGE_SIZE]]).toEqual([first(0), 7, first(2)]);
    expect(readByte(vmo, 1)).toBe(7);
  });

  test('so do pages that were made zeros', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const read = vmo.read(0, page(3));
    pager.answers = 'now';
    vmo.zeroSync({ offset: PAGE_SIZE, length: PAGE_SIZE });
    pager.finishNext();
    const bytes = await read;
    expect([bytes[0], bytes[PAGE_SIZE], bytes[2 * PAGE_SIZE]]).toEqual([first(0), 0, first(2)]);
    expect(readByte(vmo, 1)).toBe(0);
  });

  test('who waits for a page alone that is made zeros need not wait for the pager', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const read = vmo.read(PAGE_SIZE, page());
    pager.answers = 'now';
    vmo.zeroSync({ offset: PAGE_SIZE, length: PAGE_SIZE });
    expectBytes(await read, page());
  });

  test('decommit of a page on its way changes nothing: it comes', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const read = vmo.read(PAGE_SIZE, page());
    vmo.decommit();
    pager.finishNext();
    expectBytes(await read, patternOf(PAGE_SIZE, PAGE_SIZE));
  });

  test('who reads what is cut off is told so, without waiting for the pager', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held', resizable: true });
    const cutOff = [vmo.read(2 * PAGE_SIZE, page()), vmo.write(2 * PAGE_SIZE + 5, Uint8Array.of(1))];
    const kept = vmo.read(0, page());
    vmo.resizeSync(PAGE_SIZE);
    for (const attempt of cutOff) await expect(attempt).rejects.toMatchObject({ code: 'EINVAL' });
    expect(await stateOf(kept)).toBe('waiting');
    for (const held of pager.held.splice(0)) held.finish();
    expectBytes(await kept, patternOf(0, PAGE_SIZE));
    expect(vmo.committedBytes).toBe(PAGE_SIZE);
  });

  test('a page that was cut off and is there again is zeros, whatever is on its way', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held', resizable: true });
    const read = vmo.read(0, page(4));
    vmo.resizeSync(2.5 * PAGE_SIZE);
    vmo.resizeSync(4 * PAGE_SIZE);
    for (const held of pager.held.splice(0)) held.finish();
    await settle();
    for (const held of pager.held.splice(0)) held.finish();
    const expected = patternOf(0, 4 * PAGE_SIZE).fill(0, 2.5 * PAGE_SIZE);
    expectBytes(await read, expected);
    expectBytes(readPages(vmo, 0, 4), expected);
  });

  test('an object that was closed takes no frame for what comes', async () => {
    const { objects, pager, vmo } = makePaged(4, { answers: 'held' });
    const free = objects.memory.freeFrames;
    const read = vmo.read(0, page(4));
    vmo.close();
    expect(pager.heard()).toEqual(['commit 0+4', 'close']);
    await expect(read).rejects.toMatchObject({ code: 'EBADF' });
    pager.finishNext();
    await settle();
    expect(objects.memory.freeFrames).toBe(free);
  });

  test('a capability that was closed while it waited gets no bytes, although the object is there', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const other = vmo.duplicate();
    const [read, write] = [other.read(0, page()), other.write(0, Uint8Array.of(1))];
    other.close();
    pager.finishNext();
    await expect(read).rejects.toMatchObject({ code: 'EBADF' });
    await expect(write).rejects.toMatchObject({ code: 'EBADF' });
    expect(readByte(vmo, 0)).toBe(first(0));
  });

  test('one that was revoked is told that it is stale', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const child = vmo.createChild({ kind: 'reference' });
    const derived = child.duplicate();
    const read = derived.read(0, page());
    child.revoke();
    pager.finishNext();
    await expect(read).rejects.toMatchObject({ code: 'ESTALE' });
  });
});

describe('detach', () => {
  test('everyone who waits hears of it, and the answer is not taken', async () => {
    const { pager, vmo } = makePaged(4, { answers: 'held' });
    const child = vmo.createChild({ kind: 'snapshot' });
    const waiting = [vmo.read(0, page(2)), child.read(3 * PAGE_SIZE, page()), vmo.write(1, Uint8Array.of(1))];
    vmo.detachPager();
    for (const attempt of waiting) {
      expectPagerError(await attempt.catch((error: unknown) => error), 'its pager is detached');
    }
    for (const held of pager.held.splice(0)) held.finish();
    await settle();
    expect(vmo.committedBytes).toBe(0);
  });

  test('who waits for leave to write hears of a refusal, and otherwise writes', async () => {
    const { pager, vmo } = makePaged(4);
    readByte(vmo, 0);
    pager.answers = 'held';
    const write = vmo.write(0, Uint8Array.of(7));
    await settle();
    vmo.detachPager();
    pager.held.shift()!.finish();
    await write;
    expect(readByte(vmo, 0)).toBe(7);
  });
});
