/** Operations on memory objects that are mapped perhaps, in every world and on the oracle's at once. */
import { PAGE_SIZE } from '../../src/frame/index.js';
import {
  type BytesPager,
  bytesPager,
  type ChildKind,
  DEFAULT_RIGHTS,
  type Pager,
  type Right,
  RIGHTS,
  type Vmo,
} from '../../src/vmo/index.js';
import { EagerCapability } from './eager-capability.js';
import { EagerObject, pagesOf, spanOf } from './eager-objects.js';
import type { Refusals } from './eager-space.js';
import { DONE, type TwinBench, type TwinVmo } from './twin-bench.js';
import type { Step } from './twin-steps.js';

const MOST_VMOS = 8;
/** How many steps pagers fail for. */
const FAIL_STEPS = 10;

const RIGHT_SETS: readonly (readonly Right[])[] = [
  RIGHTS,
  RIGHTS,
  RIGHTS,
  DEFAULT_RIGHTS,
  ['dup', 'read'],
  ['dup', 'exec'],
  ['write'],
];

const CHILD_KINDS: readonly ChildKind[] = [
  'snapshot',
  'snapshot',
  'snapshot-at-least-on-write',
  'snapshot-modified',
  'slice',
  'slice',
  'reference',
];

/** Makes an object, and fills most: what shows where it should not is seen only if it is not zeros. */
export const createObject = (bench: TwinBench, step: Step): string => {
  const { kind, value } = step;
  const answer = createEmpty(bench, step);
  const vmo = bench.vmos.at(-1);
  if (answer !== DONE || vmo === undefined || !vmo.model.rights.has('write') || kind % 4 === 0) return answer;
  const bytes = new Uint8Array(vmo.model.sizeBytes).fill(value | 1);
  const write = (world: number): void => vmo.reals[world]!.writeSync(0, bytes);
  return bench.run([], write, () => vmo.model.object.write(0, bytes));
};

const createEmpty = (bench: TwinBench, { kind, otherPages, value }: Step): string => {
  const rights = RIGHT_SETS[kind % RIGHT_SETS.length]!;
  const resizable = value % 2 === 0;
  // Some end inside a page.
  const sizeBytes = Math.max(otherPages * PAGE_SIZE - (value % 4 === 0 ? value * 8 : 0), 0);
  const reals: Vmo[] = [];
  return bench.run(
    [],
    (world) => {
      reals[world] = bench.worlds[world]!.virtualMemory.objects.create({
        size: sizeBytes,
        rights,
        resizable,
      });
    },
    () => {
      const object = new EagerObject({ kind: 'anonymous', sizeBytes, resizable });
      enter(bench, { reals, model: new EagerCapability({ object, rights: new Set(rights) }) });
    },
  );
};

export const createPaged = (bench: TwinBench, { kind, otherPages, value }: Step): string => {
  const resizable = value % 2 === 0;
  const bytes = new Uint8Array(Math.max(otherPages, 1) * PAGE_SIZE).map((_, at) => value + (at >> 8) + kind);
  const rights = kind % 2 === 0 ? RIGHTS : DEFAULT_RIGHTS;
  const reals: Vmo[] = [];
  const pagers: BytesPager[] = [];
  return bench.run(
    [],
    (world) => {
      const inner = bytesPager(bytes.slice());
      pagers[world] = inner;
      const pager: Pager = {
        commit(range) {
          if (bench.pagersFail) throw new Error('it is to fail');
          return inner.commit(range);
        },
        writeBack: (range, written) => inner.writeBack(range, written),
        resize: (sizeBytes) => inner.resize(sizeBytes),
      };
      reals[world] = bench.worlds[world]!.virtualMemory.objects.create({
        size: bytes.length,
        resizable,
        rights,
        pager,
      });
    },
    () => {
      const options = { kind: 'paged', sizeBytes: bytes.length, resizable, paged: bytes } as const;
      const object = new EagerObject(options);
      bench.pagers.set(object, pagers);
      enter(bench, { reals, model: new EagerCapability({ object, rights: new Set(rights) }) });
    },
  );
};

/** Lets all pagers fail for some steps, and one object forget what its pager has brought. */
export const failPagers = (bench: TwinBench, vmo: TwinVmo): string => {
  bench.pagersFailUntil = bench.steps + FAIL_STEPS;
  const { model } = vmo;
  if (!model.object.isPaged) return DONE;
  const isChanged = model.object.dirty.size + model.object.maybeDirty.size > 0;
  return bench.run(
    refuse(vmo, ['write']),
    (world) => vmo.reals[world]!.decommit(),
    () => {},
    isChanged ? ['EBUSY'] : [],
  );
};

