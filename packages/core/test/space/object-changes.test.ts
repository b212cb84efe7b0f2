/** What becomes of mappings when the object that they show changes, and when its pager does things of its own meanwhile. */
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, vpn } from '../../src/frame/index.js';
import { MAX_PAGES } from '../../src/paging/index.js';
import { type AddressSpace, copyIn, type ForkKind } from '../../src/space/index.js';
import { entry, peek, poke } from '../model/touch.js';
import { makeWorld, type World } from '../model/world.js';
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
  squeeze,
  tag,
  vmoByte,
  warm,
} from './mapped.js';

const makeSmall = (): World => makeWorld(512 * 1024);
const makeLarge = (): World => makeWorld(2 * 1024 * 1024);

/** A byte anywhere in a page, as the process would read it. */
const byteAt = (space: AddressSpace, page: number, offset: number): number => {
  const target = new Uint8Array(1);
  expect(copyIn(space, (at(page) + offset) as never, target)).toBe('ok');
  return target[0]!;
};

/** A space, two forks of it and a fork of one: with tables they share all that none has changed. */
const family = (space: AddressSpace, kind: ForkKind): AddressSpace[] => {
  const child = space.fork(kind);
  const spaces = [space, child, space.fork(kind), child.fork(kind)];
  warm(spaces);
  return spaces;
};

describe.each(FORK_KINDS)('001.9: shrinking an object reaches all mappings, in forks by %s too', (kind) => {
  test.each(['private', 'shared'] as const)('%s ones, and what grows again is zeros', (sharing) => {
    using world = makeLarge();
    const vmo = makeTagged(world, 6, { resizable: true });
    const space = world.space();
    mapAt(space, 508, 6, { vmo, sharing });
    for (let page = 508; page < 514; page++) peek(space, page);
    const spaces = family(space, kind);
    const { freeFrames } = world.memory;
    vmo.resizeSync(bytesOf(2));
    expect(world.memory.freeFrames).toBeGreaterThanOrEqual(freeFrames + 4);
    for (const each of spaces) {
      expect(mappedIn(each, 510, 4)).toEqual([]);
      expect([508, 509].map((page) => peek(each, page))).toEqual([tag(0), tag(1)]);
      for (const page of [510, 513]) {
        expect([access(each, page, 'read'), access(each, page, 'write')]).toEqual([
          'beyond-end',
          'beyond-end',
        ]);
      }
    }
    world.check();
    vmo.resizeSync(bytesOf(6));
    for (const each of spaces)
      expect([510, 511, 512, 513].map((page) => peek(each, page))).toEqual([0, 0, 0, 0]);
    poke(spaces[3]!, 512, 9);
    expect(spaces.map((each) => peek(each, 512))).toEqual(sharing === 'shared' ? [9, 9, 9, 9] : [0, 0, 0, 9]);
    world.check();
  });

  test('takes private copies beyond the end with it, whoever has them, and keeps those before it', () => {
    using world = makeLarge();
    const vmo = makeTagged(world, 4, { resizable: true });
    const space = world.space();
    mapAt(space, 0, 4, { vmo });
    for (let page = 0; page < 4; page++) poke(space, page, 100 + page);
    const spaces = family(space, kind);
    poke(spaces[1]!, 3, 50);
    vmo.resizeSync(bytesOf(2));
    for (const each of spaces) {
      expect(each.ownFrames).toBe(2);
      expect([peek(each, 0), peek(each, 1), access(each, 3, 'read')]).toEqual([100, 101, 'beyond-end']);
    }
    world.check();
    vmo.resizeSync(bytesOf(4));
    for (const each of spaces) expect([peek(each, 2), peek(each, 3)]).toEqual([0, 0]);
    vmo.resizeSync(0);
    for (const each of spaces) expect([mappedIn(each, 0, 4), each.residentFrames]).toEqual([[], 0]);
    // A space that has nothing else has no tables left.
    for (const each of spaces) expect([...each.table.tables()]).toHaveLength(1);
  });

  test('inside a page: what is beyond the end is zeros for all who look, but for a copy of a space’s own', () => {
    using world = makeLarge();
    const vmo = makeZeros(world, 2, { resizable: true });
    vmo.writeSync(0, new Uint8Array(bytesOf(2)).fill(7));
    const space = world.space();
    mapAt(space, 0, 2, { vmo });
    mapAt(space, 4, 2, { vmo, sharing: 'shared' });
    mapAt(space, 8, 2, { vmo });
    for (const page of [0, 1, 4, 5]) peek(space, page);
    poke(space, 9, 1);
    const spaces = family(space, kind);
    vmo.resizeSync(PAGE_SIZE + 100);
    for (const each of spaces) {
      for (const page of [1, 5]) {
        expect([byteAt(each, page, 99), byteAt(each, page, 100), byteAt(each, page, 4095)]).toEqual([
          7, 0, 0,
        ]);
      }
      expect([byteAt(each, 9, 0), byteAt(each, 9, 100)]).toEqual([1, 7]);
    }
    vmo.resizeSync(10);
    for (const each of spaces) {
      expect([byteAt(each, 0, 9), byteAt(each, 4, 10), access(each, 1, 'read')]).toEqual([
        7,
        0,
        'beyond-end',
      ]);
    }
    world.check();
  });

  test('inside a page that a snapshot shares: the snapshot keeps what is cut, and mappings of the object do not', () => {
    using world = makeLarge();
    const vmo = makeZeros(world, 1, { resizable: true });
    vmo.writeSync(0, new Uint8Array(PAGE_SIZE).fill(7));
    const snapshot = vmo.createChild({ kind: 'snapshot' });
    const space = world.space();
    mapAt(space, 0, 1, { vmo, protection: 'r--', sharing: 'shared' });
    mapAt(space, 1, 1, { vmo: snapshot });
    const spaces = family(space, kind);
    vmo.resizeSync(100);
    for (const each of spaces) {
      expect([byteAt(each, 0, 99), byteAt(each, 0, 100)]).toEqual([7, 0]);
      expect(byteAt(each, 1, 100)).toBe(7);
    }
    world.check();
  });
});

