import { test, expect } from 'vitest';
import { HolsteinError, PAGE_SIZE, vpn } from '../../src/frame/index.js';
import type { AddressSpace } from '../../src/space/index.js';
import type { Vmo } from '../../src/vmo/index.js';
import { World } from '../model/world.js';
import { TestPager } from '../vmo/paged.js';
import { at, bytesOf, warm } from './mapped.js';

const rng = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};
const SEEDS = Number(process.env.SEEDS ?? 150);
const FIRST = Number(process.env.FIRST ?? 1);
test('stress', () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const random = rng(seed);
    const int = (n: number) => Math.floor(random() * n);
    const pick = <T>(list: readonly T[]): T => list[int(list.length)]!;
    const world = new World((4 + int(4)) * 64 * 1024);
    const { virtualMemory } = world;
    const spaces: AddressSpace[] = [virtualMemory.createSpace()];
    const vmos: Vmo<'dup' | 'read' | 'write'>[] = [];
    const trace: string[] = [];
    let depth = 0;
    const PAGES = 12;
    const place = () => pick([0, 1, 4, 8, 505, 510, 515]) + int(4);
    const steps: Record<string, () => void> = {
      object: () => {
        if (vmos.length > 5) return;
        const paged = random() < 0.7;
        const pager = new TestPager(bytesOf(PAGES));
        for (const call of ['commit', 'update', 'writeBack', 'decommit', 'close'] as const)
          pager.during[call] = () => {
            if (random() < 0.25) act(`in ${call}: `);
          };
        vmos.push(
          virtualMemory.objects.create({
            size: bytesOf(PAGES),
            resizable: random() < 0.7,
            ...(paged ? { pager } : {}),
          }),
        );
      },
      map: () => {
        const vmo = random() < 0.7 && vmos.length > 0 ? pick(vmos) : undefined;
        pick(spaces).map({
          ...(random() < 0.9 ? { at: at(place()), overlap: pick(['refuse', 'replace'] as const) } : {}),
          lengthBytes: bytesOf(1 + int(6)),
          protection: pick(['rw-', 'rw-', 'r--', '---'] as const),
          sharing: pick(['private', 'shared'] as const),
          ...(vmo === undefined ? {} : { vmo, offsetBytes: bytesOf(int(6)) }),
          onFork: pick(['inherit', 'inherit', 'omit'] as const),
          eviction: pick(['allowed', 'allowed', 'refused'] as const),
        });
      },
      unmap: () => pick(spaces).unmap(at(place()), bytesOf(1 + int(6))),
      protect: () =>
        pick(spaces).protect(at(place()), bytesOf(1 + int(4)), pick(['rw-', 'r--', '---'] as const)),
      remap: () =>
        pick(spaces).remap({
          at: at(place()),
          lengthBytes: bytesOf(1 + int(4)),
          newLengthBytes: bytesOf(1 + int(5)),
          ...(random() < 0.6
            ? { to: at(place()), overlap: pick(['refuse', 'replace'] as const) }
            : { to: 'anywhere' as const }),
        }),
      read: () => {
        for (let i = 0; i < 4; i++) pick(spaces).handleFault(vpn(place()), 'read');
      },
      write: () => {
        for (let i = 0; i < 4; i++) pick(spaces).handleFault(vpn(place()), 'write');
      },
      fork: () => {
        if (spaces.length < 6)
          spaces.push(pick(spaces).fork(pick(['tables', 'tables', 'pages', 'eager'] as const)));
      },
      close: () => {
        if (spaces.length > 1) spaces.splice(int(spaces.length), 1)[0]!.close();
      },
      dontNeed: () => pick(spaces).dontNeed(at(place()), bytesOf(1 + int(4))),
      commit: () => pick(spaces).commit(at(place()), bytesOf(1 + int(4))),
      prefault: () =>
        void pick(spaces).prefault(at(place()), bytesOf(1 + int(4)), pick(['read', 'write'] as const)),
      resize: () => {
        if (vmos.length) pick(vmos).resizeSync(int(bytesOf(PAGES)));
      },
      vread: () => {
        if (vmos.length) pick(vmos).readSync(bytesOf(int(PAGES)), new Uint8Array(10));
      },
      vwrite: () => {
        if (vmos.length) pick(vmos).writeSync(bytesOf(int(PAGES)), new Uint8Array(10).fill(1 + int(200)));
      },
      decommit: () => {
        if (vmos.length) pick(vmos).decommit({ offset: bytesOf(int(4)), length: bytesOf(1 + int(4)) });
      },
      zero: () => {
        if (vmos.length) pick(vmos).zeroSync({ offset: int(bytesOf(4)), length: int(bytesOf(4)) });
      },
      sync: () => {
        if (vmos.length) pick(vmos).syncSync();
      },
      child: () => {
        if (vmos.length && vmos.length < 8)
          vmos.push(
            pick(vmos).createChild({
              kind: pick(['snapshot', 'snapshot-at-least-on-write', 'slice', 'reference'] as const),
            }) as never,
          );
      },
      vclose: () => {
        if (vmos.length > 1) vmos.splice(int(vmos.length), 1)[0]!.close({ unwritten: 'discard' });
      },
      revoke: () => {
        if (vmos.length > 1 && random() < 0.3)
          vmos.splice(int(vmos.length), 1)[0]!.revoke({ unwritten: 'discard' });
      },
      pin: () => {
        if (random() < 0.3) {
          using _ = pick(spaces).pin(at(place()), bytesOf(1 + int(3)));
          act('pinned: ');
        }
      },
      warm: () => warm(spaces),
      warm2: () => warm(spaces.toReversed()),
      fill: () => {
        world.fill(int(10));
      },
      drain: () => {
        world.drain();
      },
    };
    const names = Object.keys(steps);
    const act = (prefix = '') => {
      if (depth > 3) return;
      const name = pick(names);
      trace.push(prefix + name);
      depth++;
      try {
        steps[name]!();
      } catch (error) {
        if (!(error instanceof HolsteinError))
          throw new Error(`seed ${seed}: ${trace.slice(-12).join(', ')}: ${(error as Error).stack}`);
        if (['FrameReferenceError'].includes(error.name) || error.code === 'EOVERFLOW')
          throw new Error(`seed ${seed}: ${trace.slice(-12).join(', ')}: ${error.stack}`);
      } finally {
        depth--;
      }
      if (depth === 0 || prefix.startsWith('in close') === false) {
        if (depth === 0) {
          const problems = virtualMemory.audit(world.held);
          if (problems.length > 0)
            throw new Error(`seed ${seed} after ${trace.slice(-12).join(', ')}:\n${problems.join('\n')}`);
        }
      }
    };
    try {
      for (let step = 0; step < 150; step++) act();
      world.drain();
      depth = 1; virtualMemory.close({ unwritten: 'discard' }); depth = 0; world.drain(); for (const s of spaces) s.close();
      const left = world.memory.audit();
      if (left.length) throw new Error(`seed ${seed}: end audit ${left.join('\n')}`);
      if (world.memory.freeFrames !== world.memory.totalFrames - world.memory.firstAllocatable)
        throw new Error(
          `seed ${seed}: leaked ${world.memory.totalFrames - world.memory.firstAllocatable - world.memory.freeFrames}; ${trace.slice(-20).join(', ')}`,
        );
    } catch (error) {
      console.log((error as Error).message.slice(0, 2500));
      if (process.env.ALL === undefined) throw new Error('stop');
    }
  }
  expect(PAGE_SIZE).toBe(4096);
}, 300000);
