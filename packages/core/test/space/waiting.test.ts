/** Memory whose pager answers later: an access says that it has to wait, and is made again when the pager has answered. */
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, vpn } from '../../src/frame/index.js';
import type { Access } from '../../src/paging/index.js';
import {
  type AddressSpace,
  copyIn,
  copyInString,
  copyOut,
  type MapSharing,
  type UserCopyResult,
  type Waiting,
} from '../../src/space/index.js';
import { PagerError, type VmoOptions } from '../../src/vmo/index.js';
import { peek, poke } from '../model/touch.js';
import { makeWorld, type World } from '../model/world.js';
import { settle, stateOf, TestPager } from '../vmo/paged.js';
import {
  access,
  at,
  bytesOf,
  codeOf,
  FORK_KINDS,
  makeZeros,
  mapAt,
  mappedIn,
  setVmoByte,
  squeeze,
} from './mapped.js';

const SHARINGS: readonly MapSharing[] = ['private', 'shared'];

interface Setup {
  readonly pager: TestPager;
  readonly vmo: ReturnType<typeof makeZeros>;
  readonly space: AddressSpace;
}

/** A space that maps all of an object from page 0 on, whose pager's calls are answered by the test. */
const makeHeld = (
  world: World,
  {
    pages = 4,
    sharing = 'private' as MapSharing,
    ...options
  }: Partial<VmoOptions> & { pages?: number; sharing?: MapSharing } = {},
): Setup => {
  const pager = new TestPager(bytesOf(pages));
  pager.answers = 'held';
  const vmo = makeZeros(world, pages, { pager, ...options });
  const space = world.space();
  mapAt(space, 0, pages, { vmo, sharing });
  return { pager, vmo, space };
};

const fault = (space: AddressSpace, page: number, kind: Access): Waiting => {
  const outcome = space.handleFault(vpn(page), kind);
  expect(outcome.kind).toBe('waiting');
  return outcome as Waiting;
};

const waitingOf = (result: UserCopyResult | Uint8Array | 'ENAMETOOLONG'): Waiting => {
  expect(result).toMatchObject({ kind: 'waiting' });
  return result as Waiting;
};

/** Lets pages be lost and objects closed that the test leaves changed. */
const discard = (world: World): void => {
  world.check();
  world.virtualMemory.close({ unwritten: 'discard' });
};