describe.each(FORK_KINDS)('pages of an object that change reach mappings in forks by %s', (kind) => {
  test('decommit makes them zeros, but for copies of their own', () => {
    using world = makeLarge();
    const vmo = makeTagged(world, 20);
    const space = world.space();
    mapAt(space, 0, 20, { vmo });
    mapAt(space, 600, 20, { vmo, sharing: 'shared' });
    peek(space, 0);
    poke(space, 601, 77);
    poke(space, 2, 88);
    const spaces = family(space, kind);
    vmo.decommit({ offset: 0, length: bytesOf(18) });
    for (const each of spaces) {
      expect([0, 1, 2, 18, 600, 601].map((page) => peek(each, page))).toEqual([0, 0, 88, tag(18), 0, 0]);
    }
    expect(vmo.committedBytes).toBe(bytesOf(2));
    vmo.zeroSync({ offset: bytesOf(18) + 1, length: PAGE_SIZE });
    for (const each of spaces) expect([peek(each, 18), peek(each, 619)]).toEqual([tag(18), 0]);
    world.check();
  });

  test.each(['snapshot', 'snapshot-at-least-on-write', 'snapshot-modified'] as const)(
    'a %s parts from what is mapped: later writes of the one do not show in the other',
    (child) => {
      using world = makeLarge();
      const vmo = makeTagged(world, 4);
      const space = world.space();
      mapAt(space, 0, 4, { vmo, sharing: 'shared' });
      for (let page = 0; page < 4; page++) poke(space, page, 40 + page);
      const spaces = family(space, kind);
      const copy = vmo.createChild({ kind: child });
      const other = world.space();
      mapAt(other, 0, 4, { vmo: copy, sharing: 'shared' });
      expect([0, 1, 2, 3].map((page) => peek(other, page))).toEqual([40, 41, 42, 43]);
      // The write that was possible with no fault is not possible any more.
      poke(spaces[2]!, 0, 1);
      poke(other, 1, 2);
      for (const each of spaces) expect([0, 1, 2].map((page) => peek(each, page))).toEqual([1, 41, 42]);
      expect([0, 1, 2].map((page) => peek(other, page))).toEqual([40, 2, 42]);
      world.check();
      vmo.close();
      for (const each of spaces) each.close();
      poke(other, 3, 3);
      expect([0, 1, 2, 3].map((page) => peek(other, page))).toEqual([40, 2, 42, 3]);
    },
  );

  test('a snapshot of a paged object keeps what mappings overwrite, and what was not there yet', () => {
    using world = makeLarge();
    const pager = new TestPager(bytesOf(4));
    const vmo = makeZeros(world, 4, { pager });
    const space = world.space();
    mapAt(space, 0, 4, { vmo, sharing: 'shared' });
    poke(space, 0, 1);
    peek(space, 1);
    const spaces = family(space, kind);
    const copy = vmo.createChild({ kind: 'snapshot' });
    mapAt(space, 8, 4, { vmo: copy });
    for (let page = 0; page < 3; page++) poke(spaces[1]!, page, 90 + page);
    expect([8, 9, 10, 11].map((page) => peek(space, page))).toEqual([
      1,
      pager.bytes[bytesOf(1)],
      pager.bytes[bytesOf(2)],
      pager.bytes[bytesOf(3)],
    ]);
    expect(spaces.map((each) => peek(each, 2))).toEqual([92, 92, 92, 92]);
    world.check();
    vmo.syncSync();
    world.check();
  });

  test('revoke ends all access, and takes copies of their own away too', () => {
    using world = makeLarge();
    const vmo = makeTagged(world, 4);
    const lent = vmo.duplicate();
    const space = world.space();
    mapAt(space, 0, 4, { vmo: lent });
    mapAt(space, 600, 4, { vmo: lent, sharing: 'shared' });
    mapAt(space, 10, 1, { vmo });
    for (const page of [0, 601]) poke(space, page, 5);
    for (const page of [1, 600, 10]) peek(space, page);
    const spaces = family(space, kind);
    poke(spaces[1]!, 1, 6);
    lent.revoke();
    for (const each of spaces) {
      expect(mappedIn(each, 0, MAX_PAGES)).toEqual([10]);
      for (const page of [0, 1, 600, 601]) expect(access(each, page, 'read')).toBe('revoked');
      expect(access(each, 600, 'write')).toBe('revoked');
      expect(peek(each, 10)).toBe(tag(0));
      expect(each.ownFrames).toBe(0);
    }
    world.check();
    // The rest of what can be done with a mapping can be done still.
    space.protect(at(0), bytesOf(4), 'r--');
    space.dontNeed(at(0), bytesOf(4));
    expect(space.prefault(at(0), PAGE_SIZE, 'read')).toEqual({ kind: 'revoked' });
    space.unmap(at(0), bytesOf(4));
    mapAt(space, 0, 1, { vmo });
    expect([peek(space, 0), vmoByte(vmo, 1)]).toEqual([tag(0), 5]);
  });

  test('what is written back is told of again at the next write, whoever makes it', () => {
    using world = makeLarge();
    const pager = new TestPager(bytesOf(2));
    const vmo = makeZeros(world, 2, { pager });
    const space = world.space();
    mapAt(space, 0, 2, { vmo, sharing: 'shared' });
    poke(space, 0, 1);
    const spaces = family(space, kind);
    for (const [index, each] of spaces.entries()) {
      pager.heard();
      poke(each, 0, 10 + index);
      vmo.syncSync();
      expect(pager.bytes[0]).toBe(10 + index);
      expect(pager.heard()).toEqual(index === 0 ? ['writeBack 0+1'] : ['update 0+1', 'writeBack 0+1']);
    }
    for (const each of spaces) expect(entry(each, 0) & 4).toBe(0);
    world.check();
  });
});

