/** Capabilities at run time: what each right is for, and how capabilities are duplicated, restricted, closed and revoked. */
import { describe, expect, test } from 'vitest';
import { Capability, type Right, RIGHTS, Vmo } from '../../src/vmo/index.js';
import {
  contents,
  expectRefusal,
  expectRejection,
  NotingPager,
  PAGE,
  peek,
  poke,
  SlowPager,
  snap,
  SNAPSHOT_KINDS,
  word,
  World,
} from './family.js';

const ALL = ['dup', 'read', 'write', 'exec'] as const;

/** Every method of `Vmo`, in the dynamic flavour, with the rights that it needs. */
const METHODS: Readonly<Record<string, readonly [needed: readonly Right[], call: (vmo: Vmo) => unknown]>> = {
  duplicate: [['dup'], (vmo) => vmo.duplicate()],
  'createChild slice': [['dup'], (vmo) => vmo.createChild({ kind: 'slice' })],
  'createChild reference': [['dup'], (vmo) => vmo.createChild({ kind: 'reference' })],
  'createChild snapshot': [['dup', 'read'], (vmo) => vmo.createChild({ kind: 'snapshot' })],
  'createChild snapshot-at-least-on-write': [
    ['dup', 'read'],
    (vmo) => vmo.createChild({ kind: 'snapshot-at-least-on-write' }),
  ],
  'createChild snapshot-modified': [['dup', 'read'], (vmo) => vmo.createChild({ kind: 'snapshot-modified' })],
  readSync: [['read'], (vmo) => vmo.readSync(0, new Uint8Array(1))],
  read: [['read'], (vmo) => vmo.read(0, new Uint8Array(1))],
  prefetch: [['read'], (vmo) => vmo.prefetch()],
  hint: [['read'], (vmo) => vmo.hint('dont-need')],
  observe: [['read'], (vmo) => vmo.observe({ pagesLost: () => {} })[Symbol.dispose]()],
  'page for reading': [['read'], (vmo) => vmo.page(0, 'read')?.close()],
  'page for writing': [['write'], (vmo) => vmo.page(0, 'write')?.close()],
  writeSync: [['write'], (vmo) => vmo.writeSync(0, word(1))],
  write: [['write'], (vmo) => vmo.write(0, word(1))],
  clearSync: [['write'], (vmo) => vmo.clearSync()],
  clear: [['write'], (vmo) => vmo.clear()],
  zeroSync: [['write'], (vmo) => vmo.zeroSync()],
  zero: [['write'], (vmo) => vmo.zero()],
  commitSync: [['write'], (vmo) => vmo.commitSync()],
  commit: [['write'], (vmo) => vmo.commit()],
  syncSync: [['write'], (vmo) => vmo.syncSync()],
  sync: [['write'], (vmo) => vmo.sync()],
  resizeSync: [['write'], (vmo) => vmo.resizeSync(2 * PAGE)],
  resize: [['write'], (vmo) => vmo.resize(2 * PAGE)],
  viewSync: [['read', 'write'], (vmo) => vmo.viewSync().close()],
  view: [['read', 'write'], async (vmo) => (await vmo.view()).close()],
  decommit: [['write'], (vmo) => vmo.decommit()],
  supply: [['write'], (vmo) => vmo.supply(0, new Uint8Array(PAGE))],
  detachPager: [['write'], (vmo) => vmo.detachPager()],
};

/** What needs an object of another sort. */
const DEVICE_METHODS: typeof METHODS = {
  physicalAddress: [['read', 'write'], (vmo) => vmo.physicalAddress(0)],
};

/** What needs no right but an open capability. */
const FREE: Readonly<Record<string, (vmo: Vmo) => unknown>> = {
  size: (vmo) => vmo.size,
  name: (vmo) => vmo.name,
  kind: (vmo) => vmo.kind,
  resizable: (vmo) => vmo.resizable,
  isCommitted: (vmo) => vmo.isCommitted(0),
  committedBytes: (vmo) => vmo.committedBytes,
  restrict: (vmo) => vmo.restrict(),
  revoke: (vmo) => vmo.revoke(),
};

const makePaged = (world: World): Vmo =>
  world.objects.create({ size: PAGE, resizable: true, rights: ALL, pager: new NotingPager() }).toDyn();

