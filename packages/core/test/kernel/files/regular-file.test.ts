import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, virtAddr } from '../../../src/frame/index.js';
import { O_CREATE, O_RDWR, O_TRUNC, O_WRONLY } from '../../../src/kernel/files/open.js';
import type { RegularFile } from '../../../src/kernel/files/regular-file.js';
import { type AddressSpace, copyIn } from '../../../src/space/index.js';
import { Random } from '../../support/random.js';
import { patternOf } from './host-file-system.contract.js';
import { type HostCall, hostError, HOSTS, memoryHost, type TestHost, watched } from './hosts.js';
import { bytesOf, type TreeOptions, TreeWorld } from './tree-world.js';

const KIB = 1024;
const UNLIMITED = 2 ** 30;
const LARGE_FILES = { fileBytes: 64 * KIB * KIB, diskBlocks: UNLIMITED };
/** Sizes around the ends of pages, of what is moved at once, and of what a file of xv6 may have. */
const SIZES = [0, 1, 4095, 4096, 4097, 12 * KIB, 65_535, 65_536, 65_537, 200_000, 268 * KIB];

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A file that is held, for as long as the test uses it. */
const withHeld = <T>(tree: TreeWorld, path: string, use: (file: RegularFile) => T): T => {
  const file = tree.file(path);
  expect(tree.files.inodes.hold(file)).toBeUndefined();
  try {
    return use(file);
  } finally {
    tree.files.inodes.release(file);
  }
};

const contentOf = (file: RegularFile): Uint8Array => {
  const bytes = new Uint8Array(file.sizeBytes);
  expect(file.read(0, bytes)).toBeUndefined();
  return bytes;
};

const isSame = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, index) => byte === other[index]);

/** What a host is to do wrong, and when. */
class Trouble {
  /** The calls that fail, with a code each. */
  readonly codes = new Map<HostCall, string>();
  /** Calls of a kind that are let through before they fail. */
  patience = 0;
  readonly tree: TreeWorld;

  constructor(host: TestHost, options: TreeOptions = {}) {
    const fileSystem = watched(host.fileSystem, (call, args) => {
      const code = this.codes.get(call);
      if (code === undefined || this.patience-- > 0) return;
      // What fails when it is closed is closed all the same.
      if (call === 'closeSync') host.fileSystem.closeSync(args[0] as number);
      throw hostError(code);
    });
    this.tree = new TreeWorld(host, { root: { fileSystem, directory: host.directory }, ...options });
  }
}

