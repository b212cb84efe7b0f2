/** Dirty pages: how they become so, how they go back to the pager, and what holds on to them. */
import { describe, expect, test } from 'vitest';
import { OutOfMemory, PAGE_SIZE } from '../../src/frame/index.js';
import { inspect } from '../../src/vmo/index.js';
import {
  errorOf,
  expectBytes,
  expectPagerError,
  first,
  makePaged,
  type Paged,
  patternOf,
  readByte,
  readPages,
  settle,
  writeByte,
} from './paged.js';

const page = (count = 1): Uint8Array => new Uint8Array(count * PAGE_SIZE);

/** The state of each page, as `inspect` has it: - where it is the pager's, 0 for zeros without a frame. */
const states = ({ vmo }: Paged): string => {
  const letters: string[] = [];
  for (const line of inspect(vmo).split('\n')) {
    const found = /^ {6}0x([0-9a-f]+)-0x([0-9a-f]+) -> (.*)$/.exec(line);
    if (found === null) continue;
    const pages = (parseInt(found[2]!, 16) - parseInt(found[1]!, 16)) / PAGE_SIZE;
    const state = found[3]!;
    const letter = state.includes('awaiting') ? 'A' : state.includes('dirty') ? 'D' : 'C';
    const shown = state === 'pager' ? '-' : state === 'zeros' ? '0' : letter;
    letters.push((state.startsWith('zeros,') ? shown.toLowerCase() : shown).repeat(pages));
  }
  return letters.join('');
};