describe.each(FORK_KINDS)('eviction takes clean pages that are mapped, in forks by %s too,', (kind) => {
  test('and they come back when they are used again; what is changed stays', () => {
    using world = makeLarge();
    const pager = new TestPager(bytesOf(20));
    const vmo = makeZeros(world, 20, { pager });
    const space = world.space();
    mapAt(space, 0, 20, { vmo });
    mapAt(space, 600, 20, { vmo, sharing: 'shared' });
    for (let page = 0; page < 20; page++) peek(space, page);
    poke(space, 1, 11);
    poke(space, 602, 22);
    const spaces = family(space, kind);
    pager.heard();
    squeeze(world);
    expect(pager.heard().length).toBe(19);
    for (const each of spaces) {
      // A copy of its own, and what is dirty in the object.
      expect(mappedIn(each, 0, 20).filter((page) => page !== 2)).toEqual([1]);
      expect(mappedIn(each, 600, 20).filter((page) => page !== 602)).toEqual([]);
    }
    world.check();
    world.drain();
    for (const each of spaces) {
      for (let page = 3; page < 20; page++) expect(peek(each, page)).toBe(pager.bytes[bytesOf(page)]);
      expect([peek(each, 1), peek(each, 602), peek(each, 2)]).toEqual([11, 22, 22]);
    }
    world.check();
    vmo.syncSync();
  });

  test('but for those of a mapping that refuses it, for as long as there is one', () => {
    using world = makeLarge();
    const pager = new TestPager(bytesOf(8));
    const vmo = makeZeros(world, 8, { pager });
    const space = world.space();
    mapAt(space, 0, 4, { vmo, protection: 'r-x', eviction: 'refused' });
    mapAt(space, 8, 8, { vmo });
    for (let page = 8; page < 16; page++) peek(space, page);
    const child = space.fork(kind);
    squeeze(world);
    expect(vmo.committedBytes).toBe(bytesOf(4));
    expect([0, 1, 2, 3].map((page) => vmo.isCommitted(bytesOf(page)))).toEqual([true, true, true, true]);
    world.drain();
    space.unmap(at(1), bytesOf(3));
    child.unmap(at(0), bytesOf(3));
    squeeze(world);
    expect(vmo.committedBytes).toBe(bytesOf(4));
    world.drain();
    child.close();
    space.unmap(at(0), PAGE_SIZE);
    squeeze(world);
    expect(vmo.committedBytes).toBe(0);
    world.check();
  });
});

