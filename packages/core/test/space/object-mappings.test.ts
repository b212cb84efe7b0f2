import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, vpn } from '../../src/frame/index.js';
import {
  type AddressSpace,
  formatMapping,
  type MapOptions,
  type MapSharing,
  type Protection,
} from '../../src/space/index.js';
import { type Right, RIGHTS, type Vmo } from '../../src/vmo/index.js';
import { countAt, frameAt, peek, poke } from '../model/touch.js';
import { entriesOf, failEachAllocation, makeWorld, snapshot, World } from '../model/world.js';
import { TestPager } from '../vmo/paged.js';
import {
  access,
  at,
  bytesOf,
  codeOf,
  FORK_KINDS,
  makeTagged,
  makeZeros,
  mapAt,
  mappedIn,
  setVmoByte,
  tag,
  vmoByte,
  warm,
} from './mapped.js';

const makeSmall = (): World => makeWorld(512 * 1024);
const PROTECTIONS: readonly Protection[] = ['---', 'r--', 'rw-', 'r-x', 'rwx', '--x'];
const SHARINGS: readonly MapSharing[] = ['private', 'shared'];

describe('a private mapping of an object', () => {
  test("shows the object's pages where they lie, and takes no frame for them", () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 4);
    const space = world.space();
    mapAt(space, 100, 3, { vmo, offsetBytes: PAGE_SIZE });
    peek(space, 100);
    const free = world.memory.freeFrames;
    expect([100, 101, 102].map((page) => peek(space, page))).toEqual([tag(1), tag(2), tag(3)]);
    expect(world.memory.freeFrames).toBe(free);
    expect(space.residentFrames).toBe(3);
    expect(space.ownFrames).toBe(0);
    world.check();
  });

  test('shows what the object is now, until the space writes the page', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 2);
    const space = world.space();
    mapAt(space, 0, 2, { vmo });
    expect(peek(space, 0)).toBe(tag(0));
    setVmoByte(vmo, 0, 77);
    expect(peek(space, 0)).toBe(77);
    poke(space, 0, 5);
    setVmoByte(vmo, 0, 78);
    expect([peek(space, 0), vmoByte(vmo, 0), peek(space, 1)]).toEqual([5, 78, tag(1)]);
    expect(space.ownFrames).toBe(1);
  });

  test('copies what the page is when it is written first, be it mapped by then or not', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 2);
    const space = world.space();
    mapAt(space, 0, 2, { vmo });
    expect(access(space, 0, 'read')).toBe('mapped');
    expect(access(space, 0, 'write')).toBe('copied');
    const other = world.space();
    mapAt(other, 0, 2, { vmo });
    expect(access(other, 1, 'write')).toBe('copied');
    expect(peek(other, 1)).toBe(tag(1));
    poke(other, 1, 1);
    expect([vmoByte(vmo, 0), vmoByte(vmo, 1)]).toEqual([tag(0), tag(1)]);
  });

  test('of pages that the object has no frame for shows zeros, and commits none of them', () => {
    using world = makeSmall();
    const vmo = makeZeros(world, 3);
    const space = world.space();
    mapAt(space, 0, 3, { vmo });
    expect(access(space, 0, 'read')).toBe('zero-mapped');
    expect(access(space, 1, 'write')).toBe('zero-filled');
    expect(access(space, 0, 'write')).toBe('zero-filled');
    expect(vmo.committedBytes).toBe(0);
    expect(space.residentFrames).toBe(2);
  });

  test('that shows zeros shows what is written to the object after', () => {
    using world = makeSmall();
    const vmo = makeZeros(world, 2);
    const space = world.space();
    mapAt(space, 0, 2, { vmo });
    expect([peek(space, 0), peek(space, 1)]).toEqual([0, 0]);
    setVmoByte(vmo, 1, 9);
    expect([peek(space, 0), peek(space, 1)]).toEqual([0, 9]);
    expect(space.residentFrames).toBe(1);
  });

  test('keeps the pages it has written whatever protect does', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 1);
    const space = world.space();
    mapAt(space, 0, 1, { vmo });
    poke(space, 0, 5);
    for (const protection of PROTECTIONS) space.protect(at(0), PAGE_SIZE, protection);
    space.protect(at(0), PAGE_SIZE, 'rw-');
    expect(peek(space, 0)).toBe(5);
    // The frame was the space's alone all the time.
    expect(access(space, 0, 'write')).toBe('reused');
  });

  test("made writable by protect copies the object's page, and never writes it in place", () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 1);
    const space = world.space();
    mapAt(space, 0, 1, { vmo, protection: 'r--' });
    expect(peek(space, 0)).toBe(tag(0));
    space.protect(at(0), PAGE_SIZE, 'rw-');
    poke(space, 0, 6);
    expect(vmoByte(vmo, 0)).toBe(tag(0));
  });

  test.each(FORK_KINDS)('is, in a fork by %s, as if what was written had been copied', (kind) => {
    using world = makeSmall();
    const vmo = makeTagged(world, 3);
    const parent = world.space();
    mapAt(parent, 0, 3, { vmo });
    peek(parent, 0);
    poke(parent, 1, 1);
    const child = parent.fork(kind);
    poke(child, 1, 2);
    poke(parent, 2, 3);
    setVmoByte(vmo, 0, 50);
    setVmoByte(vmo, 1, 51);
    setVmoByte(vmo, 2, 52);
    expect([0, 1, 2].map((page) => peek(parent, page))).toEqual([50, 1, 3]);
    expect([0, 1, 2].map((page) => peek(child, page))).toEqual([50, 2, 52]);
    world.check();
  });
});

