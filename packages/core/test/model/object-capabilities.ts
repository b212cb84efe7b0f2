/** Operations on capabilities, on a memory object and the oracle's at once: create, children, duplicate, restrict, end. */
import { DEFAULT_RIGHTS, type Right, RIGHTS } from '../../src/vmo/index.js';
import { EagerObject, pagesOf } from './eager-objects.js';
import type { Expected, ObjectBench } from './object-bench.js';
import { same } from './object-checks.js';
import { Holder } from './object-holders.js';
import { CHILD_KINDS, type ObjectStep, pattern, sizeOf, startOf } from './object-steps.js';
import { ScriptedPager } from './scripted-pager.js';

export const createObject = (bench: ObjectBench, step: ObjectStep): string => {
  const { pagers } = bench.options;
  const paged = pagers === 'all' || (pagers === 'some' && step.operation === 'createPaged');
  const rights: readonly Right[] = step.kind % 4 === 0 ? RIGHTS : DEFAULT_RIGHTS;
  const resizable = step.kind % 3 > 0;
  if (step.operation === 'createDevice' && !paged) {
    const kind = step.which % 2 === 0 ? 'dma' : 'contiguous';
    const size = sizeOf(step, 'small');
    return bench.run(
      { refused: undefined, perhaps: ['ENOMEM'] },
      () => bench.objects.create({ size, rights, [kind]: true }),
      (vmo) =>
        bench.holders.add(
          new Holder(vmo, new EagerObject({ kind, sizeBytes: size, resizable: false }), undefined),
        ),
    );
  }
  const size = sizeOf(step, bench.breadth);
  if (paged) return createPaged(bench, step, size, resizable);
  return bench.run(
    { refused: undefined },
    () => bench.objects.create({ size, rights, resizable }),
    (vmo) =>
      bench.holders.add(
        new Holder(vmo, new EagerObject({ kind: 'anonymous', sizeBytes: size, resizable }), undefined),
      ),
  );
};

const createPaged = (
  bench: ObjectBench,
  { kind, which, value }: ObjectStep,
  size: number,
  resizable: boolean,
): string => {
  const bytes = pattern(size, value);
  const scripted = new ScriptedPager(bytes.slice(), {
    update: which % 2 > 0,
    writeBack: kind % 8 > 0,
    resize: which % 3 > 0,
  });
  return bench.run(
    { refused: undefined },
    () => bench.objects.create({ size, resizable, pager: scripted.pager }),
    (created) => {
      const vmo = created.toDyn();
      const object = new EagerObject({ kind: 'paged', sizeBytes: size, resizable, paged: bytes });
      scripted.object = object;
      const real = vmo.reach.object;
      scripted.isCommitted = (page) => real.isCommitted(page);
      bench.pagers.set(object, scripted);
      bench.holders.add(new Holder(vmo, object, undefined));
    },
  );
};