describe('under a shortage of memory', () => {
  test('a program larger than RAM runs, a clean page of a file going for each that comes', () => {
    using world = makeWorld(256 * 1024);
    const pages = 3 * world.memory.freeFrames;
    const pager = new TestPager(bytesOf(pages));
    const vmo = makeZeros(world, pages, { pager });
    const space = world.space();
    mapAt(space, 0, pages, { vmo });
    for (let round = 0; round < 2; round++) {
      for (let page = 0; page < pages; page++) expect(peek(space, page)).toBe(pager.bytes[bytesOf(page)]);
      world.check();
    }
    const child = space.fork();
    for (let page = 0; page < pages; page++) expect(peek(child, page)).toBe(pager.bytes[bytesOf(page)]);
    world.check();
  });

  test.each(['tables', 'pages', 'eager'] as const)(
    'clean pages make room for a fork by %s, however many frames that wants',
    (kind) => {
      using world = makeWorld(1024 * 1024);
      const space = world.space();
      // Forty pages of its own, in as many tables.
      for (let index = 0; index < 40; index++) {
        mapAt(space, index * 512, 1);
        poke(space, index * 512, index + 1);
      }
      const left = world.memory.freeFrames;
      const pager = new TestPager(bytesOf(left));
      const vmo = makeZeros(world, left, { pager });
      for (let page = 0; page < left; page++) vmoByte(vmo, page);
      expect(world.memory.freeFrames).toBe(0);
      expect(codeOf(() => space.fork(kind))).toBe('done');
      world.check();
    },
  );

  test('clean pages make room for a protect that has to copy many tables', () => {
    using world = makeWorld(1024 * 1024);
    const space = world.space();
    for (let index = 0; index < 40; index++) {
      mapAt(space, index * 512, 512);
      poke(space, index * 512, index + 1);
    }
    const child = space.fork();
    const left = world.memory.freeFrames;
    const pager = new TestPager(bytesOf(left));
    const vmo = makeZeros(world, left, { pager });
    for (let page = 0; page < left; page++) vmoByte(vmo, page);
    expect(codeOf(() => child.protect(at(0), bytesOf(40 * 512), 'r--'))).toBe('done');
    expect(codeOf(() => child.remap({ at: at(0), lengthBytes: bytesOf(40 * 512), to: at(2 ** 20) }))).toBe(
      'done',
    );
    expect(peek(child, 2 ** 20)).toBe(1);
    world.check();
  });
});