describe('a shared mapping of an object', () => {
  test('is the object: writes on either side are seen at once', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 2);
    const space = world.space();
    mapAt(space, 0, 2, { vmo, sharing: 'shared' });
    poke(space, 0, 1);
    expect(vmoByte(vmo, 0)).toBe(1);
    setVmoByte(vmo, 0, 2);
    expect(peek(space, 0)).toBe(2);
    expect(space.ownFrames).toBe(0);
    expect(vmo.committedBytes).toBe(bytesOf(2));
  });

  test('shows in a second place, and in another space, what is written in the first', () => {
    using world = makeSmall();
    const vmo = makeZeros(world, 1);
    const [one, other] = [world.space(), world.space()];
    for (const [space, page] of [
      [one, 0],
      [one, 700],
      [other, 3],
    ] as const) {
      mapAt(space, page, 1, { vmo, sharing: 'shared' });
      expect(peek(space, page)).toBe(0);
    }
    poke(one, 700, 8);
    expect([peek(one, 0), peek(one, 700), peek(other, 3), vmoByte(vmo, 0)]).toEqual([8, 8, 8, 8]);
    poke(other, 3, 9);
    expect([peek(one, 0), peek(one, 700)]).toEqual([9, 9]);
    expect(frameAt(one, 0)).toBe(frameAt(other, 3));
    world.check();
  });

  test('beside a private one of the same page leaves it what it has written', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 1);
    const space = world.space();
    mapAt(space, 0, 1, { vmo, sharing: 'shared' });
    mapAt(space, 1, 1, { vmo });
    expect(peek(space, 1)).toBe(tag(0));
    poke(space, 0, 1);
    expect(peek(space, 1)).toBe(1);
    poke(space, 1, 2);
    poke(space, 0, 3);
    expect([peek(space, 0), peek(space, 1), vmoByte(vmo, 0)]).toEqual([3, 2, 3]);
  });

  test('of a slice shows that part, and nothing beyond it', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 6);
    const slice = vmo.createChild({ kind: 'slice', offset: bytesOf(2), size: bytesOf(2) });
    const space = world.space();
    mapAt(space, 8, 3, { vmo: slice, sharing: 'shared', offsetBytes: PAGE_SIZE });
    expect(peek(space, 8)).toBe(tag(3));
    expect([access(space, 9, 'read'), access(space, 10, 'write')]).toEqual(['beyond-end', 'beyond-end']);
    poke(space, 8, 1);
    expect(vmoByte(vmo, 3)).toBe(1);
  });

  test('of a slice that ends inside a page does not reach that page, which goes on', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 3);
    const slice = vmo.createChild({ kind: 'slice', offset: 0, size: PAGE_SIZE + 100 });
    const space = world.space();
    mapAt(space, 0, 2, { vmo: slice, sharing: 'shared' });
    expect(peek(space, 0)).toBe(tag(0));
    expect(access(space, 1, 'read')).toBe('beyond-end');
  });

  test.each(FORK_KINDS)('stays shared through forks of forks by %s', (kind) => {
    using world = makeWorld(2 * 1024 * 1024);
    const vmo = makeZeros(world, 4);
    const spaces = [world.space()];
    mapAt(spaces[0]!, 0, 4, { vmo, sharing: 'shared' });
    poke(spaces[0]!, 0, 1);
    peek(spaces[0]!, 1);
    for (let generation = 0; generation < 4; generation++) spaces.push(spaces.at(-1)!.fork(kind));
    for (const [index, space] of spaces.entries()) {
      // Pages that were mapped to be written, to be read, and not at all, when the forks were made.
      for (const page of [0, 1, 2]) {
        poke(space, page, 10 * index + page + 1);
        for (const other of spaces) expect(peek(other, page)).toBe(10 * index + page + 1);
      }
      world.check();
    }
    expect([vmoByte(vmo, 0), vmoByte(vmo, 1), vmoByte(vmo, 2)]).toEqual([41, 42, 43]);
    expect(vmo.committedBytes).toBe(bytesOf(3));
  });

  test.each(FORK_KINDS)(
    'of anonymous memory is shared with forks by %s, and goes with the last of them',
    (kind) => {
      using world = makeSmall();
      const { objects } = world.virtualMemory;
      const parent = world.space();
      mapAt(parent, 0, 2, { sharing: 'shared', name: 'ring' });
      poke(parent, 0, 1);
      const child = parent.fork(kind);
      poke(child, 0, 2);
      poke(child, 1, 3);
      expect([peek(parent, 0), peek(parent, 1)]).toEqual([2, 3]);
      parent.close();
      expect([peek(child, 0), peek(child, 1)]).toEqual([2, 3]);
      expect(objects.statistics().objects).toBe(1);
      child.unmap(at(0), PAGE_SIZE);
      expect(objects.statistics().objects).toBe(1);
      child.unmap(at(1), PAGE_SIZE);
      expect(objects.statistics().objects).toBe(0);
    },
  );
});

