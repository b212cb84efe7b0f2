import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  DynPage,
  FrameMeta,
  type FrameNumber,
  frameNumber,
  FrameReferenceError,
  frameStart,
  hex,
  Page,
  PAGE_SIZE,
  type PhysAddr,
  Segment,
  UniquePage,
  Usage,
} from '../../src/frame/index.js';
import { expectRefusal, joinedBlocks, makeMemory, stateOf } from './state.js';

describe('poison', () => {
  const POISON = 0x5a;

  test('fills a freed frame, whoever had it, and is gone from it when it is zeroed', () => {
    const memory = makeMemory({ checking: 'on' });
    const frame = memory.allocate(Usage.Frame);
    memory.zero(frame);
    memory.release(frame);
    const start = frameStart(frame);
    expect(memory.bytes.subarray(start, start + PAGE_SIZE).every((byte) => byte === POISON)).toBe(true);
    using page = Page.fromUnused(memory, start, FrameMeta);
    memory.zero(page.frame);
    expect(memory.bytes[start]).toBe(0);
  });

  test('comes after the destructor, which still sees the content', () => {
    const memory = makeMemory({ checking: 'on' });
    let seen = -1;
    memory.setDestructor(Usage.Frame, (frame) => (seen = memory.bytes[frameStart(frame)]!));
    const unique = UniquePage.allocate(memory, FrameMeta);
    unique.bytes.fill(3);
    unique.close();
    expect(seen).toBe(3);
  });

  test('is not there where checking is off', () => {
    const memory = makeMemory();
    const frame = memory.allocate(Usage.Frame);
    memory.release(frame);
    expect(memory.bytes[frameStart(frame)]).toBe(0);
    memory.bytes[frameStart(frame)] = 1;
    expect(memory.allocate(Usage.Frame)).toBe(frame);
  });

  test.each([0, 1, 5, 2048, PAGE_SIZE - 1])(
    'a write of byte %d after the free is found at reuse',
    (offset) => {
      const memory = makeMemory({ checking: 'on' });
      const frame = memory.allocate(Usage.Frame);
      memory.release(frame);
      memory.bytes[frameStart(frame) + offset] = 0;
      const word = offset - (offset % 4);
      const message = `frame ${hex(frame)} was written at byte ${hex(word)} after it was freed`;
      const before = memory.freeFrames;
      expectRefusal(memory, () => memory.allocate(Usage.Frame), 'EINVAL', message);
      expect(memory.freeFrames).toBe(before);
      // It is said once. The frame is as good as another.
      const again = Array.from({ length: before }, () => memory.allocate(Usage.Frame));
      expect(again).toContain(frame);
      expect(memory.freeFrames).toBe(0);
      expect(memory.audit()).toEqual([]);
    },
  );

  const takes: Record<string, (memory: ReturnType<typeof makeMemory>, frame: FrameNumber) => unknown> = {
    'a single frame': (memory) => memory.allocate(Usage.PageTable),
    'a chosen frame': (memory, frame) => Page.fromUnused(memory, frameStart(frame), FrameMeta),
    'a unique page': (memory) => UniquePage.allocate(memory, FrameMeta),
    'a row that begins before it': (memory, frame) =>
      Segment.allocate(memory, FrameMeta, { frames: 4, at: frameNumber(frame - 2) }),
    'a row filled with zeros': (memory, frame) =>
      memory.allocateRange({ frames: 8, usage: Usage.Frame, at: frame, content: 'zeros' }),
  };

  test.each(Object.entries(takes))('%s finds it, and nothing is lost', (_, takeIt) => {
    const memory = makeMemory({ checking: 'on' });
    const whole = joinedBlocks(memory);
    const frame = frameNumber(20);
    Page.fromUnused(memory, frameStart(frame), FrameMeta).close();
    memory.words[frameStart(frame) / 4 + 3] = 0xdead;
    expectRefusal(memory, () => takeIt(memory, frame), 'EINVAL', 'frame 0x14 was written at byte 0xc');
    expect(joinedBlocks(memory)).toEqual(whole);
    takeIt(memory, frame);
    expect(memory.audit()).toEqual([]);
  });

  test('of each frame of a row is checked: each that was written is a report', () => {
    const memory = makeMemory({ checking: 'on' });
    const at = frameNumber(32);
    const row = { frames: 8, at };
    Segment.allocate(memory, FrameMeta, row).close();
    memory.bytes[frameStart(frameNumber(34))] = 0;
    memory.bytes[frameStart(frameNumber(37)) + 8] = 0;
    const allocate = () => Segment.allocate(memory, FrameMeta, row);
    expectRefusal(memory, allocate, 'EINVAL', 'frame 0x22 was written at byte 0x0');
    // Those that were found good are poisoned still.
    memory.bytes[frameStart(frameNumber(33)) + 4] = 0;
    expectRefusal(memory, allocate, 'EINVAL', 'frame 0x21 was written at byte 0x4');
    expectRefusal(memory, allocate, 'EINVAL', 'frame 0x25 was written at byte 0x8');
    allocate().close();
    expect(memory.audit()).toEqual([]);
  });

  test('stays with a frame through splitting and joining of the blocks around it', () => {
    const memory = makeMemory({ checking: 'on' });
    const all: FrameNumber[] = [];
    while (memory.freeFrames > 0) all.push(memory.allocate(Usage.Frame));
    for (const frame of all) memory.release(frame);
    joinedBlocks(memory);
    for (const frame of all) {
      memory.bytes[frameStart(frame) + 100] = 1;
      const allocate = () => memory.allocateRange({ frames: 1, usage: Usage.Frame, at: frame });
      expect(allocate).toThrow(`frame ${hex(frame)} was written at byte 0x64`);
    }
    expect(memory.audit()).toEqual([]);
  });
});