const makeFixed = (world: World): Vmo => world.objects.create({ size: PAGE, rights: ALL }).toDyn();

const makeDevice = (world: World): Vmo =>
  world.objects.create({ size: PAGE, rights: ALL, dma: true }).toDyn();

/** An object on which the method does what it is for. */
const makerOf = (name: string): ((world: World) => Vmo) => {
  if (name in DEVICE_METHODS) return makeDevice;
  // What was changed must be written back, or be discarded, before a pager's object is let go of.
  return name === 'createChild slice' ? makeFixed : makePaged;
};

/** All sets of rights. */
const SETS = Array.from({ length: 16 }, (_, bits) =>
  RIGHTS.filter((_right, index) => (bits & (2 ** index)) !== 0),
);

test('every method of a capability is in these tables', () => {
  const tried = [METHODS, DEVICE_METHODS, FREE].flatMap((table) => Object.keys(table));
  const known = new Set(tried.map((name) => name.split(' ')[0]));
  // What leads to a state, or tells it; and what is the layer's own.
  // A data view's own rights are tried in data-view.test.ts.
  const others = ['constructor', 'close', 'isOpen', 'state', 'rights', 'toDyn', 'dataView', 'attach'];
  const internal = [
    'use',
    'locate',
    'replaceBy',
    'makeStale',
    'letGo',
    'reach',
    'derived',
    'rightBits',
    'sizeBytes',
  ];
  for (const name of [...others, ...internal, 'usableBits', 'siblings', 'onRevoked']) known.add(name);
  const methods = [Vmo, Capability].flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype));
  expect(methods.filter((name) => !known.has(name))).toEqual([]);
});

describe.each(Object.entries({ ...METHODS, ...DEVICE_METHODS }))('%s', (name, [needed, call]) => {
  const isAsync = new Set([
    'read',
    'write',
    'clear',
    'zero',
    'commit',
    'prefetch',
    'hint',
    'sync',
    'resize',
    'view',
  ]).has(name);

  test(`needs ${needed.join(' and ')}, whatever else there is`, async () => {
    using world = new World();
    const vmo = makerOf(name)(world);
    for (const set of SETS) {
      const missing = needed.filter((right) => !set.includes(right));
      const held = vmo
        .duplicate()
        .restrict(...set)
        .toDyn();
      if (missing.length === 0) {
        // Of a pager's object there is but one detachment and the like: each on an object of its own.
        const own = makerOf(name)(world)
          .restrict(...set)
          .toDyn();
        await call(own);
        own.close({ unwritten: 'discard' });
      } else {
        const message = new RegExp(
          `needs the right ${missing.join(' and ')}; this capability has ${set.join(', ') || 'nothing'}`,
        );
        if (isAsync) {
          await expectRejection(world, async () => call(held), 'EACCES', message);
        } else {
          expectRefusal(world, () => call(held), 'EACCES', message);
        }
      }
      held.close();
    }
  });

  test('is EBADF on a capability that is closed or moved, and ESTALE on one that is revoked', async () => {
    using world = new World();
    const ends = {
      closed: (vmo: Vmo) => vmo.close(),
      moved: (vmo: Vmo) => vmo.restrict(...ALL),
      stale: (vmo: Vmo) => vmo.revoke(),
    };
    for (const [state, end] of Object.entries(ends)) {
      const vmo = makerOf(name)(world);
      const held = vmo.duplicate();
      end(held);
      expect([held.state, held.isOpen]).toEqual([state, false]);
      const code = state === 'stale' ? 'ESTALE' : 'EBADF';
      const attempt = async (): Promise<unknown> => call(held);
      await expectRejection(world, attempt, code, state === 'stale' ? 'has been revoked' : `is ${state}`);
    }
  });
});

describe.each(Object.entries(FREE))('%s', (_, call) => {
  test('needs no right, but an open capability', () => {
    using world = new World();
    call(makeFixed(world).restrict().toDyn());
    const closed = makeFixed(world);
    closed.close();
    expectRefusal(world, () => call(closed), 'EBADF', 'is closed');
    const stale = makeFixed(world);
    stale.revoke();
    expectRefusal(world, () => call(stale), 'ESTALE', 'has been revoked');
  });
});

