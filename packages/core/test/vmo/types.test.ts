/** What must not compile. `tsc -p tsconfig.check.json` fails where one of these lines has no error. */
import { expect, expectTypeOf, test } from 'vitest';
import type { ChildKind, DefaultRight, Right, Vmo } from '../../src/vmo/index.js';
import { PAGE, World } from './family.js';

const EACCES: unknown = expect.objectContaining({ code: 'EACCES' });
const bytes = new Uint8Array(4);

test('what a capability lets its holder do is known when compiling', () => {
  using world = new World();
  const reader = world.make(1).restrict('read');
  expect(reader.readSync(0, bytes)).toBe(bytes);
  // @ts-expect-error: it does not write.
  expect(() => reader.writeSync(0, bytes)).toThrow(EACCES);
  // @ts-expect-error: nor zero.
  expect(() => reader.zeroSync()).toThrow(EACCES);
  // @ts-expect-error: nor clear.
  expect(() => reader.clearSync()).toThrow(EACCES);
  // @ts-expect-error: nor commit.
  expect(() => reader.commitSync()).toThrow(EACCES);
  // @ts-expect-error: nor decommit.
  expect(() => reader.decommit()).toThrow(EACCES);
  // @ts-expect-error: nor resize.
  expect(() => reader.resizeSync(0)).toThrow(EACCES);
  // @ts-expect-error: nor sync.
  expect(() => reader.syncSync()).toThrow(EACCES);
  // @ts-expect-error: nor view, which writes.
  expect(() => reader.viewSync()).toThrow(EACCES);
  // @ts-expect-error: nor get a frame to be written.
  expect(() => reader.page(0, 'write')).toThrow(EACCES);
  // @ts-expect-error: nor supply.
  expect(() => reader.supply(0, bytes)).toThrow(EACCES);
  // @ts-expect-error: nor detach the pager.
  expect(() => reader.detachPager()).toThrow(EACCES);
  // @ts-expect-error: nor be duplicated.
  expect(() => reader.duplicate()).toThrow(EACCES);
  // @ts-expect-error: nor have children.
  expect(() => reader.createChild({ kind: 'slice' })).toThrow(EACCES);
  // @ts-expect-error: nor say where it lies.
  expect(() => reader.physicalAddress(0)).toThrow(EACCES);
  expect(reader.page(0, 'read')).toBeUndefined();
});

test('and so for the calls that give promises', async () => {
  using world = new World();
  const reader = world.make(1).restrict('read');
  // @ts-expect-error: it does not write.
  await expect(reader.write(0, bytes)).rejects.toThrow(EACCES);
  // @ts-expect-error: nor zero.
  await expect(reader.zero()).rejects.toThrow(EACCES);
  // @ts-expect-error: nor clear.
  await expect(reader.clear()).rejects.toThrow(EACCES);
  // @ts-expect-error: nor commit.
  await expect(reader.commit()).rejects.toThrow(EACCES);
  // @ts-expect-error: nor resize.
  await expect(reader.resize(0)).rejects.toThrow(EACCES);
  // @ts-expect-error: nor sync.
  await expect(reader.sync()).rejects.toThrow(EACCES);
  // @ts-expect-error: nor view.
  await expect(reader.view()).rejects.toThrow(EACCES);
  const writer = world.make(1).restrict('write');
  // @ts-expect-error: this one does not read.
  await expect(writer.read(0, bytes)).rejects.toThrow(EACCES);
  // @ts-expect-error: nor prefetch.
  await expect(writer.prefetch()).rejects.toThrow(EACCES);
  // @ts-expect-error: nor give hints.
  await expect(writer.hint('dont-need')).rejects.toThrow(EACCES);
});

test('a capability that does not read does not observe, view, or make snapshots', () => {
  using world = new World();
  const writer = world.make(1).restrict('dup', 'write');
  writer.writeSync(0, bytes);
  // @ts-expect-error: it does not read.
  expect(() => writer.readSync(0, bytes)).toThrow(EACCES);
  // @ts-expect-error: nor get a frame to be read.
  expect(() => writer.page(0, 'read')).toThrow(EACCES);
  // @ts-expect-error: nor look at bytes in place.
  expect(() => writer.viewSync()).toThrow(EACCES);
  // @ts-expect-error: nor hear what changes.
  expect(() => writer.observe({ pagesLost: () => {} })).toThrow(EACCES);
  // @ts-expect-error: nor make what could be read.
  expect(() => writer.createChild({ kind: 'snapshot' })).toThrow(EACCES);
  // @ts-expect-error: of no such kind.
  expect(() => writer.createChild({ kind: 'snapshot-at-least-on-write' })).toThrow(EACCES);
  // @ts-expect-error: nor this.
  expect(() => writer.createChild({ kind: 'snapshot-modified' })).toThrow(EACCES);
  expect(writer.createChild({ kind: 'slice' }).rights).toEqual(['dup', 'write']);
});

test('more rights stand where fewer are wanted, and not the other way', () => {
  using world = new World();
  const sizeOf = (vmo: Vmo<'read'>): number => vmo.readSync(0, bytes).length;
  const full = world.make(1);
  expect(sizeOf(full)).toBe(4);
  const both: Vmo<'read' | 'write'> = full;
  const writer: Vmo<'write'> = both;
  const any: Vmo<never> = writer;
  expect(any.size).toBe(PAGE);
  // @ts-expect-error: one that writes may not read.
  expect(sizeOf(writer)).toBe(4);
  // @ts-expect-error: of one that nothing is known of, neither is known.
  expect(sizeOf(any)).toBe(4);
  // @ts-expect-error: and reading is not enough for both.
  const wide: Vmo<'read' | 'write'> = full.duplicate().restrict('read');
  expect(wide.rights).toEqual(['read']);
  // @ts-expect-error: a default capability does not execute.
  const dynamic: Vmo<Right> = full;
  expect(dynamic.rights).not.toContain('exec');
});