describe('an access', () => {
  test('is refused for the first reason of: unmapped, protection, revoked, beyond the end', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 1);
    const space = world.space();
    mapAt(space, 0, 2, { vmo, protection: 'r--' });
    expect(access(space, 2, 'read')).toBe('unmapped');
    expect([access(space, 1, 'write'), access(space, 1, 'read')]).toEqual(['protection', 'beyond-end']);
    vmo.revoke();
    expect([0, 1].map((page) => access(space, page, 'write'))).toEqual(['protection', 'protection']);
    expect([0, 1].map((page) => access(space, page, 'read'))).toEqual(['revoked', 'revoked']);
    expect([0, 1].map((page) => access(space, page, 'execute'))).toEqual(['protection', 'protection']);
    expect(access(space, 2, 'write')).toBe('unmapped');
  });

  test('to a mapping far beyond the end of an object that could never be so long is beyond the end', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 1);
    const space = world.space();
    mapAt(space, 5, 1, { vmo, offsetBytes: Number.MAX_SAFE_INTEGER + 1 - PAGE_SIZE, sharing: 'shared' });
    mapAt(space, 6, 1, { vmo, offsetBytes: 2 ** 42 });
    expect([access(space, 5, 'write'), access(space, 6, 'read')]).toEqual(['beyond-end', 'beyond-end']);
    setVmoByte(vmo, 0, 1);
    world.check();
  });

  test('without memory for it changes nothing, at whatever allocation, and can be made again', () => {
    for (const sharing of SHARINGS) {
      for (const kind of ['read', 'write'] as const) {
        for (const source of ['zeros', 'bytes'] as const) {
          using world = makeSmall();
          const vmo = source === 'zeros' ? makeZeros(world, 2) : makeTagged(world, 2);
          const parent = world.space();
          // A page in the same table, so that the fork has a table to copy.
          mapAt(parent, 1, 1);
          poke(parent, 1, 1);
          mapAt(parent, 0, 1, { vmo, sharing });
          const child = parent.fork('tables');
          const before = snapshot(world);
          const committed = vmo.committedBytes;
          const failed = failEachAllocation(
            world.memory,
            () => {
              const outcome = child.handleFault(vpn(0), kind);
              return outcome.kind === 'out-of-memory' ? 'out-of-memory' : 'done';
            },
            () => {
              // A page that the object was given to be written stays its own.
              if (committed === vmo.committedBytes) expect(snapshot(world)).toBe(before);
              expect(entriesOf(child).get(vpn(0))).toBeUndefined();
              world.check();
            },
          );
          expect(failed, `${sharing} ${kind} of ${source}`).toBeGreaterThanOrEqual(2);
          expect(peek(child, 0)).toBe(source === 'zeros' ? 0 : tag(0));
          world.check();
        }
      }
    }
  });
});

describe.each(['hardware', 'fault'] as const)('where A and D are set by: %s,', (updates) => {
  test.each(FORK_KINDS)('every access that is resolved can be made, in forks by %s too', (fork) => {
    using world = new World(1024 * 1024, { updates });
    const vmo = makeTagged(world, 20);
    const space = world.space();
    mapAt(space, 0, 20, { vmo, protection: 'rwx' });
    mapAt(space, 600, 20, { vmo, protection: 'rwx', sharing: 'shared' });
    mapAt(space, 640, 20, { protection: 'rwx', sharing: 'shared' });
    mapAt(space, 700, 20, { protection: 'rwx' });
    let round = 0;
    const touchAll = (each: AddressSpace): void => {
      const kinds = ['read', 'execute', 'write', 'read', 'write'] as const;
      for (const start of [0, 600, 640, 700]) {
        for (let page = start + round; page < start + 20; page += 3) {
          for (const kind of kinds)
            expect(typeof each.reach(vpn(page), kind), `${kind} of ${page}`).toBe('number');
        }
      }
      round = (round + 1) % 3;
      world.check();
    };
    touchAll(space);
    const child = space.fork(fork);
    touchAll(child);
    const grandchild = child.fork(fork);
    for (const each of [space, grandchild, child]) touchAll(each);
    warm([space, child, grandchild]);
    setVmoByte(vmo, 3, 1);
    vmo.decommit({ offset: 0, length: bytesOf(2) });
    world.check();
    for (const each of [space, grandchild, child]) touchAll(each);
  });
});

