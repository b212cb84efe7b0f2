/** Reports of address spaces: state tables, drawn again after each event. */
import { describe, expect, test } from 'vitest';
import { InvalidArgument, PAGE_SIZE, Usage, virtAddr, vpn } from '../../src/frame/index.js';
import { PTE_R, PTE_U, PTE_W } from '../../src/paging/index.js';
import { inspectSpace, inspectSpaces } from '../../src/space/index.js';
import { mapPages, peek, poke } from '../model/touch.js';
import { makeWorld } from '../model/world.js';

const at = (page: number) => virtAddr(page * PAGE_SIZE);

test('memory that is written and read, a fork of it, and what the child writes', () => {
  using world = makeWorld(512 * 1024);
  const parent = world.space();
  parent.map({ at: at(1), lengthBytes: 5 * PAGE_SIZE, protection: 'rw-', name: 'heap' });
  expect(inspectSpace(parent)).toMatchInlineSnapshot(`
    "space 1: 0 pages resident
      0x1000-0x6000  -> rw- private  anonymous  0 of 5 resident  heap

      0x0-0x8000000000  -> table 0x26  level 2, 1 reference, 0 entries"
  `);
  for (const page of [1, 2, 3]) poke(parent, page, page);
  peek(parent, 4);
  peek(parent, 5);
  expect(inspectSpace(parent)).toMatchInlineSnapshot(`
    "space 1: 3 pages resident, 2 of zeros
      0x1000-0x6000  -> rw- private  anonymous  3 of 5 resident, 2 of zeros  heap

      0x0-0x8000000000     -> table 0x26        level 2, 1 reference, 1 entry
        0x0-0x40000000     -> table 0x28        level 1, 1 reference, 1 entry
          0x0-0x200000     -> table 0x29        level 0, 1 reference, 5 entries
            0x1000-0x2000  -> frame 0x27        VRW-U-AD--, 1 reference
            0x2000-0x4000  -> frames 0x2a-0x2b  VRW-U-AD--, 1 reference
            0x4000-0x6000  -> frame 0x25        VR--U-A-c-, zeros"
  `);

  const child = parent.fork();
  expect(inspectSpaces([parent, child])).toMatchInlineSnapshot(`
    "space 1: 3 pages resident, 2 of zeros
      0x1000-0x6000  -> rw- private  anonymous  3 of 5 resident, 2 of zeros  heap

      0x0-0x8000000000     -> table 0x26        level 2, 1 reference, 1 entry
        0x0-0x40000000     -> table 0x28        level 1, 2 references, 1 entry, shared
          0x0-0x200000     -> table 0x29        level 0, 1 reference, 5 entries
            0x1000-0x2000  -> frame 0x27        VRW-U-AD--, 1 reference
            0x2000-0x4000  -> frames 0x2a-0x2b  VRW-U-AD--, 1 reference
            0x4000-0x6000  -> frame 0x25        VR--U-A-c-, zeros

    space 2: 3 pages resident, 2 of zeros
      0x1000-0x6000  -> rw- private  anonymous  3 of 5 resident, 2 of zeros  heap

      0x0-0x8000000000  -> table 0x2c  level 2, 1 reference, 1 entry
        0x0-0x40000000  -> table 0x28  level 1, 2 references, 1 entry, shared, shown in space 1"
  `);

  poke(child, 2, 20);
  expect(inspectSpaces([parent, child])).toMatchInlineSnapshot(`
    "space 1: 3 pages resident, 2 of zeros
      0x1000-0x6000  -> rw- private  anonymous  3 of 5 resident, 2 of zeros  heap

      0x0-0x8000000000     -> table 0x26  level 2, 1 reference, 1 entry
        0x0-0x40000000     -> table 0x28  level 1, 1 reference, 1 entry, was shared
          0x0-0x200000     -> table 0x29  level 0, 1 reference, 5 entries, was shared
            0x1000-0x2000  -> frame 0x27  VR--U-ADc-, 2 references
            0x2000-0x3000  -> frame 0x2a  VR--U-ADc-, 1 reference
            0x3000-0x4000  -> frame 0x2b  VR--U-ADc-, 2 references
            0x4000-0x6000  -> frame 0x25  VR--U-A-c-, zeros

    space 2: 3 pages resident, 2 of zeros
      0x1000-0x6000  -> rw- private  anonymous  3 of 5 resident, 2 of zeros  heap

      0x0-0x8000000000     -> table 0x2c  level 2, 1 reference, 1 entry
        0x0-0x40000000     -> table 0x2d  level 1, 1 reference, 1 entry
          0x0-0x200000     -> table 0x2e  level 0, 1 reference, 5 entries
            0x1000-0x2000  -> frame 0x27  VR--U-ADc-, 2 references
            0x2000-0x3000  -> frame 0x2f  VRW-U-AD--, 1 reference
            0x3000-0x4000  -> frame 0x2b  VR--U-ADc-, 2 references
            0x4000-0x6000  -> frame 0x25  VR--U-A-c-, zeros"
  `);

  child.close();
  expect(inspectSpaces([parent, child])).toMatchInlineSnapshot(`
    "space 1: 3 pages resident, 2 of zeros
      0x1000-0x6000  -> rw- private  anonymous  3 of 5 resident, 2 of zeros  heap

      0x0-0x8000000000     -> table 0x26        level 2, 1 reference, 1 entry
        0x0-0x40000000     -> table 0x28        level 1, 1 reference, 1 entry, was shared
          0x0-0x200000     -> table 0x29        level 0, 1 reference, 5 entries, was shared
            0x1000-0x2000  -> frame 0x27        VR--U-ADc-, 1 reference
            0x2000-0x4000  -> frames 0x2a-0x2b  VR--U-ADc-, 1 reference
            0x4000-0x6000  -> frame 0x25        VR--U-A-c-, zeros

    space 2: closed"
  `);
});