test('restrict is not given what is not held', () => {
  using world = new World();
  const reader = world.make(1).restrict('dup', 'read');
  expectTypeOf(reader).toEqualTypeOf<Vmo<'dup' | 'read'>>();
  // @ts-expect-error: it would add a right.
  expect(() => reader.restrict('read', 'write')).toThrow(EACCES);
  // @ts-expect-error: there is no such right.
  expect(() => reader.restrict('own')).toThrow('there is no right');
  const nothing = reader.restrict();
  expectTypeOf(nothing).toEqualTypeOf<Vmo<never>>();
  // @ts-expect-error: it does nothing any more.
  expect(() => nothing.readSync(0, bytes)).toThrow(EACCES);
});

test('a child’s rights are its parent’s, or what was asked for', () => {
  using world = new World();
  const reader = world.make(1).restrict('dup', 'read');
  const slice = reader.createChild({ kind: 'slice' });
  expectTypeOf(slice).toEqualTypeOf<Vmo<'dup' | 'read'>>();
  const reference = reader.createChild({ kind: 'reference', rights: ['read'] });
  expectTypeOf(reference).toEqualTypeOf<Vmo<'read'>>();
  expectTypeOf(reader.createChild({ kind: 'slice', rights: [] })).toEqualTypeOf<Vmo<never>>();
  // A snapshot may be written, whoever made it.
  const snapshot = reader.createChild({ kind: 'snapshot' });
  expectTypeOf(snapshot).toEqualTypeOf<Vmo<'dup' | 'read' | 'write'>>();
  snapshot.writeSync(0, bytes);
  const written = reader.createChild({ kind: 'snapshot-modified', rights: ['write'] });
  expectTypeOf(written).toEqualTypeOf<Vmo<'write'>>();
  // @ts-expect-error: a slice is not written by who may not write its parent.
  expect(() => reader.createChild({ kind: 'slice', rights: ['write'] })).toThrow(EACCES);
  // @ts-expect-error: nor executed.
  expect(() => reader.createChild({ kind: 'snapshot', rights: ['exec'] })).toThrow(EACCES);
  // @ts-expect-error: there is no such kind.
  expect(() => reader.createChild({ kind: 'copy' })).toThrow('there is no child of kind');
});

test('a snapshot loses exec, and has it back only by name', () => {
  using world = new World();
  const program = world.objects.create({ size: PAGE, rights: ['dup', 'read', 'exec'] });
  expectTypeOf(program).toEqualTypeOf<Vmo<'dup' | 'read' | 'exec'>>();
  const plain = program.createChild({ kind: 'snapshot' });
  expectTypeOf(plain).toEqualTypeOf<Vmo<'dup' | 'read' | 'write'>>();
  const text = program.createChild({ kind: 'snapshot', rights: ['read', 'exec'] });
  expectTypeOf(text).toEqualTypeOf<Vmo<'read' | 'exec'>>();
  const part = program.createChild({ kind: 'slice' });
  expectTypeOf(part).toEqualTypeOf<Vmo<'dup' | 'read' | 'exec'>>();
  expect([plain, text, part].map(({ rights }) => rights.join())).toEqual([
    'dup,read,write',
    'read,exec',
    'dup,read,exec',
  ]);
});

test('create gives the rights that are asked for, and the default without', () => {
  using world = new World();
  expectTypeOf(world.objects.create({ size: 1 })).toEqualTypeOf<Vmo<DefaultRight>>();
  expectTypeOf(world.objects.create({ size: 1, rights: ['read'] })).toEqualTypeOf<Vmo<'read'>>();
  expectTypeOf(world.objects.create({ size: 1, rights: [] })).toEqualTypeOf<Vmo<never>>();
  const any: readonly Right[] = ['read'];
  expectTypeOf(world.objects.create({ size: 1, rights: any })).toEqualTypeOf<Vmo>();
  expect(world.objects.create({ size: 1 }).rights).toEqual(['dup', 'read', 'write']);
});

test('a dynamic capability compiles with every call, and is checked at run time', () => {
  using world = new World();
  const vmo = world.make(1).restrict('read').toDyn();
  expectTypeOf(vmo).toEqualTypeOf<Vmo>();
  expect(() => vmo.writeSync(0, bytes)).toThrow(EACCES);
  expect(() => vmo.createChild({ kind: 'snapshot' })).toThrow(EACCES);
  expect(() => vmo.viewSync()).toThrow(EACCES);
  const kinds: readonly ChildKind[] = ['slice', 'reference', 'snapshot'];
  const full = world.make(1).toDyn();
  for (const kind of kinds) expectTypeOf(full.createChild({ kind })).toExtend<Vmo<never>>();
  // A static one is had of it by naming what is wanted.
  expectTypeOf(full.restrict('read')).toEqualTypeOf<Vmo<'read'>>();
});

test('what a pager, an observer and a view are given is read only', () => {
  using world = new World();
  const vmo = world.make(1);
  using view = vmo.viewSync();
  expect(() => {
    // @ts-expect-error: a view's pieces are not exchanged.
    view.pieces = [];
  }).toThrow(TypeError);
  const options = { offset: 0, length: 1 } as const;
  vmo.zeroSync(options);
  // @ts-expect-error: a range is in bytes, as numbers.
  expect(() => vmo.zeroSync({ offset: '0', length: 1 })).toThrow('are not within');
  // @ts-expect-error: nor is a hint any word.
  const hinted = vmo.hint('maybe');
  return expect(hinted).rejects.toThrow('there is no hint maybe');
});