describe('001.11: mapping needs rights', () => {
  const wanted = (protection: Protection, sharing: MapSharing): readonly Right[] => {
    const needs: Right[] = [];
    if (protection.includes('r')) needs.push('read');
    if (protection.includes('w') && sharing === 'shared') needs.push('write');
    if (protection.includes('x')) needs.push('exec');
    return needs;
  };
  const subsets = (): Right[][] =>
    Array.from({ length: 2 ** RIGHTS.length }, (_, bits) =>
      RIGHTS.filter((_right, index) => (bits & (1 << index)) !== 0),
    );

  test('as the protection says, and EACCES otherwise with nothing changed', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 1);
    const space = world.space();
    const before = snapshot(world);
    for (const rights of subsets()) {
      for (const sharing of SHARINGS) {
        for (const protection of PROTECTIONS) {
          using given = vmo.duplicate().restrict(...rights);
          const options: MapOptions = { at: at(0), lengthBytes: PAGE_SIZE, protection, sharing, vmo: given };
          const isAllowed = wanted(protection, sharing).every((right) => rights.includes(right));
          const what = `${protection} ${sharing} of ${rights.join(' ') || 'nothing'}`;
          expect(
            codeOf(() => space.map(options)),
            what,
          ).toBe(isAllowed ? 'done' : 'EACCES');
          if (isAllowed) space.unmap(at(0), PAGE_SIZE);
          expect(snapshot(world)).toBe(before);
        }
      }
    }
    expect(world.virtualMemory.objects.statistics().objects).toBe(1);
  });

  test('a ceiling needs the rights to all that it lets protect give', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 1);
    const space = world.space();
    for (const rights of subsets()) {
      for (const sharing of SHARINGS) {
        for (const ceiling of PROTECTIONS) {
          using given = vmo.duplicate().restrict(...rights);
          const map = (): unknown =>
            space.map({ at: at(0), lengthBytes: PAGE_SIZE, protection: '---', ceiling, sharing, vmo: given });
          const isAllowed = wanted(ceiling, sharing).every((right) => rights.includes(right));
          const what = `ceiling ${ceiling} ${sharing} of ${rights.join(' ') || 'nothing'}`;
          expect(codeOf(map), what).toBe(isAllowed ? 'done' : 'EACCES');
          if (isAllowed) space.unmap(at(0), PAGE_SIZE);
        }
      }
    }
  });

  test('protect gives all that the rights allow by default, and EACCES for more', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 1);
    const space = world.space();
    for (const rights of subsets()) {
      for (const sharing of SHARINGS) {
        using given = vmo.duplicate().restrict(...rights);
        space.map({ at: at(0), lengthBytes: PAGE_SIZE, protection: '---', sharing, vmo: given });
        for (const protection of PROTECTIONS) {
          const isAllowed = wanted(protection, sharing).every((right) => rights.includes(right));
          const what = `${protection} ${sharing} of ${rights.join(' ') || 'nothing'}`;
          expect(
            codeOf(() => space.protect(at(0), PAGE_SIZE, protection)),
            what,
          ).toBe(isAllowed ? 'done' : 'EACCES');
        }
        space.unmap(at(0), PAGE_SIZE);
      }
    }
  });

  test('a protection beyond a ceiling is EACCES, at once and later, over several mappings too', () => {
    using world = makeSmall();
    const space = world.space();
    for (const ceiling of PROTECTIONS) {
      for (const protection of PROTECTIONS) {
        const within = protection === '---' || [...protection].every((c) => c === '-' || ceiling.includes(c));
        const map = (): void => mapAt(space, 0, 1, { protection, ceiling });
        expect(codeOf(map), `${protection} in ${ceiling}`).toBe(within ? 'done' : 'EACCES');
        space.unmap(at(0), PAGE_SIZE);
        mapAt(space, 0, 1, { protection: '---', ceiling });
        mapAt(space, 1, 1, { protection: '---' });
        const before = snapshot(world);
        expect(codeOf(() => space.protect(at(0), bytesOf(2), protection))).toBe(within ? 'done' : 'EACCES');
        if (!within) expect(snapshot(world)).toBe(before);
        space.unmap(at(0), bytesOf(2));
      }
    }
  });

  test('a capability that is closed or moved is EBADF, one that is revoked ESTALE', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 1);
    const space = world.space();
    const [closed, moved, revoked] = [vmo.duplicate(), vmo.duplicate(), vmo.duplicate()];
    closed.close();
    moved.restrict('read').close();
    revoked.revoke();
    const before = snapshot(world);
    const map = (given: Vmo<never>) => (): void => mapAt(space, 0, 1, { vmo: given, protection: 'r--' });
    expect([closed, moved, revoked].map((given) => codeOf(map(given)))).toEqual(['EBADF', 'EBADF', 'ESTALE']);
    expect(snapshot(world)).toBe(before);
  });

  test('an object over another RAM is EINVAL', () => {
    using world = makeSmall();
    using other = makeSmall();
    const vmo = makeTagged(other, 1);
    const space = world.space();
    expect(codeOf(() => mapAt(space, 0, 1, { vmo }))).toBe('EINVAL');
    expect([...space.mappings]).toEqual([]);
  });

  test.each<readonly [string, Readonly<Record<string, unknown>>]>([
    ['an offset that is not of a page', { offsetBytes: 1 }],
    ['a negative offset', { offsetBytes: -PAGE_SIZE }],
    ['an offset that is not a number', { offsetBytes: NaN }],
    ['an offset without an object', { vmo: undefined, offsetBytes: 0 }],
    ['a place both exact and near', { near: at(0) }],
    ['replacing without a place', { at: undefined, overlap: 'replace' }],
    ['a word that is no sharing', { sharing: 'both' as never }],
    ['a word that is no overlap', { overlap: 'maybe' as never }],
    ['a word that is no onFork', { onFork: 'keep' as never }],
    ['a word that is no eviction', { eviction: 'no' as never }],
    ['a ceiling that is no protection', { ceiling: '-w-' as never }],
    ['wiping of an object', { onFork: 'wipe' }],
    ['wiping of shared anonymous memory', { vmo: undefined, sharing: 'shared', onFork: 'wipe' }],
  ])('options with %s are EINVAL, and nothing changes', (_name, options) => {
    using world = makeSmall();
    const vmo = makeTagged(world, 1);
    const space = world.space();
    mapAt(space, 5, 1);
    const before = snapshot(world);
    expect(codeOf(() => mapAt(space, 0, 1, { vmo, ...options }))).toBe('EINVAL');
    expect(snapshot(world)).toBe(before);
    expect(world.virtualMemory.objects.statistics().objects).toBe(1);
  });
});