export const makeChild = (bench: ObjectBench, step: ObjectStep, holder: Holder): string => {
  const { object, sizeBytes } = holder;
  const kind = CHILD_KINDS[step.kind % CHILD_KINDS.length]!;
  const isSnapshot = kind !== 'slice' && kind !== 'reference';
  const usual = kind === 'reference' ? step.value < 230 : step.pages === 0;
  const offset = kind === 'reference' && usual ? 0 : startOf(step, bench.breadth);
  const rest = Math.max(sizeBytes - offset, 0);
  const wanted = sizeOf(step, bench.breadth);
  const size = usual ? undefined : kind === 'slice' && step.value < 230 ? Math.min(wanted, rest) : wanted;
  const resizable = step.byte % 2 > 0;
  const rights =
    step.bytes % 6 === 0 ? RIGHTS.filter((_, index) => (step.bytes >> (index + 4)) % 2 > 0) : undefined;
  const options = {
    kind,
    ...(usual && kind === 'reference' ? {} : { offset }),
    ...(size === undefined ? {} : { size }),
    ...(isSnapshot ? { resizable } : {}),
    ...(rights === undefined ? {} : { rights }),
  };
  const length = size ?? rest;
  const refused = (): string | undefined => {
    if (!holder.rights.has('dup') || (isSnapshot && !holder.rights.has('read'))) return 'EACCES';
    const lacks = (right: Right): boolean => !holder.rights.has(right) && !(isSnapshot && right === 'write');
    if (rights?.some(lacks) === true) return 'EACCES';
    if (isSnapshot && rights?.includes('write') === true && rights.includes('exec')) return 'EINVAL';
    if (kind === 'reference') return offset !== 0 || size !== undefined ? 'EINVAL' : undefined;
    if (kind !== 'slice') return undefined;
    if (offset + length > sizeBytes) return 'EINVAL';
    return object.resizable ? 'ENOTSUP' : undefined;
  };
  return bench.run(
    { refused: refused(), frames: pagesOf(length) + 1, source: object.source },
    () => holder.vmo.createChild(options),
    (vmo) => {
      const start = holder.start + offset;
      if (kind === 'slice') bench.holders.add(new Holder(vmo, object, holder, start, length));
      else if (kind === 'reference') {
        bench.holders.add(new Holder(vmo, object, holder, holder.start, holder.sliceBytes));
      } else {
        const seenBytes = Math.min(length, rest);
        const child = object.snapshot({ kind, start, seenBytes, sizeBytes: length, resizable });
        bench.holders.add(new Holder(vmo, child, holder));
      }
    },
  );
};

export const duplicateHolder = (bench: ObjectBench, holder: Holder): string => {
  return bench.run(
    { refused: holder.rights.has('dup') ? undefined : 'EACCES' },
    () => holder.vmo.duplicate(),
    (vmo) => bench.holders.add(new Holder(vmo, holder.object, holder, holder.start, holder.sliceBytes)),
  );
};

export const restrictHolder = (bench: ObjectBench, { value, shape }: ObjectStep, holder: Holder): string => {
  const { vmo } = holder;
  const wanted = RIGHTS.filter((right, index) =>
    shape < 3 ? (value >> index) % 2 > 0 : vmo.rights.includes(right),
  );
  return bench.run(
    { refused: wanted.every((right) => holder.rights.has(right)) ? undefined : 'EACCES' },
    () => vmo.restrict(...wanted),
    (restricted) => {
      same(vmo.state, 'moved', 'the state of a capability that was restricted');
      holder.vmo = restricted;
      holder.rights = new Set(wanted);
    },
  );
};

export const closeHolder = (bench: ObjectBench, holder: Holder, unwritten: 'refuse' | 'discard'): string => {
  return bench.run(
    expectUnwritten(bench, [holder], unwritten),
    () => holder.vmo.close({ unwritten }),
    () => {
      bench.holders.close(holder);
      same(holder.vmo.state, 'closed', 'the state of a capability that was closed');
    },
  );
};

export const revokeHolder = (bench: ObjectBench, holder: Holder, unwritten: 'refuse' | 'discard'): string => {
  return bench.run(
    expectUnwritten(bench, [...holder.withDerived()], unwritten),
    () => holder.vmo.revoke({ unwritten }),
    () => {
      for (const { vmo } of bench.holders.revoke(holder)) {
        same(vmo.state, 'stale', 'the state of a capability that was revoked');
      }
    },
  );
};

/** Whether changed pages would be left that nobody could write back. */
const expectUnwritten = (
  bench: ObjectBench,
  going: readonly Holder[],
  unwritten: 'refuse' | 'discard',
): Expected => {
  const isLost = (pages: ReadonlySet<number>, left: readonly Holder[], object: EagerObject): boolean =>
    [...pages].some(
      (page) =>
        going.some((holder) => holder.object === object && holder.reaches(page)) &&
        !left.some((holder) => holder.reaches(page)),
    );
  let perhaps = false;
  for (const { object } of unwritten === 'refuse' ? going : []) {
    if (!bench.isWritable(object)) continue;
    const left = bench.holders.all.filter((holder) => holder.object === object && !going.includes(holder));
    if (isLost(object.dirty, left, object)) return { refused: 'EBUSY' };
    perhaps ||= isLost(object.maybeDirty, left, object);
  }
  return { refused: undefined, perhaps: [perhaps && 'EBUSY'] };
};
