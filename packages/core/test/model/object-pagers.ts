/** Operations that a pager takes part in, on a memory object and the oracle's at once. */
import { PAGE_SIZE } from '../../src/frame/index.js';
import { pagesOf, spanOf } from './eager-objects.js';
import type { ObjectBench } from './object-bench.js';
import { same } from './object-checks.js';
import type { Holder } from './object-holders.js';
import { type ObjectStep, rangeOf, wholePages } from './object-steps.js';
import type { ScriptedPager } from './scripted-pager.js';

export const runOnPager = (bench: ObjectBench, step: ObjectStep, holder: Holder): string => {
  const { object } = holder;
  const scripted = bench.pagers.get(object.source!);
  switch (step.operation) {
    case 'failPager':
      if (scripted === undefined) return 'no pager';
      scripted.failAfter = step.value % 4;
      return 'scripted';
    case 'detach':
      if (step.value > 40) return 'not tried';
      return bench.run(
        { refused: holder.rights.has('write') ? (object.isPaged ? undefined : 'ENOTSUP') : 'EACCES' },
        () => holder.vmo.detachPager(),
        () => void bench.detached.add(object),
      );
    case 'supply':
      return supplyPages(bench, step, holder, scripted);
    default:
      return syncPages(bench, step, holder, scripted);
  }
};

const supplyPages = (
  bench: ObjectBench,
  step: ObjectStep,
  holder: Holder,
  scripted: ScriptedPager | undefined,
): string => {
  const { vmo, object } = holder;
  const range = rangeOf(step, holder.sizeBytes, bench.breadth);
  const { offset, length } = wholePages(range, step, object.sizeBytes - holder.start);
  const start = holder.start + offset;
  const end = start + length;
  const refused = (): string | undefined => {
    const lacking = bench.refuse(holder, ['write'], offset, length);
    if (lacking !== undefined) return lacking;
    if (start % PAGE_SIZE !== 0 || (end % PAGE_SIZE !== 0 && end !== object.sizeBytes)) return 'EINVAL';
    if (!object.isPaged) return 'ENOTSUP';
    return bench.detached.has(object) ? 'EIO' : undefined;
  };
  const bytes = scripted?.read({ offset: start, length }) ?? new Uint8Array(length);
  const expected = { refused: refused(), frames: pagesOf(length) + 1 };
  if (expected.refused === undefined) {
    for (const page of spanOf(start, length)) if (page * PAGE_SIZE < object.limitBytes) object.held.add(page);
  }
  return bench.run(expected, () => vmo.supply(offset, bytes), ignore);
};

const syncPages = (
  bench: ObjectBench,
  step: ObjectStep,
  holder: Holder,
  scripted: ScriptedPager | undefined,
): string => {
  const { vmo, object } = holder;
  const { offset, length } = rangeOf(step, holder.sizeBytes, bench.breadth);
  const pages = spanOf(holder.start + offset, length);
  const isStuck = object.isPaged && !bench.isWritable(object);
  const isAny = (set: ReadonlySet<number>): boolean => pages.some((page) => set.has(page));
  const refused =
    bench.refuse(holder, ['write'], offset, length) ??
    (isStuck && isAny(object.dirty) ? 'ENOTSUP' : undefined);
  const perhaps = [isStuck && isAny(object.maybeDirty) && 'ENOTSUP'];
  const result = bench.run(
    { refused, perhaps, source: object.source },
    () => vmo.syncSync({ offset, length }),
    () => {
      if (!object.isPaged || isStuck) return;
      object.clean(pages);
      for (const page of pages) if (!object.isPinned(page)) scripted!.updated.delete(page);
      const end = Math.min(holder.start + offset + length, scripted!.lowestBytes, object.sizeBytes);
      for (let at = holder.start + offset; at < end; at++) {
        if (object.bytes[at] !== scripted!.bytes[at])
          same(scripted!.bytes[at], object.bytes[at], `byte ${at} of the pager`);
      }
      if (scripted!.shape.resize) same(scripted!.bytes.length, object.sizeBytes, 'bytes that the pager has');
    },
  );
  if (result === 'EIO') {
    // Some of them have been written back, perhaps.
    object.cleanPerhaps(pages);
  }
  return result;
};

const ignore = (): void => {};