describe('a read fault of an object maps the pages around it', () => {
  const around = (
    world: World,
    { start, pages, offset = 0, touch }: { start: number; pages: number; offset?: number; touch: number },
    vmo: Vmo<never>,
    sharing: MapSharing = 'private',
  ): number[] => {
    const space = world.space();
    mapAt(space, start, pages, { vmo, offsetBytes: bytesOf(offset), sharing });
    expect(access(space, touch, 'read')).toBe('mapped');
    const mapped = mappedIn(space, 0, 2 ** 20);
    for (const page of mapped) expect(peek(space, page)).toBe(tag(page - start + offset));
    world.check();
    return mapped;
  };
  const range = (first: number, end: number): number[] =>
    Array.from({ length: end - first }, (_, index) => first + index);

  test.each(SHARINGS)('in a %s mapping: exactly the 16 of its aligned group', (sharing) => {
    using world = makeWorld(1024 * 1024);
    const vmo = makeTagged(world, 48);
    expect(around(world, { start: 0, pages: 48, touch: 31 }, vmo, sharing)).toEqual(range(16, 32));
    expect(around(world, { start: 3, pages: 45, touch: 16 }, vmo, sharing)).toEqual(range(16, 32));
    expect(around(world, { start: 496, pages: 40, touch: 512, offset: 4 }, vmo, sharing)).toEqual(
      range(512, 528),
    );
  });

  test('and no page before or beyond the mapping', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 16);
    expect(around(world, { start: 18, pages: 6, touch: 20, offset: 4 }, vmo)).toEqual(range(18, 24));
    const space = world.space();
    mapAt(space, 0, 16, { vmo, sharing: 'shared' });
    // Two mappings in one group, of one object: what the second shows is its own affair.
    space.protect(at(4), bytesOf(4), 'r--');
    peek(space, 0);
    expect(mappedIn(space, 0, 16)).toEqual(range(0, 4));
  });

  test('and none beyond the end of the object, or of the slice', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 10);
    expect(around(world, { start: 0, pages: 16, touch: 9 }, vmo)).toEqual(range(0, 10));
    const slice = vmo.createChild({ kind: 'slice', offset: 0, size: bytesOf(5) });
    expect(around(world, { start: 0, pages: 16, touch: 0 }, slice)).toEqual(range(0, 5));
  });

  test('as far as the object has frames for them: nothing is committed, no pager asked, no page replaced', () => {
    using world = makeSmall();
    const pager = new TestPager(bytesOf(8));
    const vmo = makeZeros(world, 8, { pager });
    vmoByte(vmo, 2);
    vmoByte(vmo, 5);
    const space = world.space();
    mapAt(space, 0, 8, { vmo });
    poke(space, 2, 1);
    pager.heard();
    peek(space, 5);
    expect(mappedIn(space, 0, 8)).toEqual([2, 5]);
    expect(peek(space, 2)).toBe(1);
    expect(pager.heard()).toEqual([]);
    const zeros = makeZeros(world, 8);
    setVmoByte(zeros, 3, 1);
    mapAt(space, 16, 8, { vmo: zeros });
    expect(peek(space, 19)).toBe(1);
    expect(mappedIn(space, 16, 8)).toEqual([19]);
    expect(zeros.committedBytes).toBe(PAGE_SIZE);
  });

  test('which a shared mapping may still not write unasked: the pager hears of each first write', () => {
    using world = makeSmall();
    const pager = new TestPager(bytesOf(4));
    const vmo = makeZeros(world, 4, { pager });
    for (let page = 0; page < 4; page++) vmoByte(vmo, page);
    const space = world.space();
    mapAt(space, 0, 4, { vmo, sharing: 'shared' });
    peek(space, 0);
    pager.heard();
    for (let page = 0; page < 4; page++) poke(space, page, page + 1);
    expect(pager.heard()).toEqual(['update 0+1', 'update 1+1', 'update 2+1', 'update 3+1']);
    vmo.syncSync();
    expect([0, 1, 2, 3].map((page) => pager.bytes[bytesOf(page)])).toEqual([1, 2, 3, 4]);
  });
});