describe('a pager that does things of its own in the middle of a fault', () => {
  type Act =
    'unmap' | 'replace' | 'remap' | 'close' | 'protect' | 'fork' | 'shrink' | 'revoke' | 'close the Vmo';
  const ACTS: readonly Act[] = [
    'unmap',
    'replace',
    'remap',
    'close',
    'protect',
    'fork',
    'shrink',
    'revoke',
    'close the Vmo',
  ];

  const act = (what: Act, space: AddressSpace, vmo: ReturnType<typeof makeZeros>): void => {
    switch (what) {
      case 'unmap':
        return space.unmap(at(0), bytesOf(4));
      case 'replace':
        return mapAt(space, 0, 4, { overlap: 'replace', name: 'other' });
      case 'remap':
        return void space.remap({ at: at(0), lengthBytes: bytesOf(4), to: at(700) });
      case 'close':
        return space.close();
      case 'protect':
        return space.protect(at(0), bytesOf(4), '---');
      case 'fork':
        return void space.fork();
      case 'shrink':
        return vmo.resizeSync(0);
      case 'revoke':
        return vmo.revoke({ unwritten: 'discard' });
      case 'close the Vmo':
        return vmo.close({ unwritten: 'discard' });
    }
  };
  const EXPECTED: Readonly<Record<Act, string>> = {
    unmap: 'unmapped',
    replace: 'resolved',
    remap: 'unmapped',
    close: 'unmapped',
    protect: 'protection',
    fork: 'resolved',
    shrink: 'beyond-end',
    revoke: 'revoked',
    'close the Vmo': 'resolved',
  };

  describe.each(['private', 'shared'] as const)('of a %s mapping', (sharing) => {
    test.each(ACTS)('that brings a page: %s', (what) => {
      using world = makeSmall();
      const pager = new TestPager(bytesOf(4));
      const vmo = makeZeros(world, 4, { pager, resizable: true });
      const space = world.space();
      mapAt(space, 0, 4, { vmo, sharing });
      pager.during.commit = () => {
        delete pager.during.commit;
        act(what, space, vmo);
      };
      for (const kind of ['read', 'write'] as const) {
        expect(space.handleFault(vpn(1), kind).kind).toBe(EXPECTED[what]);
        world.check();
      }
      world.virtualMemory.close({ unwritten: 'discard' });
    });

    test.each(ACTS)('that agrees to a write: %s', (what) => {
      using world = makeSmall();
      const pager = new TestPager(bytesOf(4));
      const vmo = makeZeros(world, 4, { pager, resizable: true });
      const space = world.space();
      mapAt(space, 0, 4, { vmo, sharing });
      peek(space, 1);
      let isDone = false;
      pager.during.update = () => {
        delete pager.during.update;
        isDone = true;
        act(what, space, vmo);
      };
      const outcome = space.handleFault(vpn(1), 'write').kind;
      expect(outcome).toBe(isDone ? EXPECTED[what] : 'resolved');
      world.check();
      world.virtualMemory.close({ unwritten: 'discard' });
    });

    // The pager of another object hears that its page goes, to make room for this fault.
    test.each(ACTS)('that hears of an eviction: %s', (what) => {
      for (const kind of ['read', 'write'] as const) {
        for (const isPaged of [false, true]) {
          using world = makeSmall();
          const victim = new TestPager(bytesOf(8));
          const file = makeZeros(world, 8, { pager: victim });
          const pager = new TestPager(bytesOf(4));
          const vmo = makeZeros(world, 4, { resizable: true, ...(isPaged ? { pager } : {}) });
          const space = world.space();
          mapAt(space, 0, 4, { vmo, sharing });
          if (isPaged) vmoByte(vmo, 1);
          else setVmoByte(vmo, 1, 9);
          for (let page = 0; page < 8; page++) vmoByte(file, page);
          world.fill();
          let isDone = false;
          victim.during.decommit = () => {
            delete victim.during.decommit;
            isDone = true;
            act(what, space, vmo);
          };
          const outcome = space.handleFault(vpn(1), kind).kind;
          expect(isDone).toBe(true);
          expect(outcome, `${kind}, ${isPaged ? 'paged' : 'not paged'}`).toBe(EXPECTED[what]);
          world.check();
          world.virtualMemory.close({ unwritten: 'discard' });
        }
      }
    });
  });

  test.each(['unmap', 'replace', 'close', 'protect', 'fork'] as const)(
    'of anonymous memory, when it hears of an eviction: %s',
    (what) => {
      for (const kind of ['read', 'write'] as const) {
        using world = makeSmall();
        const victim = new TestPager(bytesOf(8));
        const file = makeZeros(world, 8, { pager: victim });
        const space = world.space();
        mapAt(space, 0, 4);
        for (let page = 0; page < 8; page++) vmoByte(file, page);
        world.fill();
        victim.during.decommit = () => {
          delete victim.during.decommit;
          act(what, space, file);
        };
        expect(space.handleFault(vpn(1), kind).kind).toBe(EXPECTED[what]);
        world.check();
      }
    },
  );
});