describe('what makes a page dirty', () => {
  test('reads, commits, hints, supply and views of children do not; a write does, once', async () => {
    const paged = makePaged(6);
    const { pager, vmo } = paged;
    readByte(vmo, 0);
    vmo.commitSync({ offset: PAGE_SIZE, length: 1 });
    await vmo.hint('always-need', { offset: 2 * PAGE_SIZE, length: 1 });
    vmo.supply(3 * PAGE_SIZE, page());
    expect(states(paged)).toBe('CCCC--');
    pager.heard();
    writeByte(vmo, 0, 1);
    writeByte(vmo, 0, 2, 9);
    writeByte(vmo, 4, 2);
    expect(states(paged)).toBe('DCCCD-');
    expect(pager.heard()).toEqual(['update 0+1', 'commit 4+1', 'update 4+1']);
  });

  test('a write that changes nothing counts as a write', () => {
    const paged = makePaged(1);
    writeByte(paged.vmo, 0, first(0));
    expect(states(paged)).toBe('D');
  });

  test('an open view and page(write) count as writes', () => {
    const paged = makePaged(3);
    const { objects, pager, vmo } = paged;
    {
      using view = vmo.viewSync({ offset: 0, length: 1 });
      using frame = vmo.page(PAGE_SIZE, 'write')!;
      expect(pager.heard()).toEqual(['commit 0+1', 'update 0+1', 'commit 1+1', 'update 1+1']);
      expect(states(paged)).toBe('DD-');
      view.pieces[0]!.bytes[0] = 77;
      objects.memory.bytes[frame.frame * PAGE_SIZE] = 78;
    }
    vmo.syncSync();
    expect([pager.bytes[0], pager.bytes[PAGE_SIZE]]).toEqual([77, 78]);
    expect(states(paged)).toBe('CC-');
  });

  test('calls that give something back, which is no promise, have answered', () => {
    const paged = makePaged(1, { resizable: true });
    const { pager, vmo } = paged;
    const count = { value: 0 };
    for (const what of ['update', 'writeBack', 'resize'] as const)
      pager[what] = (() => ++count.value) as never;
    writeByte(vmo, 0, 7);
    vmo.resizeSync(PAGE_SIZE + 1);
    vmo.syncSync();
    expect(count.value).toBe(3);
    expect(states(paged)).toMatch(/^C/);
  });

  test('leave is asked for each run of pages that are not dirty, in one call', () => {
    const paged = makePaged(10);
    const { pager, vmo } = paged;
    readPages(vmo, 0, 10);
    for (const at of [2, 3, 7]) writeByte(vmo, at, 1);
    pager.heard();
    vmo.writeSync(PAGE_SIZE, page(8));
    expect(pager.heard()).toEqual(['update 1+1', 'update 4+3', 'update 8+1']);
    expect(states(paged)).toBe('CDDDDDDDDC');
  });

  test('it is asked again once a page was clean again', () => {
    const paged = makePaged(2);
    const { pager, vmo } = paged;
    writeByte(vmo, 0, 1);
    vmo.syncSync();
    writeByte(vmo, 0, 2);
    writeByte(vmo, 0, 3);
    vmo.syncSync();
    vmo.decommit();
    writeByte(vmo, 0, 4);
    expect(pager.heard()).toEqual([
      'commit 0+1',
      'update 0+1',
      'writeBack 0+1',
      'update 0+1',
      'writeBack 0+1',
      'decommit 0+1',
      'commit 0+1',
      'update 0+1',
    ]);
  });

  test.each(['write', 'clear', 'zero', 'view', 'page'] as const)(
    'a pager that refuses prevents a %s, of all pages',
    (what) => {
      const paged = makePaged(6);
      const { objects, pager, vmo } = paged;
      writeByte(vmo, 2, 1);
      const expected = readPages(vmo, 0, 6);
      const free = objects.memory.freeFrames;
      const cause = new Error('read only');
      pager.during.update = ({ offset }) => {
        if (what === 'page' || offset > 2 * PAGE_SIZE) throw cause;
      };
      const range = { offset: PAGE_SIZE, length: 4 * PAGE_SIZE };
      const error = errorOf(() => {
        if (what === 'write') vmo.writeSync(range.offset, page(4));
        else if (what === 'clear') vmo.clearSync(range);
        else if (what === 'zero') vmo.zeroSync(range);
        else if (what === 'view') vmo.viewSync(range).close();
        else vmo.page(PAGE_SIZE, 'write');
      });
      expectPagerError(error, 'failed in update', cause);
      expect(states(paged)).toBe('CCDCCC');
      expectBytes(readPages(vmo, 0, 6), expected);
      expect(objects.memory.freeFrames).toBe(free);
    },
  );

  test('a write that runs out of memory after the pager agreed leaves all clean', () => {
    const paged = makePaged(4);
    paged.objects.memory.failAllocation(2);
    expect(() => paged.vmo.writeSync(0, page(4))).toThrow(OutOfMemory);
    expect(states(paged)).toBe('----');
    expect(paged.pager.heard()).toEqual(['update 0+4']);
  });

  test('writes to children do not concern the pager', () => {
    const paged = makePaged(4);
    const { pager, vmo } = paged;
    for (const kind of ['snapshot', 'snapshot-at-least-on-write', 'snapshot-modified'] as const) {
      writeByte(vmo.createChild({ kind }), 1, 7);
    }
    expect(pager.heard()).toEqual(['commit 1+1']);
    expect(states(paged)).toBe('-C--');
    expect(readByte(vmo, 1)).toBe(first(1));
  });

  test('a write through a slice is a write of its page', () => {
    const paged = makePaged(4);
    const slice = paged.vmo.createChild({ kind: 'slice', offset: 2 * PAGE_SIZE, size: PAGE_SIZE });
    writeByte(slice, 0, 7);
    expect(states(paged)).toBe('--D-');
    slice.syncSync();
    expect(states(paged)).toBe('--C-');
    expect(paged.pager.bytes[2 * PAGE_SIZE]).toBe(7);
  });

  test('pages of zeros have no frame, and are written back as zeros', () => {
    const paged = makePaged(4);
    const { objects, pager, vmo } = paged;
    readByte(vmo, 1);
    vmo.zeroSync({ offset: PAGE_SIZE, length: 2 * PAGE_SIZE });
    expect(states(paged)).toBe('-dd-');
    expect(objects.memory.freeFrames).toBe(objects.memory.totalFrames - objects.memory.firstAllocatable);
    vmo.syncSync();
    expect(pager.heard()).toEqual(['commit 1+1', 'update 1+2', 'writeBack 1+2']);
    expectBytes(
      pager.bytes.subarray(0, 4 * PAGE_SIZE),
      patternOf(0, 4 * PAGE_SIZE).fill(0, PAGE_SIZE, 3 * PAGE_SIZE),
    );
    expect(states(paged)).toBe('-cc-');
    writeByte(vmo, 1, 5, 5);
    expect(states(paged)).toBe('-Dc-');
    expect([readByte(vmo, 1), readByte(vmo, 1, 5)]).toEqual([0, 5]);
  });

  test('the end of an object inside of a page is written back to the byte', () => {
    const { pager, vmo } = makePaged(1.5);
    vmo.zeroSync({ offset: PAGE_SIZE });
    vmo.syncSync();
    expect(pager.heard()).toEqual(['update 1+0.5', 'writeBack 1+0.5']);
    expectBytes(pager.bytes, patternOf(0, 1.5 * PAGE_SIZE).fill(0, PAGE_SIZE));
  });
});