describe('a mapping and the life of its object', () => {
  test.each(SHARINGS)(
    'a closed Vmo keeps a %s mapping alive, and the object goes with the last mapping',
    (sharing) => {
      using world = makeSmall();
      const { objects } = world.virtualMemory;
      const vmo = makeTagged(world, 2);
      const space = world.space();
      mapAt(space, 0, 2, { vmo, sharing });
      vmo.close();
      expect([peek(space, 0), peek(space, 1)]).toEqual([tag(0), tag(1)]);
      poke(space, 0, 1);
      expect(peek(space, 0)).toBe(1);
      const child = space.fork();
      space.close();
      expect(peek(child, 1)).toBe(tag(1));
      expect(objects.statistics().objects).toBe(1);
      const free = world.memory.freeFrames;
      child.unmap(at(0), bytesOf(2));
      expect(objects.statistics().objects).toBe(0);
      expect(world.memory.freeFrames).toBeGreaterThanOrEqual(free + 2);
    },
  );

  test('the pager is closed when the last mapping goes, once', () => {
    using world = makeSmall();
    const pager = new TestPager(bytesOf(2));
    const space = world.space();
    {
      using vmo = makeZeros(world, 2, { pager });
      mapAt(space, 0, 2, { vmo });
    }
    const child = space.fork();
    peek(space, 0);
    space.unmap(at(0), bytesOf(2));
    expect(pager.heard()).toEqual(['commit 0+1']);
    child.close();
    expect(pager.heard()).toEqual(['close']);
  });

  test('close of the last writing capability with a writable mapping left is EBUSY, and changes nothing', () => {
    using world = makeSmall();
    const pager = new TestPager(bytesOf(2));
    const vmo = makeZeros(world, 2, { pager });
    const space = world.space();
    mapAt(space, 0, 2, { vmo, sharing: 'shared' });
    expect(codeOf(() => vmo.close())).toBe('EBUSY');
    poke(space, 0, 9);
    expect(codeOf(() => vmo.close())).toBe('EBUSY');
    expect(vmo.isOpen).toBe(true);
    vmo.syncSync();
    expect(pager.bytes[0]).toBe(9);
    space.unmap(at(0), bytesOf(2));
    vmo.close();
    expect(pager.heard().at(-1)).toBe('close');
  });

  test('what is no Vmo cannot be mapped', () => {
    using world = makeSmall();
    expect(codeOf(() => mapAt(world.space(), 0, 1, { vmo: {} as never }))).toBe('EINVAL');
  });

  test('the last capability to go is refused while pages are changed, be it one that only reads', () => {
    using world = makeSmall();
    const pager = new TestPager(bytesOf(2));
    const vmo = makeZeros(world, 2, { pager });
    const reader = vmo.duplicate().restrict('read');
    const space = world.space();
    mapAt(space, 0, 2, { vmo, sharing: 'shared' });
    poke(space, 0, 9);
    vmo.close();
    expect(vmoByte(reader, 0)).toBe(9);
    expect(codeOf(() => reader.close())).toBe('EBUSY');
    expect(peek(space, 0)).toBe(9);
    reader.close({ unwritten: 'discard' });
    // Nor is the virtual memory closed over them, until nobody maps them.
    expect(codeOf(() => world.virtualMemory.close())).toBe('EBUSY');
    space.close();
  });

  test('a mapping that is only read, or private, does not keep the Vmo from closing', () => {
    using world = makeSmall();
    const pager = new TestPager(bytesOf(2));
    const vmo = makeZeros(world, 2, { pager });
    const space = world.space();
    mapAt(space, 0, 2, { vmo, sharing: 'shared', protection: 'r--', ceiling: 'r--' });
    mapAt(space, 4, 2, { vmo });
    poke(space, 4, 1);
    vmo.close();
    expect(peek(space, 0)).toBe(peek(space, 0));
    expect(peek(space, 4)).toBe(1);
  });

  test('VirtualMemory.close with unwritten pages is EBUSY and changes nothing; discarding closes it', () => {
    using world = makeSmall();
    const { virtualMemory } = world;
    const pager = new TestPager(bytesOf(2));
    const vmo = makeZeros(world, 2, { pager });
    const other = makeTagged(world, 1);
    const space = world.space();
    mapAt(space, 0, 2, { vmo, sharing: 'shared' });
    mapAt(space, 8, 1, { vmo: other });
    poke(space, 0, 9);
    poke(space, 8, 1);
    pager.heard();
    const before = snapshot(world);
    expect(codeOf(() => virtualMemory.close())).toBe('EBUSY');
    expect(snapshot(world)).toBe(before);
    expect([peek(space, 0), peek(space, 8), vmoByte(other, 0)]).toEqual([9, 1, tag(0)]);
    expect(pager.heard()).toEqual([]);
    world.check();
    virtualMemory.close({ unwritten: 'discard' });
    expect(pager.heard()).toEqual(['close']);
    expect(virtualMemory.spaces.size).toBe(0);
  });

  test('closing the virtual memory while a pager, told of it, closes a space, unmaps, or closes other objects', () => {
    using world = makeSmall();
    const { virtualMemory } = world;
    const [first, second] = [new TestPager(bytesOf(2)), new TestPager(bytesOf(2))];
    const space = world.space();
    const vmos = [first, second].map((pager) => makeZeros(world, 2, { pager }));
    mapAt(space, 0, 2, { vmo: vmos[0]! });
    mapAt(space, 4, 2, { vmo: vmos[1]! });
    const copy = vmos[1]!.duplicate();
    peek(space, 0);
    peek(space, 4);
    const child = space.fork();
    first.during.close = () => {
      vmos[1]!.close();
      copy.close();
      child.unmap(at(0), bytesOf(8));
      space.close();
    };
    virtualMemory.close();
    expect([first.heard().at(-1), second.heard().at(-1)]).toEqual(['close', 'close']);
  });
});

