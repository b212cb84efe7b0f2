/** The lives of spaces, in every world and of the oracle's at once: create, fork, exit and exec. */
import { PAGE_SIZE, virtAddr } from '../../src/frame/index.js';
import type { AddressSpace, ForkKind, Protection } from '../../src/space/index.js';
import { EagerSpace, type EagerMapping } from './eager-space.js';
import { DONE, type TwinBench, type TwinSpace, type TwinVmo } from './twin-bench.js';
import type { Step } from './twin-steps.js';

const MOST_SPACES = 10;

export const createSpace = (bench: TwinBench, generation = 0): string => {
  if (bench.spaces.length === MOST_SPACES) return 'enough';
  const reals: AddressSpace[] = [];
  return bench.run(
    [],
    (world) => void (reals[world] = bench.worlds[world]!.space()),
    () => bench.spaces.push({ reals, model: new EagerSpace(), generation }),
  );
};

export const forkSpace = (bench: TwinBench, space: TwinSpace, kind: ForkKind, { page }: Step): string => {
  if (bench.spaces.length === MOST_SPACES) {
    const others = bench.spaces.filter((candidate) => candidate !== space);
    closeSpace(bench, others[page % others.length]!);
  }
  const { model, generation } = space;
  const reals: AddressSpace[] = [];
  const result = bench.run(
    [],
    (world) => {
      const forks = bench.forks[world]!;
      reals[world] = space.reals[world]!.fork(forks === 'as the step says' ? kind : forks);
    },
    () => bench.spaces.push({ reals, model: model.fork(), generation: generation + 1 }),
  );
  if (result === DONE && generation > 0) bench.note('fork of a fork');
  if (result === DONE) for (const { onFork } of model.pages.values()) bench.note(`fork of a page: ${onFork}`);
  return result;
};

export const exitSpace = (bench: TwinBench, space: TwinSpace): string => {
  if (bench.spaces.length <= bench.leastSpaces) return 'too few';
  closeSpace(bench, space);
  return DONE;
};

const closeSpace = (bench: TwinBench, space: TwinSpace): void => {
  for (const real of space.reals) real.close();
  bench.spaces.splice(bench.spaces.indexOf(space), 1);
};

/** One part of a program's image, at pages around which a table begins. */
interface Part {
  readonly page: number;
  readonly lengthPages: number;
  readonly protection: Protection;
  /** Of the program, in pages; zeros where undefined. */
  readonly from?: number;
}

const IMAGE: readonly Part[] = [
  { page: 508, lengthPages: 3, protection: 'r-x', from: 0 },
  { page: 511, lengthPages: 2, protection: 'rw-', from: 2 },
  { page: 513, lengthPages: 2, protection: 'rw-' },
  { page: 2 ** 26 - 6, lengthPages: 5, protection: 'rw-' },
];
const GUARD = 2 ** 26 - 7;

/** Puts a fresh image in the place of all that a space has. Where memory runs out the old one stays. */
export const exec = (bench: TwinBench, space: TwinSpace, { which }: Step): string => {
  const programs = bench.vmos.filter(
    ({ model: { isOpen, rights } }) => isOpen && rights.has('read') && rights.has('exec'),
  );
  const program = programs[which % programs.length];
  if (program === undefined) return 'no program';
  const reals: AddressSpace[] = [];
  return bench.run(
    [],
    (world) => {
      const fresh = bench.worlds[world]!.space();
      try {
        load(fresh, program, world);
        // As a kernel that puts arguments on the stack.
        const failure = fresh.prefault(virtAddr((GUARD + 5) * PAGE_SIZE), PAGE_SIZE, 'write');
        if (failure !== undefined) return fail(fresh, failure.kind);
        reals[world] = fresh;
        return DONE;
      } catch (error) {
        fresh.close();
        throw error;
      }
    },
    () => {
      for (const real of space.reals) real.close();
      const model = new EagerSpace();
      for (const part of IMAGE) model.map(part.page, mappingOf(part, program));
      const guard = { lengthPages: 1, protection: '---', ceiling: '---' } as const;
      model.map(GUARD, { ...guard, sharing: 'private', onFork: 'inherit' });
      model.touch(GUARD + 5);
      bench.spaces[bench.spaces.indexOf(space)] = { reals, model, generation: 0 };
    },
  );
};

const fail = (fresh: AddressSpace, why: string): string => {
  fresh.close();
  return why;
};

const load = (fresh: AddressSpace, program: TwinVmo, world: number): void => {
  for (const { page, lengthPages, protection, from } of IMAGE) {
    fresh.map({
      at: virtAddr(page * PAGE_SIZE),
      lengthBytes: lengthPages * PAGE_SIZE,
      protection,
      ...(from === undefined ? {} : { vmo: program.reals[world]!, offsetBytes: from * PAGE_SIZE }),
    });
  }
  fresh.guard({ at: virtAddr(GUARD * PAGE_SIZE), lengthBytes: PAGE_SIZE });
};

const mappingOf = ({ lengthPages, protection, from }: Part, program: TwinVmo): EagerMapping => ({
  lengthPages,
  protection,
  sharing: 'private',
  onFork: 'inherit',
  ...(from === undefined ? {} : { capability: program.model, objectPage: from }),
});
