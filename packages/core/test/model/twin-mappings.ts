/** Operations on mappings, in every world and on the oracle's at once. */
import { PAGE_SIZE, virtAddr } from '../../src/frame/index.js';
import { MAX_PAGES } from '../../src/paging/index.js';
import { allows, type EagerMapping, type EagerRemap, most, type Overlap } from './eager-space.js';
import { same, type TwinBench, type TwinSpace, type TwinVmo } from './twin-bench.js';
import { PAGES, type Step } from './twin-steps.js';

/** A space that has so many pages gets no more. */
const MOST_PAGES = 36;

/** Where something is to be mapped, and what becomes of what is there. */
interface Place {
  readonly where: 'at' | 'near' | 'anywhere';
  readonly page: number;
  readonly overlap: Overlap;
}

/** Maps zeros, private ones or such that forks share. */
export const mapZeros = (bench: TwinBench, space: TwinSpace, page: number, step: Step): string => {
  const { lengthPages, protection, sharing, ceiling, onFork, where, overlap, kind } = step;
  const isPlain = kind % 2 === 0;
  const mapping: EagerMapping = isPlain
    ? { lengthPages, protection, sharing: 'private', onFork: 'inherit' }
    : { lengthPages, protection, sharing, ceiling, onFork };
  const place: Place = isPlain ? { where: 'at', page, overlap: 'refuse' } : { where, page, overlap };
  return mapAs(bench, space, place, mapping, undefined);
};

export const mapObject = (
  bench: TwinBench,
  space: TwinSpace,
  page: number,
  vmo: TwinVmo,
  step: Step,
): string => {
  const { lengthPages, sharing, onFork, where, overlap, objectPage, kind } = step;
  const { model } = vmo;
  // Most of them possible, and within the object.
  const isUsual = kind % 4 > 0;
  const possible = most({ capability: model, sharing });
  const protection = isUsual && !allows(possible, step.protection) ? 'r--' : step.protection;
  const isTooLow = step.ceiling !== undefined && !allows(step.ceiling, protection);
  const ceiling = isUsual && isTooLow ? undefined : step.ceiling;
  return mapAs(
    bench,
    space,
    { where, page, overlap },
    {
      lengthPages,
      protection,
      sharing,
      ceiling,
      onFork: isUsual && onFork === 'wipe' ? 'inherit' : onFork,
      capability: model,
      objectPage: isUsual ? objectPage % Math.max(model.sizePages, 1) : objectPage,
    },
    vmo,
  );
};

const mapAs = (
  bench: TwinBench,
  space: TwinSpace,
  { where, page, overlap }: Place,
  mapping: EagerMapping,
  vmo: TwinVmo | undefined,
): string => {
  const { model } = space;
  const { lengthPages, protection, sharing, ceiling, onFork, objectPage = 0 } = mapping;
  if (model.pages.size + lengthPages > MOST_PAGES) return unmapRange(bench, space, page, lengthPages);
  const placed: number[] = [];
  const call = (world: number): void => {
    placed[world] = space.reals[world]!.map({
      ...(where === 'anywhere' ? {} : { [where]: virtAddr(page * PAGE_SIZE) }),
      lengthBytes: lengthPages * PAGE_SIZE,
      protection,
      sharing,
      onFork,
      ...(vmo === undefined ? {} : { vmo: vmo.reals[world]!, offsetBytes: objectPage * PAGE_SIZE }),
      ...(ceiling === undefined ? {} : { ceiling }),
      ...(where === 'at' && overlap === 'replace' ? { overlap } : {}),
    });
  };
  const isBeyond = where === 'near' && page + lengthPages > MAX_PAGES;
  const refusals = model.refuseMap(where === 'at' ? page : undefined, mapping, overlap);
  return bench.run(isBeyond ? [...refusals, 'EINVAL'] : refusals, call, () => {
    const start = samePlace(placed);
    checkPlace(space, start, lengthPages, { where, page, overlap });
    bench.note(`mapped ${start === page ? 'there' : 'elsewhere'}: ${where}`);
    if (where === 'at' && !model.isFree(page, lengthPages)) bench.note('mapped over others');
    if (vmo !== undefined) bench.note(`mapped an object, ${sharing}`);
    model.unmap(start, lengthPages);
    model.map(start, mapping);
  });
};

/** Pages that grant nothing, and never will. */
export const guard = (bench: TwinBench, space: TwinSpace, page: number, step: Step): string => {
  const { lengthPages, overlap } = step;
  const { model } = space;
  const mapping: EagerMapping = {
    lengthPages,
    protection: '---',
    ceiling: '---',
    sharing: 'private',
    onFork: 'inherit',
  };
  const options = { at: virtAddr(page * PAGE_SIZE), lengthBytes: lengthPages * PAGE_SIZE };
  return bench.run(
    model.refuseMap(page, mapping, overlap),
    (world) => {
      const start = space.reals[world]!.guard(overlap === 'replace' ? { ...options, overlap } : options);
      same(start, options.at, 'where a guard is');
    },
    () => {
      model.unmap(page, lengthPages);
      model.map(page, mapping);
    },
  );
};