describe('prefault', () => {
  test.each(SHARINGS)('makes every page of a %s mapping ready, so that no access faults', (sharing) => {
    using world = makeWorld(1024 * 1024);
    const pager = new TestPager(bytesOf(40));
    const vmo = makeZeros(world, 40, { pager });
    const space = world.space();
    mapAt(space, 0, 40, { vmo, sharing });
    expect(space.prefault(at(0), bytesOf(40), 'read')).toBeUndefined();
    for (let page = 0; page < 40; page++) expect(access(space, page, 'read')).toBe('ready');
    expect(space.prefault(at(0), bytesOf(40), 'write')).toBeUndefined();
    for (let page = 0; page < 40; page++) expect(access(space, page, 'write')).toBe('ready');
    expect(space.ownFrames).toBe(sharing === 'private' ? 40 : 0);
    world.check();
    vmo.syncSync();
  });

  test('stops at the first page that fails, and says why', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 2);
    const space = world.space();
    mapAt(space, 0, 3, { vmo, protection: 'r--' });
    expect(space.prefault(at(0), bytesOf(3), 'write')).toEqual({ kind: 'protection' });
    expect(space.prefault(at(0), bytesOf(4), 'read')).toEqual({ kind: 'beyond-end' });
    expect(mappedIn(space, 0, 4)).toEqual([0, 1]);
    expect(space.prefault(at(8), PAGE_SIZE, 'read')).toEqual({ kind: 'unmapped' });
    expect(codeOf(() => space.prefault(at(0), 0, 'read'))).toBe('EINVAL');
    world.fill();
    mapAt(space, 600, 1);
    expect(space.prefault(at(600), PAGE_SIZE, 'write')).toEqual({ kind: 'out-of-memory' });
  });
});