test('an open capability of the static flavour is checked at run time as one of the dynamic is', () => {
  using world = new World();
  const reader = world.make(1).restrict('read');
  const forced = reader as unknown as Vmo<'write'>;
  expectRefusal(world, () => poke(forced, 0, 1), 'EACCES', 'needs the right write');
  expect(reader.toDyn()).toBe(reader);
});

describe('restrict', () => {
  test('takes away, in a capability that takes the place of this one', () => {
    using world = new World();
    const vmo = world.tagged(1);
    const reader = vmo.restrict('read');
    expect([vmo.state, reader.state, reader.rights, peek(reader, 0)]).toEqual(['moved', 'open', ['read'], 1]);
    expectRefusal(world, () => vmo.size, 'EBADF', 'is moved');
    // It does not count any more: to close it leaves the other.
    vmo.close();
    expect(reader.isOpen).toBe(true);
    const nothing = reader.restrict();
    expect([nothing.rights, nothing.size]).toEqual([[], PAGE]);
    nothing.close();
    expect(world.frames).toBe(0);
  });

  test('never adds, and refuses names of no right; nothing has changed then', () => {
    using world = new World();
    for (const set of SETS) {
      const held = makeFixed(world)
        .restrict(...set)
        .toDyn();
      for (const right of RIGHTS) {
        if (set.includes(right)) continue;
        expectRefusal(world, () => held.restrict(...set, right), 'EACCES', `needs the right ${right}`);
        expectRefusal(world, () => held.restrict(right), 'EACCES', `needs the right ${right}`);
      }
      expect([held.state, held.rights]).toEqual(['open', set]);
    }
    const vmo = makeFixed(world);
    for (const name of ['Write', 'own', '', 'toString', '__proto__', 4]) {
      expectRefusal(world, () => vmo.restrict(name as Right), 'EINVAL', 'there is no right');
      const options = { size: 1, rights: [name as Right] };
      expectRefusal(world, () => world.objects.create(options), 'EINVAL', 'there is no right');
    }
  });

  test('keeps the place among those that it was derived from, and those derived from it', () => {
    using world = new World();
    const root = makeFixed(world);
    const middle = root.duplicate();
    const child = middle.duplicate();
    const restricted = middle.restrict('dup');
    const later = restricted.duplicate();
    root.revoke();
    expect([restricted, child, later].map(({ state }) => state)).toEqual(['stale', 'stale', 'stale']);
    const other = makeFixed(world);
    const held = other.duplicate();
    const below = held.duplicate();
    held.restrict('read').revoke();
    expect([below.state, other.state]).toEqual(['stale', 'open']);
  });
});

describe('duplicate', () => {
  test('is of the same object with the same rights, and is closed by itself', () => {
    using world = new World();
    const vmo = world.tagged(1);
    const other = vmo.duplicate();
    expect([other.rights, other.name]).toEqual([vmo.rights, vmo.name]);
    poke(other, 0, 5);
    expect(peek(vmo, 0)).toBe(5);
    vmo.close();
    vmo.close();
    expect([other.isOpen, peek(other, 0), world.frames]).toEqual([true, 5, 1]);
    other.close();
    expect([world.frames, world.objects.statistics().objects]).toEqual([0, 0]);
  });

  test('restricted, leaves the original as it was', () => {
    using world = new World();
    const vmo = world.tagged(1);
    vmo.duplicate().restrict('read');
    poke(vmo, 0, 2);
    expect(vmo.rights).toEqual(['dup', 'read', 'write']);
  });
});