test('objects mapped private and shared, and all that a mapping can be', () => {
  using world = makeWorld(512 * 1024);
  const { objects } = world.virtualMemory;
  const space = world.space();
  using file = objects.create({
    size: 8 * PAGE_SIZE,
    name: 'file',
    rights: ['dup', 'read', 'write', 'exec'],
  });
  for (let page = 0; page < 4; page++) file.writeSync(page * PAGE_SIZE, Uint8Array.of(page + 1));
  const shown = { vmo: file, offsetBytes: PAGE_SIZE, lengthBytes: 4 * PAGE_SIZE } as const;
  space.map({ ...shown, at: at(0x10), protection: 'r-x', ceiling: 'r-x', name: 'text' });
  space.map({ ...shown, at: at(0x20), protection: 'rw-', sharing: 'shared', onFork: 'omit' });
  space.map({ at: at(0x30), lengthBytes: 2 * PAGE_SIZE, protection: 'rw-', sharing: 'shared' });
  space.map({ at: at(0x40), lengthBytes: PAGE_SIZE, protection: 'rw-', onFork: 'wipe' });
  space.guard({ at: at(0x41), lengthBytes: PAGE_SIZE });
  peek(space, 0x10);
  poke(space, 0x21, 9);
  poke(space, 0x31, 1);
  peek(space, 0x30);
  expect(inspectSpace(space)).toMatchInlineSnapshot(`
    "space 1: 5 pages resident, 1 of zeros
      0x10000-0x14000  -> r-x private  file from 0x1000        3 of 4 resident              text, ceiling r-x
      0x20000-0x24000  -> rw- shared   file from 0x1000        1 of 4 resident              onFork omit
      0x30000-0x32000  -> rw- shared   shared memory from 0x0  1 of 2 resident, 1 of zeros
      0x40000-0x41000  -> rw- private  anonymous               0 of 1 resident              onFork wipe
      0x41000-0x42000  -> --- private  anonymous               0 of 1 resident              guard, ceiling ---

      0x0-0x8000000000       -> table 0x26  level 2, 1 reference, 1 entry
        0x0-0x40000000       -> table 0x2b  level 1, 1 reference, 1 entry
          0x0-0x200000       -> table 0x2c  level 0, 1 reference, 6 entries
            0x10000-0x11000  -> frame 0x28  VR-XU-A---, object’s, 2 references
            0x11000-0x12000  -> frame 0x29  VR-XU-----, object’s, 3 references
            0x12000-0x13000  -> frame 0x2a  VR-XU-----, object’s, 2 references
            0x21000-0x22000  -> frame 0x29  VRW-U-AD-s, object’s, 3 references
            0x30000-0x31000  -> frame 0x25  VR--U-A--s, zeros
            0x31000-0x32000  -> frame 0x2d  VRW-U-AD-s, object’s, 2 references"
  `);
  file.revoke();
  expect(inspectSpace(space)).toMatchInlineSnapshot(`
    "space 1: 1 page resident, 1 of zeros
      0x10000-0x14000  -> r-x private  file from 0x1000, revoked  0 of 4 resident              text, ceiling r-x
      0x20000-0x24000  -> rw- shared   file from 0x1000, revoked  0 of 4 resident              onFork omit
      0x30000-0x32000  -> rw- shared   shared memory from 0x0     1 of 2 resident, 1 of zeros
      0x40000-0x41000  -> rw- private  anonymous                  0 of 1 resident              onFork wipe
      0x41000-0x42000  -> --- private  anonymous                  0 of 1 resident              guard, ceiling ---

      0x0-0x8000000000       -> table 0x26  level 2, 1 reference, 1 entry
        0x0-0x40000000       -> table 0x2b  level 1, 1 reference, 1 entry
          0x0-0x200000       -> table 0x2c  level 0, 1 reference, 2 entries
            0x30000-0x31000  -> frame 0x25  VR--U-A--s, zeros
            0x31000-0x32000  -> frame 0x2d  VRW-U-AD-s, object’s, 2 references"
  `);
});