describe('dontNeed', () => {
  test('makes anonymous pages zeros again, and object pages the object’s', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 2);
    const space = world.space();
    mapAt(space, 0, 2);
    mapAt(space, 2, 2, { vmo });
    for (let page = 0; page < 4; page++) poke(space, page, 100 + page);
    setVmoByte(vmo, 1, 55);
    const { freeFrames } = world.memory;
    space.dontNeed(at(1), bytesOf(3));
    expect(world.memory.freeFrames).toBe(freeFrames + 3);
    expect([0, 1, 2, 3].map((page) => peek(space, page))).toEqual([100, 0, tag(0), 55]);
    expect([...space.mappings]).toHaveLength(2);
  });

  test('loses nothing of a shared mapping', () => {
    using world = makeSmall();
    const vmo = makeZeros(world, 2);
    const space = world.space();
    mapAt(space, 0, 2, { vmo, sharing: 'shared' });
    mapAt(space, 4, 1, { sharing: 'shared' });
    poke(space, 0, 1);
    poke(space, 4, 2);
    space.dontNeed(at(0), bytesOf(2));
    space.dontNeed(at(4), PAGE_SIZE);
    expect(mappedIn(space, 0, 8)).toEqual([]);
    expect([peek(space, 0), peek(space, 4), vmoByte(vmo, 0)]).toEqual([1, 2, 1]);
  });

  test.each(FORK_KINDS)('leaves the other side of a fork by %s its pages', (kind) => {
    using world = makeSmall();
    const vmo = makeTagged(world, 2);
    const parent = world.space();
    mapAt(parent, 0, 2, { vmo });
    poke(parent, 0, 1);
    poke(parent, 1, 2);
    const child = parent.fork(kind);
    warm([child, parent]);
    child.dontNeed(at(0), PAGE_SIZE);
    world.check();
    expect([peek(parent, 0), peek(parent, 1), peek(child, 0), peek(child, 1)]).toEqual([1, 2, tag(0), 2]);
    world.check();
  });

  test('is a transaction: at whatever allocation it fails, nothing has changed', () => {
    using world = makeWorld(1024 * 1024);
    const vmo = makeTagged(world, 2);
    const parent = world.space();
    // Two tables that both have an edge of the range.
    mapAt(parent, 510, 2, { vmo });
    mapAt(parent, 512, 2);
    for (const page of [510, 511, 512, 513]) poke(parent, page, page % 100);
    const child = parent.fork('tables');
    const before = snapshot(world);
    const failed = failEachAllocation(
      world.memory,
      () => (codeOf(() => child.dontNeed(at(511), bytesOf(2))) === 'done' ? 'done' : 'out-of-memory'),
      () => expect(snapshot(world)).toBe(before),
    );
    expect(failed).toBe(3);
    expect([510, 511, 512, 513].map((page) => peek(child, page))).toEqual([10, tag(1), 0, 13]);
    expect([510, 511, 512, 513].map((page) => peek(parent, page))).toEqual([10, 11, 12, 13]);
  });

  test('of what is not all mapped is ENOMEM, and drops nothing', () => {
    using world = makeSmall();
    const space = world.space();
    mapAt(space, 0, 1);
    poke(space, 0, 1);
    expect(codeOf(() => space.dontNeed(at(0), bytesOf(2)))).toBe('ENOMEM');
    expect(codeOf(() => space.dontNeed(at(0), 100))).toBe('EINVAL');
    expect(peek(space, 0)).toBe(1);
  });

  test('commit of memory that shows an object is ENOTSUP', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 1);
    const space = world.space();
    mapAt(space, 0, 1);
    mapAt(space, 1, 1, { vmo });
    mapAt(space, 2, 1, { sharing: 'shared' });
    expect(codeOf(() => space.commit(at(0), bytesOf(2)))).toBe('ENOTSUP');
    expect(codeOf(() => space.commit(at(2), PAGE_SIZE))).toBe('ENOTSUP');
    expect(mappedIn(space, 0, 4)).toEqual([]);
    expect([...space.mappings].map(formatMapping)).toHaveLength(3);
  });
});

test('a frame of an object that is mapped counts one reference for its page list and one for each table', () => {
  using world = makeSmall();
  const vmo = makeTagged(world, 1);
  const space = world.space();
  mapAt(space, 0, 1, { vmo, sharing: 'shared' });
  poke(space, 0, 1);
  expect(countAt(space, 0)).toBe(2);
  const byTables = space.fork('tables');
  expect(countAt(space, 0)).toBe(2);
  const byPages = space.fork('pages');
  // The table that the first fork shares, and the second fork's own.
  expect(countAt(space, 0)).toBe(3);
  byPages.close();
  byTables.close();
  expect(countAt(space, 0)).toBe(2);
});
