/** The walk that is written out for the usual tables answers, and changes, what the plain one does, whatever bits lie in RAM. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FrameNumber, frameNumber, PhysicalMemory, Usage, vpn } from '../../src/frame/index.js';
import { type Access, makePte, PTE_FLAGS, PTE_TABLE_SHARED, PTE_V } from '../../src/paging/index.js';
import { plainWalk, walk } from '../../src/paging/sv39-walk.js';

const RAM_BYTES = 2 ** 20;
const accesses = fc.constantFrom<Access>('read', 'write', 'execute');
const updates = fc.constantFrom('hardware', 'fault', 'none');
/** Of a table: mostly what leads on, now and then any bits. */
const pointerFlags = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(PTE_V, PTE_V | PTE_TABLE_SHARED) },
  fc.nat(PTE_FLAGS),
);
const high = fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const indices = fc.tuple(fc.constantFrom(0, 1, 255, 256, 511), fc.nat(511), fc.nat(511));

test('walk and plainWalk agree', () => {
  const memory = new PhysicalMemory({ sizeBytes: RAM_BYTES });
  const frames = [0, 1, 2, 3].map(() => memory.allocate(Usage.Frame, { content: 'zeros' }));
  const [root, middle, leaf, data] = frames as [FrameNumber, FrameNumber, FrameNumber, FrameNumber];
  const targets = fc.oneof(
    { weight: 8, arbitrary: fc.constant<'next'>('next') },
    fc.nat(2 ** 20 - 1).map(frameNumber),
  );
  const entry = (flags: fc.Arbitrary<number>) => fc.record({ flags, high, target: targets });
  const any = fc.nat(PTE_FLAGS);
  fc.assert(
    fc.property(
      indices,
      entry(pointerFlags),
      entry(pointerFlags),
      entry(any),
      accesses,
      updates,
      (index, top, second, last, access, mode) => {
        const places = [root, middle, leaf].map((table, level) => (table * 4096) / 4 + index[level]! * 2);
        const entries = [top, second, last].map(({ flags, target, ...words }, level) => {
          const frame = target === 'next' ? [middle, leaf, data][level]! : target;
          return [makePte(frame, flags) >>> 0, words.high] as const;
        });
        const page = vpn(index[0] * 2 ** 18 + index[1] * 512 + index[2]);
        const answers = [walk, plainWalk].map((each) => {
          for (const [level, place] of places.entries()) memory.words.set(entries[level]!, place);
          const answer = each(memory, root, page, access, mode);
          return [answer, ...places.flatMap((place) => [...memory.words.subarray(place, place + 2)])];
        });
        for (const place of places) memory.words.fill(0, place, place + 2);
        expect(answers[0]).toEqual(answers[1]);
      },
    ),
    { numRuns: 5000 },
  );
  for (const frame of frames) memory.release(frame);
});