export const createChild = (bench: TwinBench, vmo: TwinVmo, step: Step): string => {
  const { object, rights, start, sliceBytes, sizeBytes } = vmo.model;
  const kind = CHILD_KINDS[step.kind % CHILD_KINDS.length]!;
  const isSnapshot = kind !== 'slice' && kind !== 'reference';
  const offset = step.value % 3 > 0 || kind === 'reference' ? 0 : step.objectPage * PAGE_SIZE;
  const rest = Math.max(sizeBytes - offset, 0);
  // Some end inside a page whose rest the parent has.
  const isCut = object.source === undefined && step.offset % 4 > 1;
  const wanted = Math.max(step.otherPages * PAGE_SIZE - (isCut ? step.value * 8 : 0), 0);
  const isWhole = step.value % 2 > 0 || kind === 'reference';
  const size = isWhole ? rest : kind === 'slice' ? Math.min(wanted, rest) : wanted;
  const resizable = isSnapshot && step.offset % 2 > 0;
  const isWithin = offset <= sizeBytes;
  const refusals = [
    ...refuse(vmo, isSnapshot ? ['dup', 'read'] : ['dup']),
    ...(kind === 'slice' && object.resizable ? ['ENOTSUP'] : []),
    ...(kind === 'slice' && !isWithin ? ['EINVAL'] : []),
  ];
  const reals: Vmo[] = [];
  return bench.run(
    refusals,
    (world) => {
      reals[world] = vmo.reals[world]!.createChild({
        kind,
        ...(kind === 'reference' ? {} : { offset }),
        ...(isWhole ? {} : { size }),
        ...(isSnapshot ? { resizable } : {}),
      });
    },
    () => {
      const reach = { above: vmo.model, rights: isSnapshot ? new Set(reals[0]!.rights) : rights };
      if (isSnapshot) {
        const seenBytes = Math.min(size, rest);
        const from = start + offset;
        const child = object.snapshot({ kind, start: from, seenBytes, sizeBytes: size, resizable });
        enter(bench, { reals, model: new EagerCapability({ ...reach, object: child }) });
      } else {
        const part = kind === 'slice' ? { start: start + offset, sliceBytes: size } : { start, sliceBytes };
        enter(bench, { reals, model: new EagerCapability({ ...reach, object, ...part }) });
      }
      bench.note(`child: ${kind}`);
    },
    bench.mayFail(object) ? ['EIO'] : [],
  );
};

export const duplicateVmo = (bench: TwinBench, vmo: TwinVmo): string => {
  const { object, rights, start, sliceBytes } = vmo.model;
  const reals: Vmo[] = [];
  return bench.run(
    refuse(vmo, ['dup']),
    (world) => void (reals[world] = vmo.reals[world]!.duplicate()),
    () => {
      const model = new EagerCapability({ object, rights, start, sliceBytes, above: vmo.model });
      enter(bench, { reals, model });
    },
  );
};

export const closeVmo = (bench: TwinBench, vmo: TwinVmo): string => {
  const { isOpen } = vmo.model;
  return bench.run(
    [],
    (world) => vmo.reals[world]!.close({ unwritten: 'discard' }),
    () => {
      if (isOpen) vmo.model.close();
    },
  );
};

export const revokeVmo = (bench: TwinBench, vmo: TwinVmo): string =>
  bench.run(
    refuse(vmo, []),
    (world) => vmo.reals[world]!.revoke({ unwritten: 'discard' }),
    () => {
      vmo.model.revoke();
      for (const { model } of bench.spaces) bench.note('own copies lost: revoked', model.forgetLost());
    },
  );

/** Calls on a range of an object's bytes. */
export const changeObject = (bench: TwinBench, vmo: TwinVmo, step: Step): string => {
  const { object, start } = vmo.model;
  const { offset, length } = rangeOf(vmo, step);
  const at = start + offset;
  const range = { offset, length };
  const isWithin = vmo.model.isOpen && offset + length <= vmo.model.sizeBytes;
  const refusals = [...refuse(vmo, ['write']), ...(isWithin ? [] : ['EINVAL'])];
  const perhaps = bench.mayFail(object) ? ['EIO'] : [];
  const pages = isWithin ? spanOf(at, length) : [];
  const real = (world: number): Vmo => vmo.reals[world]!;
  switch (step.operation) {
    case 'writeVmo': {
      const bytes = new Uint8Array(length).fill(step.value);
      const write = (world: number): void => real(world).writeSync(offset, bytes);
      return bench.run(refusals, write, () => object.write(at, bytes), perhaps);
    }
    case 'zeroVmo':
      return bench.run(
        refusals,
        (world) => real(world).zeroSync(range),
        () => object.zero(at, length),
        perhaps,
      );
    case 'commitVmo':
      return bench.run(
        refusals,
        (world) => real(world).commitSync(range),
        () => object.commit(at, length),
        perhaps,
      );
    case 'decommitVmo': {
      const isChanged = object.isPaged && pages.some((page) => object.dirty.has(page));
      const mayBe = object.isPaged && pages.some((page) => object.maybeDirty.has(page));
      const isPart = (at + length) % PAGE_SIZE !== 0 && at + length !== object.sizeBytes;
      return bench.run(
        [...refusals, ...(isChanged ? ['EBUSY'] : []), ...(isPart ? ['EINVAL'] : [])],
        (world) => real(world).decommit(range),
        () => object.decommit(at, length),
        mayBe ? ['EBUSY'] : [],
      );
    }
    default:
      return bench.run(
        refusals,
        (world) => real(world).syncSync(range),
        () => {
          object.clean(pages);
          if (object.isPaged) checkPagers(bench, object, pages);
        },
      );
  }
};