describe('a fault', () => {
  test.each(SHARINGS)(
    'of a %s mapping waits, changes nothing, and is resolved when it is made again',
    async (sharing) => {
      using world = makeWorld();
      const { pager, space } = makeHeld(world, { sharing });
      const { until } = fault(space, 1, 'read');
      expect(pager.heard()).toEqual(['commit 1+1']);
      expect(mappedIn(space, 0, 4)).toEqual([]);
      expect(await stateOf(until)).toBe('waiting');
      world.check();
      pager.finishNext();
      await until;
      // Nothing is mapped by itself: it may not be wanted any more.
      expect(mappedIn(space, 0, 4)).toEqual([]);
      expect(access(space, 1, 'read')).toBe('mapped');
      expect(peek(space, 1)).toBe(pager.bytes[PAGE_SIZE]);
      expect(pager.heard()).toEqual([]);
      expect(world.virtualMemory.statistics().faults).toMatchObject({ waiting: 1, mapped: 1 });
    },
  );

  test('asks the pager once for a page, whoever waits for it', async () => {
    using world = makeWorld();
    const { pager, vmo, space } = makeHeld(world);
    const other = world.space();
    mapAt(other, 10, 4, { vmo, sharing: 'shared', protection: 'r--', ceiling: 'r--' });
    const waits = [fault(space, 2, 'read'), fault(space, 2, 'write'), fault(other, 12, 'read')];
    const read = vmo.read(bytesOf(2), new Uint8Array(1));
    expect(pager.heard()).toEqual(['commit 2+1']);
    pager.finishNext();
    await Promise.all([...waits.map(({ until }) => until), read]);
    expect(access(space, 2, 'write')).toBe('copied');
    expect(peek(other, 12)).toBe(pager.bytes[bytesOf(2)]);
  });

  test('to write a shared page waits for the page, and for leave to write it', async () => {
    using world = makeWorld();
    const { pager, vmo, space } = makeHeld(world, { sharing: 'shared' });
    const { until } = fault(space, 0, 'write');
    expect(pager.heard()).toEqual(['commit 0+1']);
    pager.finishNext();
    expect(await stateOf(until)).toBe('waiting');
    expect(pager.heard()).toEqual(['update 0+1']);
    // It can be read by now, and waits no less to be written.
    expect(access(space, 0, 'read')).toBe('mapped');
    const again = fault(space, 0, 'write');
    expect(pager.heard()).toEqual([]);
    pager.finishNext();
    await Promise.all([until, again.until]);
    expect(access(space, 0, 'write')).toBe('mapped');
    poke(space, 0, 9);
    expect(pager.heard()).toEqual([]);
    pager.answers = 'now';
    vmo.syncSync();
    expect(pager.bytes[0]).toBe(9);
  });

  test('whose page was written or supplied meanwhile is resolved with that', async () => {
    using world = makeWorld();
    const { pager, vmo, space } = makeHeld(world);
    const waits = [fault(space, 0, 'read'), fault(space, 1, 'read')];
    vmo.supply(0, new Uint8Array(PAGE_SIZE).fill(5));
    await waits[0]!.until;
    expect(peek(space, 0)).toBe(5);
    pager.finishNext();
    pager.finishNext();
    await waits[1]!.until;
    expect([peek(space, 0), peek(space, 1)]).toEqual([5, pager.bytes[PAGE_SIZE]]);
  });

  test('rejects with the pager’s failure, and asks anew when it is made again', async () => {
    using world = makeWorld();
    const { pager, space } = makeHeld(world);
    const cause = new Error('the disk is gone');
    const { until } = fault(space, 1, 'read');
    pager.held.shift()!.fail(cause);
    const error = await until.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PagerError);
    expect(error).toMatchObject({ code: 'EIO', cause });
    const again = fault(space, 1, 'read');
    expect(pager.heard()).toEqual(['commit 1+1', 'commit 1+1']);
    pager.finishNext();
    await again.until;
    expect(peek(space, 1)).toBe(pager.bytes[PAGE_SIZE]);
  });

  test('that nobody waits for does no harm when the pager fails, or never answers', async () => {
    using world = makeWorld();
    const { pager, space } = makeHeld(world, { sharing: 'shared' });
    fault(space, 0, 'read');
    fault(space, 1, 'write');
    pager.held.shift()!.fail(new Error('nobody hears of it'));
    await settle();
    world.check();
    space.close();
    await settle();
  });

  test('of a pager that fails at once is a pager-error with its cause', () => {
    using world = makeWorld();
    const { pager, space } = makeHeld(world);
    const cause = new Error('no');
    pager.answers = 'now';
    pager.failures.set('commit', cause);
    const outcome = space.handleFault(vpn(0), 'read');
    expect(outcome.kind).toBe('pager-error');
    expect(outcome).toMatchObject({ error: { cause } });
    expect(space.prefault(at(0), PAGE_SIZE, 'read')).toMatchObject({ kind: 'pager-error' });
    expect(world.virtualMemory.statistics().faults['pager-error']).toBe(2);
    pager.failures.clear();
    expect(access(space, 0, 'read')).toBe('mapped');
  });

  test('to write is refused where the pager does not agree, and the page stays as it was', async () => {
    using world = makeWorld();
    const { pager, vmo, space } = makeHeld(world, { sharing: 'shared' });
    pager.answers = 'now';
    peek(space, 0);
    pager.failures.set('update', new Error('read only'));
    expect(space.handleFault(vpn(0), 'write').kind).toBe('pager-error');
    pager.answers = 'held';
    const { until } = fault(space, 0, 'write');
    pager.finishNext();
    await expect(until).rejects.toThrow('read only');
    expect(peek(space, 0)).toBe(pager.bytes[0]);
    vmo.syncSync();
  });
});