describe('a pager that does things of its own while room is made for a change', () => {
  /** A space with pages 0 … 3 that it shares with a child, RAM that is full, and a pager that runs `during` once when it loses a page. */
  const makeFull = (
    world: World,
    during: (space: AddressSpace) => void,
    before: (space: AddressSpace) => void = () => {},
  ): AddressSpace => {
    const victim = new TestPager(bytesOf(12));
    const file = makeZeros(world, 12, { pager: victim });
    const space = world.space();
    mapAt(space, 0, 4, { name: 'mine' });
    for (let page = 0; page < 4; page++) poke(space, page, page + 1);
    before(space);
    // Whatever changes entries now wants frames for copies of the tables that it shares.
    space.fork();
    for (let page = 0; page < 12; page++) vmoByte(file, page);
    world.fill();
    victim.during.decommit = () => {
      delete victim.during.decommit;
      during(space);
    };
    return space;
  };

  test('map: what came there meanwhile is not silently replaced', () => {
    using world = makeSmall();
    const space = makeFull(world, (own) => mapAt(own, 8, 1, { sharing: 'shared', name: 'theirs' }));
    expect(codeOf(() => mapAt(space, 8, 2, { name: 'ours' }))).toBe('EEXIST');
    expect(space.mappings.find(vpn(8))?.name).toBe('theirs');
    world.check();
  });

  test('map: the space is closed meanwhile, and nothing is left of it', () => {
    using world = makeSmall();
    const { objects } = world.virtualMemory;
    const space = makeFull(world, (own) => own.close());
    const before = objects.statistics().objects;
    expect(codeOf(() => mapAt(space, 8, 1, { sharing: 'shared' }))).toBe('EINVAL');
    expect([...space.mappings]).toEqual([]);
    expect(objects.statistics().objects).toBe(before);
    world.check();
  });

  test('remap: a range that was unmapped meanwhile does not come back at its new place', () => {
    using world = makeSmall();
    const space = makeFull(world, (own) => own.unmap(at(0), bytesOf(4)));
    expect(codeOf(() => space.remap({ at: at(0), lengthBytes: bytesOf(4), to: at(20) }))).toBe('ENOMEM');
    expect([...space.mappings]).toEqual([]);
    world.check();
  });

  test('remap: what came to its new place meanwhile is not silently replaced', () => {
    using world = makeSmall();
    const space = makeFull(world, (own) => mapAt(own, 20, 1, { name: 'theirs' }));
    expect(codeOf(() => space.remap({ at: at(0), lengthBytes: bytesOf(4), to: at(20) }))).toBe('EEXIST');
    expect(space.mappings.find(vpn(20))?.name).toBe('theirs');
    expect(peek(space, 0)).toBe(1);
    world.check();
  });

  test('protect: a mapping of a lower ceiling that came meanwhile keeps to it', () => {
    using world = makeSmall();
    const space = makeFull(world, (own) =>
      own.guard({ at: at(1), lengthBytes: PAGE_SIZE, overlap: 'replace' }),
    );
    expect(codeOf(() => space.protect(at(0), bytesOf(4), 'r--'))).toBe('EACCES');
    expect(space.mappings.find(vpn(1))?.protection).toBe('---');
    world.check();
  });

  test('commit: what was unmapped meanwhile gets no frames, and nothing breaks', () => {
    using world = makeSmall();
    const space = makeFull(
      world,
      (own) => own.unmap(at(9), bytesOf(2)),
      (own) => mapAt(own, 8, 4, { name: 'late' }),
    );
    expect(codeOf(() => space.commit(at(8), bytesOf(4)))).toBe('ENOMEM');
    expect(mappedIn(space, 8, 4)).toEqual([]);
    world.check();
  });

  test.each(FORK_KINDS)('a fork by %s of a space that is closed meanwhile', (kind) => {
    using world = makeSmall();
    const space = makeFull(world, (own) => own.close());
    const child = space.fork(kind);
    expect([...child.mappings]).toEqual([]);
    expect(child.residentFrames).toBe(0);
    world.check();
  });

  test.each(FORK_KINDS)(
    'a fork by %s of a space in which something is written, mapped and unmapped',
    (kind) => {
      using world = makeSmall();
      const space = makeFull(world, (own) => {
        own.unmap(at(0), PAGE_SIZE);
        mapAt(own, 30, 1);
        poke(own, 1, 77);
      });
      const child = space.fork(kind);
      for (const each of [space, child]) {
        expect([access(each, 0, 'read'), peek(each, 1), peek(each, 2), peek(each, 30)]).toEqual([
          'unmapped',
          77,
          3,
          0,
        ]);
      }
      world.check();
    },
  );
});

