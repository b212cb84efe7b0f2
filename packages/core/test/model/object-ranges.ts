/** Operations on ranges of bytes and pages, on a memory object and the oracle's at once; and on open views. */
import { HolsteinError, PAGE_SIZE } from '../../src/frame/index.js';
import type { PageView } from '../../src/vmo/index.js';
import { isReady } from '../../src/vmo/page-writes.js';
import { type EagerObject, pagesOf, spanOf } from './eager-objects.js';
import type { Expected, ObjectBench } from './object-bench.js';
import { checkBytes, same } from './object-checks.js';
import type { Holder, OpenView } from './object-holders.js';
import { type ObjectStep, pattern, rangeOf, sizeOf, wholePages } from './object-steps.js';

const MAX_VIEWS = 4;

export const runOnRange = (bench: ObjectBench, step: ObjectStep, holder: Holder): string => {
  const { vmo, object } = holder;
  const range = rangeOf(step, holder.sizeBytes, bench.breadth);
  const { offset, length } =
    step.operation === 'decommit' ? wholePages(range, step, holder.sizeBytes) : range;
  const start = holder.start + offset;
  const isRead = ['read', 'prefetch', 'hint'].includes(step.operation);
  const refused = bench.refuse(holder, isRead ? ['read'] : ['write'], offset, length);
  const expected = { refused, frames: pagesOf(length) + 1, source: object.source };
  switch (step.operation) {
    case 'read':
      return refused === undefined
        ? readBytes(bench, holder, offset, length)
        : bench.run(expected, () => vmo.readSync(offset, new Uint8Array(length)), ignore);
    case 'write': {
      const from = pattern(length, step.value);
      return dirtying(
        bench,
        expected,
        object,
        start,
        length,
        () => vmo.writeSync(offset, from),
        () => object.write(start, from),
      );
    }
    case 'clear':
      return dirtying(
        bench,
        expected,
        object,
        start,
        length,
        () => vmo.clearSync({ offset, length }),
        () => object.write(start, new Uint8Array(length)),
      );
    case 'zero':
      return bench.run(
        expected,
        () => vmo.zeroSync({ offset, length }),
        () => object.zero(start, length),
      );
    case 'commit':
      return bench.run(
        expected,
        () => vmo.commitSync({ offset, length }),
        () => {
          object.commit(start, length);
          const real = bench.holders.real(object);
          for (const page of spanOf(start, length)) {
            if (!isReady(real, page)) throw new Error(`page ${page} is committed, and a write wants a frame`);
          }
        },
      );
    case 'decommit':
      return bench.run(
        expectDecommit(expected, object, start, length),
        () => vmo.decommit({ offset, length }),
        () => object.decommit(start, length),
      );
    default: {
      if (refused !== undefined) return 'not tried';
      const hint = step.value % 2 === 0 ? 'always-need' : 'dont-need';
      const call =
        step.operation === 'hint' ? vmo.hint(hint, { offset, length }) : vmo.prefetch({ offset, length });
      bench.promises.push(
        call.catch((error: unknown) => {
          if (!(error instanceof HolsteinError) || !['EIO', 'ENOMEM'].includes(error.code)) throw error;
        }),
      );
      return 'begun';
    }
  }
};

const expectDecommit = (expected: Expected, object: EagerObject, start: number, length: number): Expected => {
  const end = start + length;
  const pages = spanOf(start, length);
  const refused = (): string | undefined => {
    if (start % PAGE_SIZE !== 0 || (end % PAGE_SIZE !== 0 && end !== object.sizeBytes)) return 'EINVAL';
    if (object.isDevice) return 'ENOTSUP';
    if (pages.some((page) => object.isPinned(page))) return 'EBUSY';
    return object.isPaged && pages.some((page) => object.dirty.has(page)) ? 'EBUSY' : undefined;
  };
  const perhaps = object.isPaged && pages.some((page) => object.maybeDirty.has(page));
  return { ...expected, refused: expected.refused ?? refused(), perhaps: [perhaps && 'EBUSY'] };
};

export const readBytes = (bench: ObjectBench, holder: Holder, offset: number, length: number): string => {
  const { object, start } = holder;
  return bench.run(
    { refused: undefined, frames: pagesOf(length) + 1, source: object.source },
    () => holder.vmo.readSync(offset, new Uint8Array(length)),
    (bytes) =>
      checkBytes(bytes, object.content().subarray(start + offset, start + offset + length), 'what is read'),
  );
};