describe('children', () => {
  const childrenOf = (world: World, rights: readonly Right[]): Vmo => {
    const vmo = makeFixed(world);
    poke(vmo, 0, 1);
    return vmo.restrict(...rights).toDyn();
  };

  test.each(SNAPSHOT_KINDS)('a %s gains write, and loses exec unless it is asked for', (kind) => {
    using world = new World();
    for (const set of SETS.filter((each) => each.includes('dup') && each.includes('read'))) {
      const vmo = childrenOf(world, set);
      const plain = vmo.createChild({ kind });
      expect(plain.rights).toEqual(['dup', 'read', 'write']);
      poke(plain, 0, 9);
      expect(plain.rights).not.toContain('exec');
      const wanted = { kind, rights: ['read', 'exec'] as const };
      const both = { kind, rights: ALL };
      if (set.includes('exec')) {
        expect(vmo.createChild(wanted).rights).toEqual(['read', 'exec']);
        expectRefusal(world, () => vmo.createChild(both), 'EINVAL', 'is not written and executed');
      } else {
        expectRefusal(world, () => vmo.createChild(wanted), 'EACCES', 'needs the right exec');
        expectRefusal(world, () => vmo.createChild(both), 'EACCES', 'needs the right exec');
      }
    }
  });

  test.each(['slice', 'reference'] as const)(
    'a %s has the rights of its parent, or those asked for',
    (kind) => {
      using world = new World();
      for (const set of SETS.filter((each) => each.includes('dup'))) {
        const vmo = childrenOf(world, set);
        expect(vmo.createChild({ kind }).rights).toEqual(set);
        expect(vmo.createChild({ kind, rights: set.slice(1) }).rights).toEqual(set.slice(1));
        expect(vmo.createChild({ kind, rights: [] }).rights).toEqual([]);
        for (const right of RIGHTS.filter((each) => !set.includes(each))) {
          const make = () => vmo.createChild({ kind, rights: [right] });
          expectRefusal(world, make, 'EACCES', `a ${kind} with ${right} needs the right ${right}`);
        }
      }
    },
  );

  test('of an executable object: exec and write never meet in what can be had of a snapshot', () => {
    using world = new World();
    const vmo = makeFixed(world);
    const child = vmo.createChild({ kind: 'snapshot', rights: ['dup', 'read', 'exec'] });
    expect(child.createChild({ kind: 'reference' }).rights).toEqual(['dup', 'read', 'exec']);
    expect(child.createChild({ kind: 'snapshot' }).rights).toEqual(['dup', 'read', 'write']);
  });

  test('of a kind that there is not are refused', () => {
    using world = new World();
    const vmo = makeFixed(world);
    for (const kind of ['copy', 'Snapshot', '', 'constructor', 7, null]) {
      const make = () => vmo.createChild({ kind: kind as 'slice' });
      expectRefusal(world, make, 'EINVAL', 'there is no child of kind');
    }
  });
});