describe('a release by number', () => {
  test('that would take a handle’s reference is refused, and the handle goes on', () => {
    const memory = makeMemory({ checking: 'on' });
    using page = Page.allocate(memory, FrameMeta);
    const release = () => memory.release(page.frame);
    expectRefusal(memory, release, 'EINVAL', 'whose references are all handles');
    memory.retain(page.frame);
    release();
    using _clone = page.clone();
    expectRefusal(memory, release, 'EINVAL', 'whose references are all handles');
  });

  test('that would take a raw reference’s, or a page of a segment, is refused', () => {
    const memory = makeMemory({ checking: 'on' });
    const raw = Page.allocate(memory, FrameMeta).intoRaw();
    expectRefusal(memory, () => memory.release(frameNumber(raw / PAGE_SIZE)), 'EINVAL', 'or raw');
    Page.fromRaw(memory, raw, FrameMeta).close();
    using segment = Segment.allocate(memory, FrameMeta, { frames: 2 });
    const first = frameNumber(segment.address / PAGE_SIZE);
    expectRefusal(memory, () => memory.release(first), 'EINVAL', 'whose references are all handles');
  });

  test.each(['close', 'intoRaw'] as const)(
    'that took a handle’s reference all the same, checking off, is found by %s: no count underflows',
    (way) => {
      const memory = makeMemory();
      const page = Page.allocate(memory, FrameMeta);
      const { frame } = page;
      memory.release(frame);
      expect(memory.audit()).toEqual([expect.stringContaining('has 1 handles and 0 raw references')]);
      expect(memory.allocate(Usage.Frame)).toBe(frame);
      expectRefusal(memory, () => page[way](), 'EINVAL', 'has no open handle');
      expect(memory.count(frame)).toBe(1);
    },
  );
});