describe.each(HOSTS)('a regular file on %s', (_name, makeHost) => {
  const onTree = (
    name: string,
    use: (tree: TreeWorld, host: TestHost) => void,
    options: TreeOptions = {},
  ): void =>
    test(name, () => {
      const host = makeHost();
      using tree = new TreeWorld(host, options);
      use(tree, host);
    });

  const onTrouble = (
    name: string,
    use: (trouble: Trouble, tree: TreeWorld, host: TestHost) => void,
    options: TreeOptions = {},
  ): void =>
    test(name, () => {
      const host = makeHost();
      const trouble = new Trouble(host, options);
      using tree = trouble.tree;
      use(trouble, tree, host);
      trouble.codes.clear();
    });

  describe('keeps what is written', () => {
    onTree(
      'for who reads it, and for the host when it is let go',
      (tree, { fileSystem }) => {
        for (const size of SIZES) {
          const path = `/file${size}`;
          const bytes = patternOf(size, size);
          tree.create(path, bytes);
          expect(isSame(fileSystem.readFileSync(tree.at(path)), bytes), `${size} bytes`).toBe(true);
          withHeld(tree, path, (file) => {
            expect(file.sizeBytes).toBe(size);
            expect(isSame(contentOf(file), bytes), `${size} bytes`).toBe(true);
          });
        }
      },
      { limits: LARGE_FILES, memoryBytes: 8 * KIB * KIB },
    );

    onTree('in any order, over what was there and beyond it', (tree, { fileSystem }) => {
      const random = new Random(1);
      let model: Uint8Array = new Uint8Array();
      tree.create('/file');
      for (let round = 0; round < 40; round++) {
        withHeld(tree, '/file', (file) => {
          for (let step = 0; step < 5; step++) {
            const offset = random.below(model.length + 1);
            const bytes = patternOf(random.below(1000), 1 + random.below(9000));
            const longer = new Uint8Array(Math.max(model.length, offset + bytes.length));
            longer.set(model);
            longer.set(bytes, offset);
            model = longer;
            expect(file.write(offset, bytes)).toBeUndefined();
          }
          if (random.below(6) === 0) {
            model = new Uint8Array();
            expect(file.truncate()).toBeUndefined();
          }
          expect(file.sizeBytes).toBe(model.length);
          expect(isSame(contentOf(file), model)).toBe(true);
        });
        expect(isSame(fileSystem.readFileSync(tree.at('/file')), model)).toBe(true);
      }
    });

    onTree('and nothing of what was cut off', (tree, { fileSystem }) => {
      tree.create('/file', patternOf(0, 10_000));
      withHeld(tree, '/file', (file) => {
        expect(file.truncate()).toBeUndefined();
        expect(file.sizeBytes).toBe(0);
        expect(file.write(0, Uint8Array.of(7))).toBeUndefined();
        expect(file.write(1, new Uint8Array(6000))).toBeUndefined();
        expect(contentOf(file)[0]).toBe(7);
        expect(
          contentOf(file)
            .subarray(1)
            .every((byte) => byte === 0),
        ).toBe(true);
      });
      expect(fileSystem.readFileSync(tree.at('/file'))).toHaveLength(6001);
      expect(
        fileSystem
          .readFileSync(tree.at('/file'))
          .subarray(1)
          .every((byte) => byte === 0),
      ).toBe(true);
    });

    onTree('on every sync, and does not ask the host when nothing has changed', (tree, { fileSystem }) => {
      const open = tree.open('/file', O_CREATE | O_RDWR);
      open.write('one');
      expect(tree.files.inodes.sync()).toEqual([]);
      expect(textOf(fileSystem.readFileSync(tree.at('/file')))).toBe('one');
      // Another one's change is not written over by nothing.
      fileSystem.writeFileSync(tree.at('/file'), 'two');
      expect(tree.files.inodes.sync()).toEqual([]);
      expect(open.close()).toBeUndefined();
      expect(textOf(fileSystem.readFileSync(tree.at('/file')))).toBe('two');
      expect(tree.contentOf('/file')).toBe('two');
    });

    onTree(
      'but what would be too large, or leave a gap',
      (tree) => {
        tree.create('/file', 'text');
        withHeld(tree, '/file', (file) => {
          expect(file.write(5, Uint8Array.of(1))).toBe('EINVAL');
          expect(file.write(4, new Uint8Array(97))).toBe('EFBIG');
          expect(file.write(100, new Uint8Array(1))).toBe('EINVAL');
          expect(textOf(contentOf(file))).toBe('text');
          expect(file.write(4, new Uint8Array(96))).toBeUndefined();
          expect(file.write(100, new Uint8Array(1))).toBe('EFBIG');
          expect(file.write(100, new Uint8Array(0))).toBeUndefined();
          expect(file.sizeBytes).toBe(100);
        });
        expect(tree.taken).toEqual([2, 2]);
      },
      { limits: { fileBytes: 100 } },
    );

    onTree('where its name is gone', (tree) => {
      const open = tree.open('/file', O_CREATE | O_RDWR);
      expect(open.write('before ')).toBe(7);
      tree.unlink('/file');
      expect(open.write(patternOf(0, 100_000))).toBe(100_000);
      expect(tree.files.inodes.sync()).toEqual([]);
      const other = open.operations.inode as RegularFile;
      expect(isSame(contentOf(other).subarray(7), patternOf(0, 100_000))).toBe(true);
      expect(open.close()).toBeUndefined();
    });
  });

  describe('that the host changes', () => {
    /** Makes a file with 'before' that nobody holds, and whose pages are in memory. */
    const idle = (tree: TreeWorld): void => {
      tree.create('/file', 'before');
      expect(tree.contentOf('/file')).toBe('before');
    };

    onTree('while nobody holds it shows that to the next who opens it', (tree, { fileSystem }) => {
      idle(tree);
      for (const content of ['other!', 'longer than before', '', 'x', patternOf(3, 9000)]) {
        fileSystem.writeFileSync(tree.at('/file'), content);
        withHeld(tree, '/file', (file) => {
          expect(file.sizeBytes).toBe(content.length);
          expect(isSame(contentOf(file), bytesOf(content))).toBe(true);
        });
      }
    });

    onTree('and puts another in its place is the other', (tree, { fileSystem }) => {
      idle(tree);
      fileSystem.writeFileSync(tree.at('/next'), 'after!');
      fileSystem.renameSync(tree.at('/next'), tree.at('/file'));
      expect(tree.contentOf('/file')).toBe('after!');
      fileSystem.unlinkSync(tree.at('/file'));
      expect(tree.find('/file')).toBe('ENOENT');
      fileSystem.writeFileSync(tree.at('/file'), 'again!');
      expect(tree.contentOf('/file')).toBe('again!');
      fileSystem.unlinkSync(tree.at('/file'));
      fileSystem.mkdirSync(tree.at('/file'));
      expect(tree.find('/file')).toMatchObject({ kind: 'directory' });
      expect(tree.audit()).toEqual([]);
    });

    onTree('by another of its names shows that too', (tree, { fileSystem }) => {
      idle(tree);
      fileSystem.linkSync(tree.at('/file'), tree.at('/name'));
      fileSystem.writeFileSync(tree.at('/name'), 'by the other name');
      expect(tree.contentOf('/file')).toBe('by the other name');
      expect(tree.files.stat(tree.file('/file')).links).toBe(2);
    });

    onTree(
      'stays with who holds it as far as it is in memory, and is new for who opens it after',
      (tree, { fileSystem }) => {
        idle(tree);
        const open = tree.open('/file');
        fileSystem.writeFileSync(tree.at('/file'), 'after, and longer');
        expect(open.readText()).toBe('before');
        open.close();
        expect(tree.contentOf('/file')).toBe('after, and longer');
      },
    );

    onTree('and cuts while it is held cannot be read where nothing is any more', (tree, { fileSystem }) => {
      fileSystem.writeFileSync(tree.at('/file'), patternOf(0, 40_000));
      const open = tree.open('/file', O_RDWR);
      fileSystem.writeFileSync(tree.at('/file'), 'short');
      expect(open.read(40_000)).toBe(-1);
      expect(open.close()).toBeUndefined();
      expect(tree.contentOf('/file')).toBe('short');
      expect(tree.audit()).toEqual([]);
    });

    onTree(
      'and removes is still there for who holds it, and loses nobody anything',
      (tree, { fileSystem }) => {
        idle(tree);
        const open = tree.open('/file', O_RDWR);
        fileSystem.unlinkSync(tree.at('/file'));
        expect(tree.find('/file')).toBe('ENOENT');
        expect(open.write('behind')).toBe(6);
        expect(open.close()).toBeUndefined();
        tree.create('/file', 'new');
        expect(tree.contentOf('/file')).toBe('new');
        expect(tree.audit()).toEqual([]);
      },
    );
  });

  onTree('keeps few descriptors of the host’s while nobody holds it', (tree, host) => {
    for (let index = 0; index < 100; index++) tree.create(`/${index}`, `content ${index}`);
    expect(host.openDescriptors()).toBeLessThanOrEqual(40);
    for (let index = 0; index < 100; index++) expect(tree.contentOf(`/${index}`)).toBe(`content ${index}`);
    expect(host.openDescriptors()).toBeLessThanOrEqual(40);
    expect(tree.audit()).toEqual([]);
    tree.files.inodes.close();
    expect(host.openDescriptors()).toBe(0);
  });

  describe('whose host takes nothing back', () => {
    onTrouble(
      'says so when it is let go, keeps all, and gives it when the host takes it',
      (trouble, tree, { fileSystem }) => {
        for (const code of ['ENOSPC', 'EIO', 'EDQUOT']) {
          const open = tree.open(`/${code}`, O_CREATE | O_RDWR);
          expect(open.write(patternOf(7, 10_000))).toBe(10_000);
          trouble.codes.set('writeSync', code);
          expect(open.close()).toBeDefined();
          expect(tree.audit()).toEqual([]);
          withHeld(tree, `/${code}`, (file) => {
            expect(isSame(contentOf(file), patternOf(7, 10_000))).toBe(true);
          });
          expect(tree.files.inodes.sync()).toEqual([
            expect.stringContaining(`${tree.at(`/${code}`)} could not be`),
          ]);
          trouble.codes.clear();
          expect(tree.files.inodes.sync()).toEqual([]);
          expect(isSame(fileSystem.readFileSync(tree.at(`/${code}`)), patternOf(7, 10_000))).toBe(true);
        }
      },
    );

    onTrouble('says why, as the host has said it', (trouble, tree) => {
      const open = tree.open('/file', O_CREATE | O_RDWR);
      open.write('text');
      trouble.codes.set('writeSync', 'ENOSPC');
      expect(open.close()).toBe('ENOSPC');
      expect(tree.files.inodes.sync()).toEqual([expect.stringContaining('ENOSPC')]);
    });

    onTrouble('loses nothing where the host fails in the middle', (trouble, tree, { fileSystem }) => {
      const bytes = patternOf(3, 200_000);
      const open = tree.open('/file', O_CREATE | O_RDWR);
      open.write(bytes);
      for (const call of ['ftruncateSync', 'writeSync'] as const) {
        trouble.codes.clear();
        trouble.codes.set(call, 'EIO');
        // With a first page that is changed again, there are two pieces to write.
        trouble.patience = call === 'writeSync' ? 1 : 0;
        (open.operations.inode as RegularFile).write(100_000, bytes.subarray(100_000));
        tree.files.inodes.sync();
      }
      trouble.codes.clear();
      expect(open.close()).toBeUndefined();
      expect(isSame(fileSystem.readFileSync(tree.at('/file')), bytes)).toBe(true);
    });

    onTrouble(
      'is not held for ever once the host has taken it',
      (trouble, tree) => {
        trouble.codes.set('writeSync', 'ENOSPC');
        for (let index = 0; index < 10; index++) {
          const open = tree.open(`/${index}`, O_CREATE | O_RDWR);
          open.write('text');
          expect(open.close()).toBeDefined();
        }
        trouble.codes.clear();
        // Nobody holds anything, the host takes everything, and there is room for ten.
        tree.create('/new', 'text');
        for (let index = 0; index < 10; index++) expect(tree.contentOf(`/${index}`)).toBe('text');
        expect(tree.audit()).toEqual([]);
      },
      { limits: { inodesInMemory: 10 } },
    );

    onTrouble('and is then changed there can be opened still', (trouble, tree, { fileSystem }) => {
      const open = tree.open('/file', O_CREATE | O_RDWR);
      open.write('text');
      trouble.codes.set('writeSync', 'ENOSPC');
      open.close();
      trouble.codes.clear();
      expect(tree.files.inodes.sync()).toEqual([]);
      fileSystem.writeFileSync(tree.at('/file'), 'the host’s');
      expect(tree.contentOf('/file')).toBe('the host’s');
      const again = tree.open('/file', O_RDWR);
      expect(again.write('mine')).toBe(4);
      expect(again.close()).toBeUndefined();
      expect(tree.audit()).toEqual([]);
    });

    onTrouble('can be unlinked, with all that it has', (trouble, tree) => {
      const open = tree.open('/file', O_CREATE | O_RDWR);
      open.write(new Uint8Array(5000));
      trouble.codes.set('writeSync', 'EIO');
      expect(open.close()).toBeDefined();
      expect(tree.unlink('/file')).toBeUndefined();
      expect(tree.files.inodes.sync()).toEqual([]);
      expect(tree.taken).toEqual([1, 1]);
      expect(tree.audit()).toEqual([]);
    });

    onTrouble('and is lost at the end takes no more of the disk than the host has', (trouble, tree) => {
      tree.create('/file', 'x');
      const open = tree.open('/file', O_RDWR);
      open.write(new Uint8Array(5000));
      trouble.codes.set('writeSync', 'EIO');
      trouble.codes.set('ftruncateSync', 'EIO');
      expect(open.close()).toBeDefined();
      expect(tree.files.inodes.close()).toHaveLength(1);
      trouble.codes.clear();
      expect(tree.contentOf('/file')).toBe('x');
      expect(tree.taken).toEqual([2, 2]);
    });

    for (const call of ['fstatSync', 'closeSync', 'ftruncateSync', 'readSync'] as const) {
      onTrouble(`and fails in ${call} throws at nobody`, (trouble, tree, { fileSystem }) => {
        fileSystem.writeFileSync(tree.at('/other'), patternOf(0, 20_000));
        const open = tree.open('/file', O_CREATE | O_RDWR);
        const other = tree.open('/other', O_RDWR);
        open.write('text');
        trouble.codes.set(call, 'EIO');
        other.read(5000);
        (other.operations.inode as RegularFile).truncate();
        tree.files.inodes.sync();
        open.close();
        other.close();
        for (let index = 0; index < 40; index++) tree.contentOf('/file');
        tree.tryOpen('/new', O_CREATE | O_RDWR);
        tree.tryOpen('/other', O_RDWR | O_TRUNC);
        tree.unlink('/file');
        tree.files.inodes.close();
      });
    }
  });

  describe('when frames are short', () => {
    onTree(
      'is read whole, whatever its size',
      (tree, { fileSystem }) => {
        const bytes = patternOf(0, 3 * KIB * KIB);
        fileSystem.writeFileSync(tree.at('/file'), bytes);
        withHeld(tree, '/file', (file) => {
          const piece = new Uint8Array(50_000);
          for (let round = 0; round < 2; round++) {
            for (let at = 0; at + piece.length <= bytes.length; at += piece.length) {
              expect(file.read(at, piece)).toBeUndefined();
              expect(isSame(piece, bytes.subarray(at, at + piece.length))).toBe(true);
            }
          }
        });
      },
      { limits: LARGE_FILES, memoryBytes: KIB * KIB },
    );

    onTree(
      'is written whole, whatever its size, and its oldest pages go to the host',
      (tree, { fileSystem }) => {
        const bytes = patternOf(0, 3 * KIB * KIB);
        tree.create('/file');
        withHeld(tree, '/file', (file) => {
          for (let at = 0; at < bytes.length; at += 65_536) {
            expect(file.write(at, bytes.subarray(at, at + 65_536))).toBeUndefined();
          }
          const piece = new Uint8Array(1000);
          expect(file.read(12_345, piece)).toBeUndefined();
          expect(isSame(piece, bytes.subarray(12_345, 13_345))).toBe(true);
        });
        expect(isSame(fileSystem.readFileSync(tree.at('/file')), bytes)).toBe(true);
      },
      { limits: LARGE_FILES, memoryBytes: KIB * KIB },
    );

    onTree(
      'gives its changed pages to the host, for a process that wants memory',
      (tree) => {
        const open = tree.open('/file', O_CREATE | O_RDWR);
        const bytes = patternOf(0, 400 * KIB);
        expect(open.write(bytes)).toBe(bytes.length);
        // With the pages of the file gone there is room enough.
        const space = tree.world.space();
        const at = virtAddr(0x100_0000);
        const lengthBytes = 512 * KIB;
        space.map({ at, lengthBytes, protection: 'rw-' });
        expect(() => space.commit(at, lengthBytes)).not.toThrow();
        space.close();
        expect(isSame(contentOf(open.operations.inode as RegularFile), bytes)).toBe(true);
        open.close();
      },
      { limits: LARGE_FILES, memoryBytes: 1.25 * KIB * KIB },
    );

    /** What a failed call must leave as it was. */
    const stateOf = (tree: TreeWorld, file: RegularFile): unknown => ({
      size: file.sizeBytes,
      links: file.links,
      holders: file.holders,
      taken: tree.taken,
      audit: tree.audit(...Array.from({ length: file.holders }, () => file)),
    });

    onTree(
      'at any point of a write leaves all as it was',
      (tree, { fileSystem }) => {
        const before = patternOf(9, 20_000);
        fileSystem.writeFileSync(tree.at('/file'), before);
        for (const [offset, length] of [
          [0, 10],
          [4000, 9000],
          [19_000, 30_000],
          [20_000, 1],
          [0, 50_000],
        ] as const) {
          withHeld(tree, '/file', (file) => {
            const state = stateOf(tree, file);
            const bytes = patternOf(1, length);
            for (const _ of tree.failing()) {
              if (file.write(offset, bytes) === undefined) continue;
              tree.world.memory.failAllocationsWhen(undefined);
              expect(stateOf(tree, file)).toEqual(state);
              expect(isSame(contentOf(file), before)).toBe(true);
            }
            expect(isSame(contentOf(file).subarray(offset, offset + length), bytes)).toBe(true);
            // As it was, for the next.
            expect(file.truncate()).toBeUndefined();
            expect(file.write(0, before)).toBeUndefined();
          });
          expect(isSame(fileSystem.readFileSync(tree.at('/file')), before)).toBe(true);
        }
      },
      { limits: LARGE_FILES },
    );

    onTree('at any point of a read gives an error, and then what is there', (tree, { fileSystem }) => {
      fileSystem.writeFileSync(tree.at('/file'), patternOf(0, 50_000));
      withHeld(tree, '/file', (file) => {
        let failures = 0;
        const into = new Uint8Array(50_000);
        for (const _ of tree.failing()) {
          const problem = file.read(0, into);
          expect([undefined, 'ENOMEM']).toContain(problem);
          if (problem !== undefined) failures++;
        }
        expect(failures).toBeGreaterThan(0);
        expect(isSame(into, patternOf(0, 50_000))).toBe(true);
      });
    });

    onTree('at any point of making, opening, cutting and removing loses nothing', (tree, host) => {
      const before = tree.taken;
      for (const _ of tree.failing()) {
        const open = tree.tryOpen('/file', O_CREATE | O_RDWR);
        if (typeof open === 'string') {
          tree.world.memory.failAllocationsWhen(undefined);
          expect(tree.find('/file')).toBe('ENOENT');
          expect(tree.taken).toEqual(before);
          expect(host.openDescriptors()).toBe(0);
          continue;
        }
        expect((open.operations.inode as RegularFile).truncate()).toBeUndefined();
        open.close();
        expect(tree.unlink('/file')).toBeUndefined();
        expect(tree.taken).toEqual(before);
      }
      tree.create('/file', patternOf(0, 5000));
      for (const _ of tree.failing()) {
        const open = tree.tryOpen('/file', O_WRONLY | O_TRUNC);
        if (typeof open === 'string') continue;
        open.close();
      }
      expect(tree.contentOf('/file')).toBe('');
      expect(tree.audit()).toEqual([]);
    });
  });

  describe('that a process runs', () => {
    const AT = 0x200_0000;

    /** Maps a file as a program, and brings it in. */
    const run = (tree: TreeWorld, path: string): AddressSpace =>
      withHeld(tree, path, (file) => {
        const lengthBytes = Math.ceil(file.sizeBytes / PAGE_SIZE) * PAGE_SIZE;
        const vmo = file.program();
        if (typeof vmo === 'string') throw new Error(`${path} cannot be run: ${vmo}`);
        const space = tree.world.space();
        space.map({ at: virtAddr(AT), lengthBytes, protection: 'r-x', vmo, eviction: 'refused' });
        expect(space.prefault(virtAddr(AT), lengthBytes, 'read')).toBeUndefined();
        return space;
      });

    const runs = (space: AddressSpace, length: number): Uint8Array => {
      const bytes = new Uint8Array(length);
      expect(copyIn(space, virtAddr(AT), bytes)).toBe('ok');
      return bytes;
    };

    onTree(
      'does not change for it, whatever is done to the file',
      (tree, { fileSystem }) => {
        const old = patternOf(0, 20_000);
        tree.create('/program', old);
        const spaces = [run(tree, '/program')];
        const changes: (() => void)[] = [
          () =>
            withHeld(tree, '/program', (file) =>
              expect(file.write(5000, patternOf(9, 9000))).toBeUndefined(),
            ),
          () => withHeld(tree, '/program', (file) => expect(file.truncate()).toBeUndefined()),
          () => tree.create('/program', patternOf(77, 30_000)),
          () => fileSystem.writeFileSync(tree.at('/program'), 'the host has cut it'),
          () => expect(tree.unlink('/program')).toBeUndefined(),
          () => tree.create('/program', 'another of the name'),
        ];
        for (const change of changes) {
          change();
          for (const space of spaces) expect(isSame(runs(space, old.length), old)).toBe(true);
          spaces.push(spaces[0]!.fork());
        }
        // Nor when frames are short.
        tree.create('/filler');
        withHeld(tree, '/filler', (filler) => {
          expect(filler.write(0, patternOf(0, 4 * KIB * KIB))).toBe('ENOMEM');
          for (let at = 0; at < 6 * KIB * KIB; at += 65_536) {
            expect(filler.write(at, patternOf(at, 65_536))).toBeUndefined();
          }
        });
        for (const space of spaces) expect(isSame(runs(space, old.length), old)).toBe(true);
        for (const space of spaces) space.close();
        expect(tree.contentOf('/program')).toBe('another of the name');
        expect(tree.audit()).toEqual([]);
      },
      { limits: LARGE_FILES },
    );

    onTree('is what it was when it was started, for each who started it', (tree) => {
      tree.create('/program', patternOf(1, 5000));
      const first = run(tree, '/program');
      withHeld(tree, '/program', (file) => expect(file.write(0, patternOf(2, 5000))).toBeUndefined());
      const second = run(tree, '/program');
      withHeld(tree, '/program', (file) => expect(file.write(0, patternOf(3, 6000))).toBeUndefined());
      const third = run(tree, '/program');
      expect(isSame(runs(first, 5000), patternOf(1, 5000))).toBe(true);
      expect(isSame(runs(second, 5000), patternOf(2, 5000))).toBe(true);
      expect(isSame(runs(third, 6000), patternOf(3, 6000))).toBe(true);
      for (const space of [second, first, third]) space.close();
    });

    onTree('shares its pages with all who run it, and with who reads it', (tree) => {
      tree.create('/program', patternOf(1, 40_960));
      const spaces = [run(tree, '/program')];
      const { memory } = tree.world;
      const before = memory.freeFrames;
      spaces.push(run(tree, '/program'));
      withHeld(tree, '/program', (file) => contentOf(file));
      // Page tables of its own, and no page of the ten.
      expect(before - memory.freeFrames).toBeLessThan(10);
      for (const space of spaces) space.close();
    });

    onTree('while another process writes it is what was written until then', (tree, { fileSystem }) => {
      const writer = tree.open('/program', O_CREATE | O_RDWR);
      writer.write(patternOf(5, 8192));
      const space = run(tree, '/program');
      writer.write(patternOf(6, 8192));
      expect(isSame(runs(space, 8192), patternOf(5, 8192))).toBe(true);
      expect(writer.close()).toBeUndefined();
      const all = fileSystem.readFileSync(tree.at('/program'));
      expect(isSame(all.subarray(0, 8192), patternOf(5, 8192))).toBe(true);
      expect(isSame(all.subarray(8192), patternOf(6, 8192))).toBe(true);
      space.close();
    });

    onTrouble(
      'is not run where the host cannot take what has changed, and loses nothing',
      (trouble, tree) => {
        const open = tree.open('/program', O_CREATE | O_RDWR);
        open.write(patternOf(5, 8192));
        trouble.codes.set('writeSync', 'ENOSPC');
        expect((open.operations.inode as RegularFile).program()).toBe('ENOSPC');
        trouble.codes.clear();
        const space = run(tree, '/program');
        trouble.codes.set('writeSync', 'EIO');
        open.write(patternOf(6, 1000));
        expect(isSame(runs(space, 8192), patternOf(5, 8192))).toBe(true);
        expect(open.close()).toBe('EIO');
        trouble.codes.clear();
        withHeld(tree, '/program', (file) => {
          expect(isSame(contentOf(file).subarray(8192), patternOf(6, 1000))).toBe(true);
        });
        expect(isSame(runs(space, 8192), patternOf(5, 8192))).toBe(true);
        space.close();
      },
    );
  });
});