describe('revoke', () => {
  test('makes all stale that were derived, at any depth and of any kind, and none that were not', () => {
    using world = new World();
    const root = makeFixed(world);
    poke(root, 0, 1);
    const held = root.duplicate();
    const kinds = ['slice', 'reference', ...SNAPSHOT_KINDS] as const;
    const children = kinds.map((kind) => held.createChild({ kind }));
    const below = children.flatMap((child) => [child.duplicate(), child.createChild({ kind: 'snapshot' })]);
    const sibling = root.createChild({ kind: 'snapshot' });
    held.revoke();
    for (const each of [held, ...children, ...below]) {
      expect(each.state).toBe('stale');
      expect(() => each.size).toThrow(expect.objectContaining({ code: 'ESTALE' }));
    }
    expect([peek(root, 0), peek(sibling, 0), world.frames]).toEqual([1, 1, 1]);
    expect(world.objects.statistics().objects).toBe(2);
    root.revoke();
    expect([sibling.state, world.frames]).toEqual(['stale', 0]);
  });

  test('reaches past capabilities that are closed by now', () => {
    using world = new World();
    const root = makeFixed(world);
    const middle = root.duplicate();
    const lower = middle.createChild({ kind: 'slice' });
    const lowest = lower.createChild({ kind: 'snapshot' });
    middle.close();
    lower.close();
    // Nor does closing make a sibling's revocation reach it.
    root.duplicate().revoke();
    expect(lowest.state).toBe('open');
    root.revoke();
    expect(lowest.state).toBe('stale');
    const other = makeFixed(world);
    const orphan = other.duplicate().duplicate();
    other.close();
    expect(orphan.state).toBe('open');
    orphan.revoke();
    expect(world.frames).toBe(0);
  });

  test('twice is ESTALE, and closing what is stale does nothing', () => {
    using world = new World();
    const vmo = makeFixed(world);
    vmo.revoke();
    expectRefusal(world, () => vmo.revoke(), 'ESTALE', 'has been revoked');
    vmo.close();
    expect(vmo.state).toBe('stale');
  });

  test.each([
    ['read', (vmo: Vmo) => vmo.read(0, new Uint8Array(3 * PAGE))],
    ['write', (vmo: Vmo) => vmo.write(5, word(1))],
    ['zero', (vmo: Vmo) => vmo.zero({ offset: 5, length: 5 })],
    ['clear', (vmo: Vmo) => vmo.clear({ offset: 5, length: 5 })],
    ['commit', (vmo: Vmo) => vmo.commit()],
    ['prefetch', (vmo: Vmo) => vmo.prefetch()],
    ['view', (vmo: Vmo) => vmo.view()],
    ['hint', (vmo: Vmo) => vmo.hint('always-need')],
  ])('reaches a %s under way: it ends with ESTALE, and has done nothing', async (_, start) => {
    using world = new World();
    const pager = new SlowPager();
    const root = world.make(3, { pager });
    const held = root.duplicate().toDyn();
    const ended = start(held).catch((error: unknown) => error);
    held.revoke();
    await pager.answer();
    expect(await ended).toMatchObject({ code: 'ESTALE' });
    await Promise.all([root.read(0, new Uint8Array(PAGE)), pager.answer()]);
    expect(peek(root, 0)).toBe(100);
    await root.sync();
    expect(pager.written.size).toBe(0);
  });

  test.each(['revoke', 'close'] as const)(
    'where it frees the object, what is under way hears of the capability, not of the pager: %s',
    async (how) => {
      using world = new World();
      const pager = new SlowPager();
      const vmo = world.make(2, { pager }).toDyn();
      const ended = [vmo.read(0, new Uint8Array(1)), vmo.write(0, word(1))].map((promise) =>
        promise.catch((error: unknown) => error),
      );
      vmo[how]();
      const code = how === 'close' ? 'EBADF' : 'ESTALE';
      expect(await Promise.all(ended)).toMatchObject([{ code }, { code }]);
      expect(pager.calls.at(-1)).toBe('close');
      expect(world.objects.statistics().objects).toBe(0);
      await pager.answer();
    },
  );
});

describe('closing with changes that are not written back', () => {
  test('is EBUSY for the last that could write them, and nothing has changed', async () => {
    using world = new World();
    const pager = new NotingPager();
    const vmo = world.make(2, { pager });
    const other = vmo.duplicate();
    poke(vmo, 1, 7);
    other.close();
    for (const end of [() => vmo.close(), () => vmo.revoke(), () => world.objects.close()]) {
      expectRefusal(world, end, 'EBUSY', /page 1 of paged \d+ is not written back: await sync\(\) first/);
    }
    expect(vmo.state).toBe('open');
    await vmo.sync();
    vmo.close();
    expect(pager.written.get(1)).toBe(7);
  });

  test('loses them where that is said', () => {
    using world = new World();
    for (const end of ['close', 'revoke'] as const) {
      const pager = new NotingPager();
      const vmo = world.make(2, { pager });
      poke(vmo, 1, 7);
      vmo[end]({ unwritten: 'discard' });
      expect([pager.written.size, pager.calls.at(-1), world.frames]).toEqual([0, 'close', 0]);
    }
  });

  test('writes them where a capability is disposed of asynchronously', async () => {
    using world = new World();
    const pager = new NotingPager();
    {
      await using vmo = world.make(2, { pager });
      poke(vmo, 1, 7);
    }
    expect([pager.written.get(1), world.frames]).toEqual([7, 0]);
    // One that may not write leaves that to others.
    const writer = world.make(1, { pager: new NotingPager() });
    poke(writer, 0, 1);
    {
      await using _ = writer.duplicate().restrict('read');
    }
    await writer[Symbol.asyncDispose]();
    await writer[Symbol.asyncDispose]();
    expect(writer.state).toBe('closed');
  });

  test('does not matter without a pager, or to a snapshot', () => {
    using world = new World();
    const vmo = world.tagged(1);
    vmo.close();
    const source = world.make(1, { pager: new NotingPager() });
    const copy = snap(source, 0, 1);
    poke(copy, 0, 5);
    source.close();
    expect(contents(copy)).toEqual([5]);
    copy.close();
    expect(world.frames).toBe(0);
  });
});