describe('while a fault waits', () => {
  const OUTCOMES = {
    unmap: 'unmapped',
    'unmap in another space': 'mapped',
    replace: 'zero-mapped',
    remap: 'unmapped',
    'close the space': 'unmapped',
    protect: 'protection',
    shrink: 'beyond-end',
    revoke: 'revoked',
    'detach the pager': 'pager-error',
    fork: 'mapped',
    'dont need': 'mapped',
  } as const;

  test.each(Object.keys(OUTCOMES) as (keyof typeof OUTCOMES)[])('anything may happen: %s', async (what) => {
    for (const kind of ['read', 'write'] as const) {
      using world = makeWorld(512 * 1024);
      const { pager, vmo, space } = makeHeld(world, { sharing: 'shared', resizable: true });
      const child = space.fork();
      const { until } = fault(space, 1, kind);
      switch (what) {
        case 'unmap':
          space.unmap(at(0), bytesOf(4));
          break;
        case 'unmap in another space':
          child.unmap(at(0), bytesOf(4));
          break;
        case 'replace':
          mapAt(space, 0, 4, { overlap: 'replace' });
          break;
        case 'remap':
          space.remap({ at: at(0), lengthBytes: bytesOf(4), to: at(600) });
          break;
        case 'close the space':
          space.close();
          break;
        case 'protect':
          space.protect(at(0), bytesOf(4), '---');
          break;
        case 'shrink':
          vmo.resizeSync(0);
          break;
        case 'revoke':
          vmo.revoke();
          break;
        case 'detach the pager':
          vmo.detachPager();
          break;
        case 'fork':
          space.fork('pages');
          break;
        case 'dont need':
          space.dontNeed(at(0), bytesOf(4));
          break;
      }
      world.check();
      // Whatever it asks for next is answered too.
      for (let turn = 0; turn < 4; turn++) {
        if (pager.held.length > 0) pager.finishNext();
        await settle();
      }
      expect(await stateOf(until)).not.toBe('waiting');
      world.check();
      const outcome = access(space, 1, 'read');
      expect(outcome, kind).toBe(OUTCOMES[what]);
      discard(world);
      await settle();
    }
  });

  test.each(FORK_KINDS)('a fork by %s may wait for the same, and both go on', async (kind) => {
    using world = makeWorld(512 * 1024);
    const { pager, space } = makeHeld(world, { sharing: 'shared' });
    const mine = fault(space, 0, 'write');
    const child = space.fork(kind);
    const theirs = fault(child, 0, 'write');
    while (pager.held.length > 0) {
      pager.finishNext();
      await settle();
    }
    await Promise.all([mine.until, theirs.until]);
    expect(pager.heard()).toEqual(['commit 0+1', 'update 0+1']);
    poke(space, 0, 1);
    expect(peek(child, 0)).toBe(1);
    discard(world);
  });
});

describe('prefault', () => {
  test('says what to wait for at the first page that is not there, and goes on from there', async () => {
    using world = makeWorld(512 * 1024);
    const { pager, space } = makeHeld(world, { pages: 6 });
    pager.answers = 'later';
    let waits = 0;
    for (;;) {
      const result = space.prefault(at(0), bytesOf(6), 'read');
      if (result === undefined) break;
      await waitingOf(result as Waiting).until;
      waits++;
    }
    expect(waits).toBeGreaterThanOrEqual(1);
    for (let page = 0; page < 6; page++) expect(access(space, page, 'read')).toBe('ready');
  });
});