describe('a file that may only be read', () => {
  test('is open to read alone, and as soon as it may be written, to write too', () => {
    const host = memoryHost();
    let isWritable = false;
    const { O_RDWR: WRITES } = host.fileSystem.constants;
    const fileSystem = watched(host.fileSystem, (call, args) => {
      if (call === 'openSync' && ((args[1] as number) & WRITES) !== 0 && !isWritable)
        throw hostError('EACCES');
    });
    host.fileSystem.writeFileSync(`${host.directory}/file`, 'text');
    using tree = new TreeWorld(host, { root: { fileSystem, directory: host.directory } });
    expect(tree.contentOf('/file')).toBe('text');
    expect(tree.tryOpen('/file', O_WRONLY)).toBe('EACCES');
    expect(tree.tryOpen('/file', O_TRUNC)).toBe('EACCES');
    expect(tree.audit()).toEqual([]);
    isWritable = true;
    const open = tree.open('/file', O_RDWR);
    expect(open.write('TEXT')).toBe(4);
    expect(open.close()).toBeUndefined();
    expect(tree.contentOf('/file')).toBe('TEXT');
  });

  test('and cannot be opened anew when it is to be written is as it was', () => {
    const host = memoryHost();
    const codes = ['EACCES'];
    const { O_RDWR: WRITES } = host.fileSystem.constants;
    const fileSystem = watched(host.fileSystem, (call, args) => {
      const [code] = codes;
      if (
        call === 'openSync' &&
        code !== undefined &&
        (((args[1] as number) & WRITES) !== 0 || code === 'EMFILE')
      ) {
        throw hostError(code);
      }
    });
    host.fileSystem.writeFileSync(`${host.directory}/file`, 'text');
    using tree = new TreeWorld(host, { root: { fileSystem, directory: host.directory } });
    expect(tree.contentOf('/file')).toBe('text');
    codes[0] = 'EMFILE';
    expect(typeof tree.tryOpen('/file', O_RDWR)).toBe('string');
    expect(tree.audit()).toEqual([]);
    codes.length = 0;
    expect(tree.contentOf('/file')).toBe('text');
    tree.open('/file', O_RDWR).close();
    expect(tree.audit()).toEqual([]);
  });
});