describe('the ledger of raw references', () => {
  /** The lines of this file, to be found in a report. */
  const lines = readFileSync(new URL(import.meta.url), 'utf8').split('\n');
  const lineOf = (marker: string): number => lines.findIndex((line) => line.endsWith(`// ${marker}`)) + 1;

  test('is kept in checking mode only', () => {
    expect(makeMemory().ledger).toBeUndefined();
    expect(makeMemory({ checking: 'on' }).ledger?.report()).toEqual([]);
  });

  test('names the line of whoever made a reference that was never restored', () => {
    const memory = makeMemory({ checking: 'on' });
    const page = Page.allocate(memory, FrameMeta);
    const { frame } = page;
    const dyn = page.clone().intoDyn();
    const raw = page.clone().intoRaw();
    const other = UniquePage.allocate(memory, FrameMeta);
    const otherFrame = other.frame;
    page.intoRaw(); // of a Page
    dyn.intoRaw(); // of a DynPage
    other.intoRaw(); // of a UniquePage
    const report = memory.ledger!.report();
    expect(report).toHaveLength(4);
    for (const [marker, of] of [
      ['of a Page', frame],
      ['of a DynPage', frame],
      ['of a UniquePage', otherFrame],
    ] as const) {
      const place = `checking.test.ts:${lineOf(marker)}:`;
      const said = report.filter((line) => line.includes(place));
      expect(said, `${place} in\n${report.join('\n')}`).toHaveLength(1);
      expect(said[0]).toContain(`frame ${hex(of)} has a raw reference made`);
    }
    expect(raw).toBe(frameStart(frame));
  });

  test('says which places may have made a reference, where one of them came back', () => {
    const memory = makeMemory({ checking: 'on' });
    const page = Page.allocate(memory, FrameMeta);
    const raw = page.clone().intoRaw(); // one that comes back
    page.clone().intoRaw(); // one that is lost
    page.intoRaw(); // one more that is lost
    expect(memory.ledger!.report()).toHaveLength(3);
    Page.fromRaw(memory, raw, FrameMeta).close();
    const report = memory.ledger!.report();
    expect(report).toHaveLength(2);
    for (const line of report) {
      expect(line).toMatch(/has a raw reference made at one of: /);
      for (const marker of ['one that comes back', 'one that is lost', 'one more that is lost']) {
        expect(line).toContain(`checking.test.ts:${lineOf(marker)}:`);
      }
    }
  });

  test('names one place once, however often it made and lost references', () => {
    const memory = makeMemory({ checking: 'on' });
    const page = Page.allocate(memory, FrameMeta);
    const make = (): PhysAddr => page.clone().intoRaw(); // the only place
    const raws = [1, 2, 3].map(() => make());
    for (const raw of raws.slice(1)) Page.fromRaw(memory, raw, FrameMeta).close();
    expect(memory.ledger!.report()).toEqual([
      expect.stringMatching(
        new RegExp(`made at make .*checking.test.ts:${lineOf('the only place')}:\\d+\\)$`),
      ),
    ]);
  });

  test('strikes a reference out when it is restored, one for one', () => {
    const memory = makeMemory({ checking: 'on' });
    const page = Page.allocate(memory, FrameMeta);
    const raws: PhysAddr[] = [page.clone().intoRaw(), page.clone().intoRaw(), page.intoRaw()];
    for (const [index, raw] of raws.entries()) {
      expect([...memory.ledger!.outstanding()]).toHaveLength(3 - index);
      (index === 1 ? DynPage.fromRaw(memory, raw) : Page.fromRaw(memory, raw, FrameMeta)).close();
    }
    expect(memory.ledger!.report()).toEqual([]);
    expect(memory.freeFrames).toBe(memory.totalFrames - memory.firstAllocatable);
  });

  test.each(['off', 'on'] as const)('or not, a second restore is refused: checking %s', (checking) => {
    const memory = makeMemory({ checking });
    const raw = Page.allocate(memory, FrameMeta).intoRaw();
    using page = DynPage.fromRaw(memory, raw);
    expectRefusal(memory, () => DynPage.fromRaw(memory, raw), 'EINVAL', 'was it restored already?');
    expectRefusal(memory, () => Page.fromRaw(memory, raw, FrameMeta), 'EINVAL', 'was it restored already?');
    expect(page.referenceCount).toBe(1);
    page.close();
    const before = stateOf(memory);
    expect(() => DynPage.fromRaw(memory, raw)).toThrow(FrameReferenceError);
    // Nor when the frame is somebody else's.
    using other = Page.fromUnused(memory, raw, FrameMeta);
    expectRefusal(memory, () => Page.fromRaw(memory, raw, FrameMeta), 'EINVAL', 'was it restored already?');
    other.close();
    expect(stateOf(memory)).toEqual(before);
  });
});