describe('a copy', () => {
  test('in waits, has copied nothing, and is whole when it is made again', async () => {
    using world = makeWorld();
    const { pager, space } = makeHeld(world);
    const target = new Uint8Array(PAGE_SIZE + 10).fill(255);
    const from = (at(0) + 100) as never;
    for (const call of ['commit 0+1', 'commit 1+1']) {
      const { until } = waitingOf(copyIn(space, from, target));
      expect(target.every((byte) => byte === 255)).toBe(true);
      expect(pager.heard()).toEqual([call]);
      pager.finishNext();
      await until;
    }
    expect(copyIn(space, from, target)).toBe('ok');
    expect(target).toEqual(pager.bytes.slice(100, 100 + target.length));
  });

  test('out waits for each page and for leave, has written nothing before, and everything after', async () => {
    using world = makeWorld();
    const { pager, vmo, space } = makeHeld(world, { sharing: 'shared' });
    const bytes = new Uint8Array(200).fill(7);
    const to = (at(1) - 100) as never;
    const calls: string[] = [];
    for (let turn = 0; turn < 8; turn++) {
      const result = copyOut(space, to, bytes);
      if (result === 'ok') break;
      const { until } = waitingOf(result);
      while ((await stateOf(until)) === 'waiting') calls.push(pager.finishNext());
    }
    expect(calls).toEqual(['commit 0+1', 'update 0+1', 'commit 1+1', 'update 1+1']);
    pager.answers = 'now';
    vmo.syncSync();
    expect(pager.bytes.slice(PAGE_SIZE - 100, PAGE_SIZE + 100)).toEqual(bytes);
    expect(pager.bytes[PAGE_SIZE + 100]).not.toBe(7);
  });

  test('of a string waits for each page that it goes on in', async () => {
    using world = makeWorld();
    const { pager, space } = makeHeld(world);
    pager.bytes.set(new TextEncoder().encode('a name that goes on'), PAGE_SIZE - 6);
    pager.bytes[PAGE_SIZE - 6 + 19] = 0;
    const from = (at(1) - 6) as never;
    for (let page = 0; page < 2; page++) {
      const { until } = waitingOf(copyInString(space, from, 100));
      expect(pager.finishNext()).toBe(`commit ${page}+1`);
      await until;
    }
    expect(new TextDecoder().decode(copyInString(space, from, 100) as Uint8Array)).toBe(
      'a name that goes on',
    );
    // One that ends before the border asks for no more than its page.
    expect(copyInString(space, from, 5)).toBe('ENAMETOOLONG');
    expect(pager.heard()).toHaveLength(2);
  });

  test('is EIO where a pager fails at once, EFAULT beyond the end or where it is revoked; nothing is written', () => {
    using world = makeWorld();
    const { pager, vmo, space } = makeHeld(world, { resizable: true, sharing: 'shared' });
    pager.answers = 'now';
    const bytes = new Uint8Array(2 * PAGE_SIZE).fill(1);
    setVmoByte(vmo, 0, 5);
    pager.failures.set('commit', new Error('no'));
    expect(copyOut(space, at(0), bytes)).toBe('EIO');
    expect(peek(space, 0)).toBe(5);
    expect(copyIn(space, at(1), new Uint8Array(1))).toBe('EIO');
    expect(copyInString(space, at(1), 10)).toBe('EIO');
    pager.failures.clear();
    vmo.resizeSync(PAGE_SIZE);
    expect(copyOut(space, at(0), bytes)).toBe('EFAULT');
    expect(copyIn(space, at(1), new Uint8Array(1))).toBe('EFAULT');
    vmo.revoke({ unwritten: 'discard' });
    expect(copyOut(space, at(0), Uint8Array.of(1))).toBe('EFAULT');
    expect(copyInString(space, at(0), 10)).toBe('EFAULT');
  });

  test('of more than there is memory for is ENOMEM in the end, for pages of a file as for others', () => {
    using world = makeWorld();
    const pages = world.memory.freeFrames + 10;
    const pager = new TestPager(bytesOf(pages));
    const vmo = makeZeros(world, pages, { pager });
    const space = world.space();
    mapAt(space, 0, pages, { vmo });
    expect(copyIn(space, at(0), new Uint8Array(bytesOf(pages)))).toBe('ENOMEM');
    world.check();
    expect(copyIn(space, at(0), new Uint8Array(bytesOf(4)))).toBe('ok');
  });
});

describe('with no memory left', () => {
  test.each(SHARINGS)(
    'a page of a %s mapping that arrives finds no frame: the access is made again, and says so',
    async (sharing) => {
      using world = makeWorld();
      const { pager, space } = makeHeld(world, { sharing });
      const { until } = fault(space, 0, 'read');
      squeeze(world);
      pager.finishNext();
      // Not a failure of the pager's: whoever looks again sees.
      const error = await until.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).not.toBeInstanceOf(PagerError);
      expect(
        codeOf(() => {
          if (error !== undefined) throw error;
        }),
      ).toMatch(/done|ENOMEM/);
      pager.answers = 'now';
      expect(space.handleFault(vpn(0), 'read').kind).toBe('out-of-memory');
      world.drain();
      expect(access(space, 0, 'read')).toBe('mapped');
    },
  );
});