test('superpages, in their place among tables', () => {
  using world = makeWorld(8 * 1024 * 1024);
  const space = world.space();
  mapPages(space, 0, 4 * 512, 'rw-');
  poke(space, 0, 1);
  for (const page of [512, 1024]) {
    const first = world.memory.allocateRange({ frames: 512, usage: Usage.Frame, alignmentFrames: 512 });
    space.table.map(vpn(page), first, PTE_U | PTE_R | PTE_W, 1);
  }
  poke(space, 3 * 512, 1);
  expect(inspectSpace(space)).toMatchInlineSnapshot(`
    "space 1: 1026 pages resident
      0x0-0x800000  -> rw- private  anonymous  1026 of 2048 resident

      0x0-0x8000000000         -> table 0x35          level 2, 1 reference, 1 entry
        0x0-0x40000000         -> table 0x37          level 1, 1 reference, 4 entries
          0x0-0x200000         -> table 0x38          level 0, 1 reference, 1 entry
            0x0-0x1000         -> frame 0x36          VRW-U-AD--, 1 reference
          0x200000-0x600000    -> frames 0x200-0x5ff  VRW-U-----, megapage
          0x600000-0x800000    -> table 0x3a          level 0, 1 reference, 1 entry
            0x600000-0x601000  -> frame 0x39          VRW-U-AD--, 1 reference"
  `);
});

describe('a report', () => {
  test('shows so many lines of mappings and of tables, and says how many more there are', () => {
    using world = makeWorld();
    const space = world.space();
    for (let page = 1; page < 12; page += 2) {
      mapPages(space, page, 1, 'rw-');
      poke(space, page, 1);
    }
    expect(inspectSpace(space, { mostLines: 4 })).toMatchInlineSnapshot(`
      "space 1: 6 pages resident
        0x1000-0x2000  -> rw- private  anonymous  1 of 1 resident
        0x3000-0x4000  -> rw- private  anonymous  1 of 1 resident
        0x5000-0x6000  -> rw- private  anonymous  1 of 1 resident
        0x7000-0x8000  -> rw- private  anonymous  1 of 1 resident
        … 2 lines more

        0x0-0x8000000000     -> table 0x25  level 2, 1 reference, 1 entry
          0x0-0x40000000     -> table 0x27  level 1, 1 reference, 1 entry
            0x0-0x200000     -> table 0x28  level 0, 1 reference, 6 entries
              0x1000-0x2000  -> frame 0x26  VRW-U-AD--, 1 reference
        … 5 lines more"
    `);
    const whole = inspectSpace(space, { mostLines: 9 });
    expect(whole).not.toContain('more');
    expect(inspectSpace(space)).toBe(whole);
    expect(inspectSpace(space, { mostLines: 8 })).toContain('… 1 line more');
  });

  test('refuses no lines, and spaces that have nothing in common', () => {
    using world = makeWorld();
    using other = makeWorld();
    const space = world.space();
    expect(() => inspectSpace(space, { mostLines: 0 })).toThrow(InvalidArgument);
    expect(() => inspectSpace(space, { mostLines: Number.NaN })).toThrow(InvalidArgument);
    expect(() => inspectSpaces([space, other.space()])).toThrow(InvalidArgument);
    expect(inspectSpaces([])).toBe('');
  });

  test('of many forks shows a table once, and counts the pages of each mapping all the same', () => {
    using world = makeWorld(8 * 1024 * 1024);
    const parent = world.space();
    mapPages(parent, 500, 600, 'rw-');
    for (let page = 500; page < 1100; page++) poke(parent, page, 1);
    const spaces = [parent];
    while (spaces.length < 20) spaces.push(parent.fork());
    for (const space of spaces.slice(10)) {
      space.unmap(at(505), 10 * PAGE_SIZE);
      peek(space, 600);
    }
    const lines = inspectSpaces(world.virtualMemory.spaces).split('\n');
    const tables = lines.flatMap((line) => / table (\S+) /.exec(line)?.[1] ?? []);
    const shownHere = lines.filter((line) => line.includes(' table ') && !line.includes('shown in'));
    expect(shownHere).toHaveLength(new Set(tables).size);
    const counts = lines.flatMap((line) => / (\d+ of \d+) resident/.exec(line)?.[1] ?? []);
    expect(counts.filter((each) => each === '600 of 600')).toHaveLength(10);
    expect(counts.filter((each) => each === '5 of 5')).toHaveLength(10);
    expect(counts.filter((each) => each === '585 of 585')).toHaveLength(10);
  });
});