describe('with many of them', () => {
  test('ten thousand mappings are made, found, forked and unmapped in little time', () => {
    using world = makeWorld(8 * 1024 * 1024);
    const space = world.space();

    for (let index = 0; index < 10_000; index++) {
      // Each unlike its neighbours, so that they are not joined.
      space.map({ lengthBytes: PAGE_SIZE, protection: 'rw-', name: String(index) });
    }
    expect([...space.mappings]).toHaveLength(10_000);
    const child = space.fork();
    for (let index = 0; index < 10_000; index += 100) poke(child, MAX_PAGES - 1 - index, 1);
    space.unmap(at(MAX_PAGES - 10_000), bytesOf(10_000));
  });

  test('ten thousand mappings of one file, a page each, are written in little time', () => {
    using world = makeWorld(64 * 1024 * 1024);
    const vmo = makeZeros(world, 10_000);
    const space = world.space();

    for (let index = 0; index < 10_000; index++) {
      mapAt(space, 2 * index, 1, { vmo, sharing: 'shared', offsetBytes: bytesOf(index) });
    }
    for (let index = 0; index < 10_000; index++) poke(space, 2 * index, 1);
  });

  test('a page of an object is lost to a thousand forks, and to no other', () => {
    using world = makeWorld(32 * 1024 * 1024);
    const vmo = makeTagged(world, 4);
    const space = world.space();
    mapAt(space, 0, 4, { vmo });
    for (let page = 0; page < 4; page++) peek(space, page);
    const spaces = Array.from({ length: 1000 }, () => space.fork());
    setVmoByte(vmo, 0, 1);
    vmo.decommit({ offset: bytesOf(1), length: PAGE_SIZE });
    for (const each of spaces) expect([0, 1, 2].map((page) => peek(each, page))).toEqual([1, 0, tag(2)]);
  });
});