describe('sync', () => {
  test('gives the pager what was written, run by run and in order, and nothing the second time', () => {
    const { pager, vmo } = makePaged(12);
    for (const at of [9, 1, 2, 11, 4]) writeByte(vmo, at, 100 + at, at);
    const expected = readPages(vmo, 0, 12);
    pager.heard();
    vmo.syncSync();
    expect(pager.heard()).toEqual(['writeBack 1+2', 'writeBack 4+1', 'writeBack 9+1', 'writeBack 11+1']);
    expectBytes(pager.bytes, expected);
    vmo.syncSync();
    expect(pager.heard()).toEqual([]);
  });

  test('at most 256 pages go in a call', () => {
    const { pager, vmo } = makePaged(300, { frames: 512 });
    vmo.writeSync(0, page(300).fill(3));
    vmo.syncSync();
    expect(pager.heard()).toEqual(['update 0+300', 'writeBack 0+256', 'writeBack 256+44']);
    expectBytes(pager.bytes, page(300).fill(3));
  });

  test('a range takes the pages that it touches', async () => {
    const paged = makePaged(6);
    const { pager, vmo } = paged;
    vmo.writeSync(0, page(6));
    pager.heard();
    await vmo.sync({ offset: 2 * PAGE_SIZE - 1, length: 2 });
    expect(pager.heard()).toEqual(['writeBack 1+2']);
    expect(states(paged)).toBe('DCCDDD');
    vmo.syncSync({ offset: 4 * PAGE_SIZE });
    expect(pager.heard()).toEqual(['writeBack 4+2']);
    vmo.syncSync();
    expect(pager.heard()).toEqual(['writeBack 0+1', 'writeBack 3+1']);
  });

  test('what the pager keeps of the bytes is its own', () => {
    const { pager, vmo } = makePaged(1);
    let kept: Uint8Array = new Uint8Array();
    pager.writeBack = (_, bytes) => {
      kept = bytes;
    };
    writeByte(vmo, 0, 7);
    vmo.syncSync();
    writeByte(vmo, 0, 8);
    expect(kept[0]).toBe(7);
    kept.fill(0);
    expect(readByte(vmo, 0)).toBe(8);
  });

  test('clean → dirty → awaiting-clean → clean', async () => {
    const paged = makePaged(1);
    const { pager, vmo } = paged;
    readByte(vmo, 0);
    const seen = [states(paged)];
    writeByte(vmo, 0, 7);
    seen.push(states(paged));
    pager.answers = 'held';
    const sync = vmo.sync();
    await settle();
    seen.push(states(paged));
    expect(() => vmo.decommit()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    pager.finishNext();
    await sync;
    seen.push(states(paged));
    expect(seen).toEqual(['C', 'D', 'A', 'C']);
    vmo.decommit();
    expect(states(paged)).toBe('-');
  });

  test('a page that is written while it is written back is dirty still, and goes again', async () => {
    const paged = makePaged(3);
    const { pager, vmo } = paged;
    vmo.writeSync(0, page(3).fill(1));
    pager.answers = 'held';
    const sync = vmo.sync();
    await settle();
    pager.answers = 'now';
    pager.heard();
    writeByte(vmo, 1, 2);
    expect(pager.heard()).toEqual(['update 1+1']);
    expect(states(paged)).toBe('ADA');
    pager.finishNext();
    await sync;
    expect(states(paged)).toBe('CDC');
    // What went is what there was when the write-back began.
    expect(pager.bytes[PAGE_SIZE]).toBe(1);
    vmo.syncSync();
    expect(pager.heard()).toEqual(['writeBack 1+1']);
    expect(pager.bytes[PAGE_SIZE]).toBe(2);
    expect(states(paged)).toBe('CCC');
  });

  test('so is one that becomes zeros meanwhile', async () => {
    const paged = makePaged(1);
    const { pager, vmo } = paged;
    writeByte(vmo, 0, 1);
    pager.answers = 'held';
    const sync = vmo.sync();
    await settle();
    pager.answers = 'now';
    vmo.zeroSync();
    pager.finishNext();
    await sync;
    expect(states(paged)).toBe('d');
    vmo.syncSync();
    expectBytes(pager.bytes, page());
  });

  test.each(['now', 'held'] as const)(
    'where it fails, the pages stay dirty (answers %s)',
    async (answers) => {
      const paged = makePaged(6);
      const { pager, vmo } = paged;
      for (const at of [0, 2, 3, 5]) writeByte(vmo, at, 7);
      pager.heard();
      pager.answers = answers;
      const cause = new Error('disk full');
      pager.during.writeBack = ({ offset }) => {
        if (offset === 2 * PAGE_SIZE) pager.failures.set('writeBack', cause);
      };
      const sync = vmo.sync().catch((error: unknown) => error);
      await settle();
      while (pager.held.length > 0) {
        pager.finishNext();
        await settle();
      }
      expectPagerError(
        await sync,
        'the pager of file failed in writeBack of bytes 0x2000 to 0x4000: disk full',
        cause,
      );
      expect(states(paged)).toBe('C-DD-D');
      expect(pager.heard()).toEqual(['writeBack 0+1', 'writeBack 2+2']);
      delete pager.during.writeBack;
      pager.failures.clear();
      pager.answers = 'now';
      vmo.syncSync();
      expect(pager.heard()).toEqual(['writeBack 2+2', 'writeBack 5+1']);
      expect([0, 2, 3, 5].map((at) => pager.bytes[at * PAGE_SIZE])).toEqual([7, 7, 7, 7]);
    },
  );

  test('two at once: the second waits for the first, and writes what is dirty then', async () => {
    const paged = makePaged(3);
    const { pager, vmo } = paged;
    writeByte(vmo, 0, 1);
    pager.heard();
    pager.answers = 'held';
    const one = vmo.sync();
    const other = vmo.sync();
    const third = vmo.sync({ offset: PAGE_SIZE });
    await settle();
    expect(pager.heard()).toEqual(['writeBack 0+1']);
    pager.answers = 'now';
    writeByte(vmo, 2, 2);
    pager.heard();
    pager.answers = 'later';
    pager.finishNext();
    await Promise.all([one, other, third]);
    expect(pager.heard()).toEqual(['writeBack 2+1']);
    expect(states(paged)).toBe('C-C');
  });

  test('the second succeeds where the first fails', async () => {
    const { pager, vmo } = makePaged(1);
    writeByte(vmo, 0, 1);
    pager.answers = 'held';
    const one = vmo.sync();
    const other = vmo.sync();
    await settle();
    pager.held.shift()!.fail(new Error('busy'));
    await expect(one).rejects.toThrow('busy');
    await settle();
    pager.finishNext();
    await other;
    expect(pager.bytes[0]).toBe(1);
  });

  test('a pager that is detached between two runs is called no more', async () => {
    const paged = makePaged(5);
    const { pager, vmo } = paged;
    for (const at of [0, 2, 4]) writeByte(vmo, at, 7);
    pager.heard();
    pager.answers = 'held';
    const sync = vmo.sync();
    await settle();
    vmo.detachPager();
    pager.finishNext();
    await expect(sync).rejects.toMatchObject({ code: 'ENOTSUP' });
    expect(pager.heard()).toEqual(['writeBack 0+1', 'close']);
    expect(states(paged)).toMatch(/^C.D.D$/);
  });

  test('a revoked capability stops it, and nothing is lost', async () => {
    const paged = makePaged(3);
    const { pager, vmo } = paged;
    for (const at of [0, 2]) writeByte(vmo, at, 7);
    pager.heard();
    const child = vmo.createChild({ kind: 'reference' });
    pager.answers = 'held';
    const sync = child.sync();
    await settle();
    child.revoke();
    pager.finishNext();
    await expect(sync).rejects.toMatchObject({ code: 'ESTALE' });
    pager.answers = 'now';
    vmo.syncSync();
    expect([pager.bytes[0], pager.bytes[2 * PAGE_SIZE]]).toEqual([7, 7]);
    vmo.close();
  });

  test('it needs the right to write, and does nothing without a pager', async () => {
    const { objects, vmo } = makePaged(1);
    const reader = vmo.duplicate().restrict('read', 'dup').toDyn();
    await expect(reader.sync()).rejects.toMatchObject({ code: 'EACCES' });
    expect(() => reader.syncSync()).toThrow(expect.objectContaining({ code: 'EACCES' }));
    const plain = objects.create({ size: PAGE_SIZE });
    writeByte(plain, 0, 1);
    await plain.sync();
    plain.syncSync();
    expect(readByte(plain, 0)).toBe(1);
  });

  test('pages in an open view stay dirty, for they may be written at any time', () => {
    const paged = makePaged(3);
    const { pager, vmo } = paged;
    const view = vmo.viewSync({ offset: PAGE_SIZE, length: 1 });
    writeByte(vmo, 0, 1);
    view.pieces[0]!.bytes[0] = 1;
    vmo.syncSync();
    expect(states(paged)).toBe('CD-');
    view.pieces[0]!.bytes[0] = 2;
    view.close();
    pager.heard();
    vmo.syncSync();
    expect(pager.heard()).toEqual(['writeBack 1+1']);
    expect(pager.bytes[PAGE_SIZE]).toBe(2);
    expect(states(paged)).toBe('CC-');
  });
});