export const takePage = (bench: ObjectBench, step: ObjectStep, holder: Holder): string => {
  const { vmo, object, start } = holder;
  const { offset } = rangeOf(step, holder.sizeBytes, bench.breadth);
  const access = step.value % 2 === 0 ? 'read' : 'write';
  const first = Math.floor((start + offset) / PAGE_SIZE) * PAGE_SIZE;
  const expected = { refused: bench.refuse(holder, [access], offset, 1), frames: 3, source: object.source };
  const call = (): Uint8Array => {
    const page = vmo.page(offset, access);
    if (page === undefined) return new Uint8Array(PAGE_SIZE);
    const { address } = page;
    page.close();
    return bench.objects.memory.bytes.slice(address, address + PAGE_SIZE);
  };
  const check = (bytes: Uint8Array): void => {
    const length = Math.min(PAGE_SIZE, object.sizeBytes - first);
    checkBytes(bytes.subarray(0, length), object.page(first / PAGE_SIZE).subarray(0, length), 'a page');
  };
  if (access === 'read') return bench.run(expected, call, check);
  return dirtying(bench, expected, object, first, 1, call, (bytes) => {
    check(bytes);
    object.touch(first, 1);
  });
};

/** Runs what makes pages dirty: the pager must have heard of it before. */
export const dirtying = <T>(
  bench: ObjectBench,
  expected: Expected,
  object: EagerObject,
  start: number,
  length: number,
  call: () => T,
  apply: (result: T) => void,
): string => {
  return bench.run(expected, call, (result) => {
    const scripted = bench.pagers.get(object);
    if (scripted?.shape.update === true && !bench.detached.has(object)) {
      for (const page of object.newlyDirty(start, length)) {
        if (!scripted.updated.has(page))
          throw new Error(`page ${page} is written, and its pager was not asked`);
      }
    }
    apply(result);
  });
};

export const resizeObject = (bench: ObjectBench, step: ObjectStep, holder: Holder): string => {
  const { object } = holder;
  const sizeBytes = sizeOf(step, bench.breadth);
  const [first, last] = [pagesOf(sizeBytes), object.sizePages];
  const refused = (): string | undefined => {
    if (!holder.rights.has('write')) return 'EACCES';
    if (!object.resizable) return 'ENOTSUP';
    const isPinned = [...object.pins].some((span) => span.first < last && first < span.end);
    return sizeBytes < object.sizeBytes && isPinned ? 'EBUSY' : undefined;
  };
  const real = bench.holders.real(object);
  const cut = spanOf(sizeBytes, Math.max(object.sizeBytes - sizeBytes, 0));
  const isWanted = object.copies.size > 0 && cut.some((page) => !real.isCommitted(page));
  return bench.run(
    { refused: refused(), perhaps: [isWanted && 'EBUSY'], frames: 3, source: object.source },
    () => holder.vmo.resizeSync(sizeBytes),
    () => {
      object.resize(sizeBytes);
      const scripted = bench.pagers.get(object);
      if (scripted !== undefined) scripted.lowestBytes = Math.min(scripted.lowestBytes, sizeBytes);
    },
  );
};

export const openView = (bench: ObjectBench, step: ObjectStep, holder: Holder): string => {
  if (bench.holders.views.length >= MAX_VIEWS) return runOnView(bench, { ...step, operation: 'closeView' });
  const { object } = holder;
  const { offset, length } = rangeOf(step, holder.sizeBytes, bench.breadth);
  const start = holder.start + offset;
  return dirtying(
    bench,
    {
      refused: bench.refuse(holder, ['read', 'write'], offset, length),
      frames: pagesOf(length) + 1,
      source: object.source,
    },
    object,
    start,
    length,
    () => holder.vmo.viewSync({ offset, length }),
    (view) => {
      object.touch(start, length);
      const pages = spanOf(start, length);
      const pinned = { first: pages[0] ?? 0, end: (pages.at(-1) ?? -1) + 1 };
      bench.holders.addView({ view, object, zero: holder.start, pinned });
      checkPieces(view, object.bytes.subarray(holder.start), offset, length);
    },
  );
};

export const runOnView = (bench: ObjectBench, step: ObjectStep): string => {
  const { views } = bench.holders;
  const open = views[step.which % Math.max(views.length, 1)];
  if (open === undefined) return 'no view';
  if (step.operation === 'closeView') return closeView(bench, open);
  const { pieces } = open.view;
  const piece = pieces[step.page % Math.max(pieces.length, 1)];
  if (piece === undefined) return 'nothing in view';
  const index = (step.pages * PAGE_SIZE + step.byte) % piece.bytes.length;
  const at = open.zero + piece.offset + index;
  if (open.object.isPaged && at >= open.object.sizeBytes) return 'cut off';
  piece.bytes[index] = step.value;
  open.object.poke(at, step.value);
  return 'done';
};

export const closeView = (bench: ObjectBench, open: OpenView): string => {
  return bench.run(
    { refused: undefined },
    () => open.view.close(),
    () => bench.holders.dropView(open),
  );
};

const ignore = (): void => {};

/** A view's pieces must be in order, without gaps, and hold what the object does. */
const checkPieces = ({ pieces }: PageView, bytes: Uint8Array, offset: number, length: number): void => {
  let at = offset;
  for (const piece of pieces) {
    same(piece.offset, at, 'where a piece of a view begins');
    checkBytes(piece.bytes, bytes.subarray(at, at + piece.bytes.length), 'a piece of a view');
    at += piece.bytes.length;
  }
  same(at, offset + length, 'where a view ends');
};