export const resizeObject = (bench: TwinBench, vmo: TwinVmo, step: Step): string => {
  const { otherPages, objectPage, value } = step;
  const { object } = vmo.model;
  const isCut = value % 4 > 0 && object.source === undefined;
  const sizeBytes = isCut ? objectPage * PAGE_SIZE + value * 8 : otherPages * PAGE_SIZE;
  const refusals = [...refuse(vmo, ['write']), ...(object.resizable ? [] : ['ENOTSUP'])];
  const perhaps = [
    ...(bench.mayFail(object) ? ['EIO'] : []),
    // A snapshot may not have got all that is to be cut.
    ...(object.copies.size > 0 && sizeBytes < object.sizeBytes ? ['EBUSY'] : []),
  ];
  return bench.run(
    refusals,
    (world) => vmo.reals[world]!.resizeSync(sizeBytes),
    () => {
      bench.note(sizeBytes < object.sizeBytes ? 'an object is cut' : 'an object grows');
      object.resize(sizeBytes);
      for (const { model } of bench.spaces) bench.note('own copies lost: cut', model.forgetLost());
    },
    perhaps,
  );
};

const refuse = ({ model }: TwinVmo, rights: readonly Right[]): Refusals => {
  if (model.refusal !== undefined) return [model.refusal];
  return rights.every((right) => model.rights.has(right)) ? [] : ['EACCES'];
};

/** What a step's numbers mean for a capability: most of them are within it, and pages where pages are wanted. */
const rangeOf = (vmo: TwinVmo, step: Step): { readonly offset: number; readonly length: number } => {
  const { operation, objectPage, lengthPages, value, kind } = step;
  const { sizeBytes, sizePages } = vmo.model;
  const wholePages = operation === 'decommitVmo' || operation === 'syncVmo' || kind % 4 === 0;
  const page = kind % 16 === 0 ? objectPage : objectPage % Math.max(sizePages, 1);
  const offset = page * PAGE_SIZE + (wholePages ? 0 : step.offset);
  const length = wholePages ? lengthPages * PAGE_SIZE : 1 + (lengthPages - 1) * 2048 + value * 8;
  return kind % 16 === 1 ? { offset, length } : { offset, length: clip(length, sizeBytes - offset) };
};

const clip = (length: number, most: number): number => Math.min(length, Math.max(most, 0));

/** What is written back must be what the object holds. */
const checkPagers = (bench: TwinBench, object: EagerObject, pages: readonly number[]): void => {
  for (const { bytes } of bench.pagers.get(object) ?? []) {
    for (const page of pages) {
      const [start, end] = [page * PAGE_SIZE, (page + 1) * PAGE_SIZE];
      if (Buffer.compare(bytes.subarray(start, end), object.page(page)) === 0) continue;
      throw new Error(`page ${page} that was written back is not what the object holds`);
    }
  }
};

/** Lets capabilities that are not open be forgotten, and closes another where there are too many. */
const enter = (bench: TwinBench, vmo: TwinVmo): void => {
  while (bench.vmos.length >= MOST_VMOS) {
    const closed = bench.vmos.findIndex(({ model }) => !model.isOpen);
    const gone = bench.vmos.splice(Math.max(closed, 0), 1)[0]!;
    if (!gone.model.isOpen) continue;
    for (const real of gone.reals) real.close({ unwritten: 'discard' });
    gone.model.close();
  }
  bench.addVmo(vmo);
};

/** Forgets objects of the oracle that nobody reaches any more. */
export const forgetUnreached = (bench: TwinBench): Set<EagerObject> => {
  const reached = new Set<EagerObject>();
  for (const { model } of bench.vmos) if (model.isOpen) reached.add(model.object);
  for (const { model } of bench.spaces) {
    for (const { capability } of model.pages.values()) {
      if (capability?.isRevoked === false) reached.add(capability.object);
    }
  }
  for (const object of bench.pagers.keys()) forgetViews(object, reached);
  for (const object of [...reached]) if (object.base !== undefined) reached.add(object.base.object);
  for (const object of bench.pagers.keys()) {
    const isNeeded = [...reached].some(({ source }) => source === object);
    if (!isNeeded) bench.pagers.delete(object);
  }
  return reached;
};

const forgetViews = (object: EagerObject, reached: ReadonlySet<EagerObject>): void => {
  for (const set of [object.views, object.copies]) {
    for (const other of set) if (!reached.has(other)) set.delete(other);
  }
};

/** Frames that these objects would have if none shared any. What has a pager may have all of its pages. */
export const framesOf = (objects: Iterable<EagerObject>): number => {
  let frames = 0;
  for (const { source, held, sizeBytes } of objects) {
    frames += source === undefined ? held.size : pagesOf(sizeBytes);
  }
  return frames;
};
