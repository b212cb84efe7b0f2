import { expect, test } from 'vitest';
import { METADATA_READ_SHARES, METADATA_WRITE_SHARES, Usage, vpn } from '../../src/frame/index.js';
import { readShares, writeShares } from '../../src/paging/index.js';
import { entry, frameAt, mapPages, poke } from '../model/touch.js';
import { makeWorld } from '../model/world.js';

test('a fork counts a write share on both sides, and the break of each takes one away', () => {
  using world = makeWorld();
  const parent = world.space();
  mapPages(parent, 1, 1, 'rw-');
  poke(parent, 1, 7);
  const frame = frameAt(parent, 1);
  const shares = (): number => writeShares(world.memory, frame);
  expect(shares()).toBe(0);
  const child = parent.fork('pages');
  expect(shares()).toBe(2);
  poke(child, 1, 8);
  expect(shares()).toBe(1);
  poke(parent, 1, 9);
  expect([shares(), frameAt(parent, 1)]).toEqual([0, frame]);
});

test('an untouched page of a writable mapping shares the zero frame, one of a read-only mapping does not', () => {
  using world = makeWorld();
  const space = world.space();
  const { zeroFrame } = world.virtualMemory;
  mapPages(space, 1, 1, 'rw-');
  mapPages(space, 2, 1, 'r--');
  for (const page of [1, 2]) space.handleFault(vpn(page), 'read');
  expect([frameAt(space, 1), frameAt(space, 2)]).toEqual([zeroFrame, zeroFrame]);
  expect([writeShares(world.memory, zeroFrame), readShares(world.memory, zeroFrame)]).toEqual([1, 0]);
  space.close();
  expect(writeShares(world.memory, zeroFrame)).toBe(0);
});

test.each([METADATA_READ_SHARES, METADATA_WRITE_SHARES])('the audit recounts the shares (at %i)', (field) => {
  using world = makeWorld();
  const space = world.space();
  mapPages(space, 1, 1, 'rw-');
  poke(space, 1, 7);
  space.fork('pages').close();
  expect(entry(space, 1)).not.toBe(0);
  const word = (world.memory.metadata(frameAt(space, 1)) + field) / 4;
  world.memory.words[word]! += 1;
  expect(world.virtualMemory.audit()).toEqual([
    expect.stringMatching(/\(Frame\) counts .* shares, .* were found/),
  ]);
  world.memory.words[word]! -= 1;
  expect(world.memory.usage(frameAt(space, 1))).toBe(Usage.Frame);
});