export const unmapRange = (
  bench: TwinBench,
  { reals, model }: TwinSpace,
  start: number,
  length: number,
): string =>
  bench.run(
    model.refuseUnmap(start, length),
    (world) => reals[world]!.unmap(virtAddr(start * PAGE_SIZE), length * PAGE_SIZE),
    () => model.unmap(start, length),
  );

/** What a range that is mapped is changed by. */
export const changeRange = (
  bench: TwinBench,
  { reals, model }: TwinSpace,
  start: number,
  { operation, lengthPages, protection, onFork }: Step,
): string => {
  const at = virtAddr(start * PAGE_SIZE);
  const lengthBytes = lengthPages * PAGE_SIZE;
  switch (operation) {
    case 'protect':
      return bench.run(
        model.refuseProtect(start, lengthPages, protection),
        (world) => reals[world]!.protect(at, lengthBytes, protection),
        () => model.protect(start, lengthPages, protection),
      );
    case 'commit':
      return bench.run(
        model.refuseCommit(start, lengthPages),
        (world) => reals[world]!.commit(at, lengthBytes),
        () => model.commit(start, lengthPages),
      );
    case 'dontNeed':
      return bench.run(
        model.refuseUse(start, lengthPages),
        (world) => reals[world]!.dontNeed(at, lengthBytes),
        () => bench.note('own copies not needed', model.dontNeed(start, lengthPages)),
      );
    default:
      return bench.run(
        model.refuseOnFork(start, lengthPages, onFork),
        (world) => reals[world]!.onFork(at, lengthBytes, onFork),
        () => model.onFork(start, lengthPages, onFork),
      );
  }
};

export const remap = (bench: TwinBench, space: TwinSpace, start: number, step: Step): string => {
  const { lengthPages, otherPages, where, target, overlap, kind } = step;
  const { reals, model } = space;
  const newLengthPages = kind % 4 === 0 ? lengthPages : Math.max(otherPages % 6, 1);
  if (model.pages.size + newLengthPages > MOST_PAGES) return unmapRange(bench, space, start, lengthPages);
  const to = where === 'at' ? PAGES[target]! : where === 'near' ? undefined : where;
  const isMoved = typeof to === 'number';
  const plan: EagerRemap = { start, lengthPages, newLengthPages, to, overlap };
  const placed: number[] = [];
  return bench.run(
    model.refuseRemap(plan),
    (world) => {
      placed[world] = reals[world]!.remap({
        at: virtAddr(start * PAGE_SIZE),
        lengthBytes: lengthPages * PAGE_SIZE,
        ...(kind % 4 === 0 ? {} : { newLengthBytes: newLengthPages * PAGE_SIZE }),
        ...(to === undefined ? {} : { to: isMoved ? virtAddr(to * PAGE_SIZE) : to }),
        ...(isMoved && overlap === 'replace' ? { overlap } : {}),
      });
    },
    () => {
      const at = samePlace(placed);
      const wanted = isMoved ? to : staysInPlace(space, plan) ? start : undefined;
      if (wanted === undefined)
        checkPlace(space, at, newLengthPages, { where: 'anywhere', page: 0, overlap });
      else same(at, wanted, 'where a range is moved to');
      const change = Math.sign(newLengthPages - lengthPages) + 1;
      const how = `${at === start ? 'in place' : 'moved'}, ${['cut', 'as long', 'grown'][change]}`;
      bench.note(`remapped ${how}`);
      if (at !== start && model.pages.get(start)!.own !== undefined) bench.note('moved an own page');
      model.remap(plan, at);
    },
  );
};

const staysInPlace = ({ model }: TwinSpace, { start, lengthPages, newLengthPages }: EagerRemap): boolean =>
  newLengthPages <= lengthPages ||
  (start + newLengthPages <= MAX_PAGES && model.isFree(start + lengthPages, newLengthPages - lengthPages));

/** The page where every world has put something. */
const samePlace = (placed: readonly number[]): number => {
  for (const address of placed) same(address, placed[0], 'where it is put');
  return placed[0]! / PAGE_SIZE;
};

/** What is left to the space must be free, and within the user half. */
const checkPlace = ({ model }: TwinSpace, start: number, length: number, place: Place): void => {
  const isThere = place.page + length <= MAX_PAGES && model.isFree(place.page, length);
  if (place.where === 'at' || (place.where === 'near' && isThere)) {
    same(start, place.page, 'where it is mapped');
    return;
  }
  same(
    Number.isInteger(start) && start >= 0 && start + length <= MAX_PAGES,
    true,
    `that ${start} is possible`,
  );
  same(model.isFree(start, length), true, `that there is room at page ${start}`);
};
