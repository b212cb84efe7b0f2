/** What the kernel relies on of every `HostFileSystem`: the suite that each of them runs. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HostFileSystem, HostStats } from '../../../src/kernel/files/host-file-system.js';

/** Symbolic links are followed by the kernel, and made by others. */
export interface FilesUnderTest extends HostFileSystem {
  symlinkSync(target: string, path: string): void;
}

/** A file system with an empty directory in it, for one test. */
export interface Workbench extends Disposable {
  readonly files: FilesUnderTest;
  /** The absolute path of the directory. */
  readonly directory: string;
  /** Descriptors that are open for something in the directory. */
  openDescriptors(): number;
}

const BIGINT = { bigint: true } as const;
const MIB = 2 ** 20;

/** Each place has another byte, as far as that goes. */
export const patternOf = (start: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => ((start + index) * 31 + ((start + index) >> 8)) & 0xff);

export const isSameBytes = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, index) => byte === other[index]);

export const hostFileSystemContract = (makeWorkbench: () => Workbench): void => {
  let bench: Workbench;
  let files: FilesUnderTest;

  beforeEach(() => {
    bench = makeWorkbench();
    ({ files } = bench);
  });

  afterEach(() => {
    const open = bench.openDescriptors();
    bench[Symbol.dispose]();
    expect(open, 'descriptors left open').toBe(0);
  });

  const at = (name: string): string => `${bench.directory}/${name}`;
  const stats = (name: string): HostStats => files.lstatSync(at(name), BIGINT);

  /** Opens a file, lends the descriptor, and closes it. */
  const withFile = <T>(name: string, flags: number, use: (fd: number) => T): T => {
    const fd = files.openSync(at(name), flags, 0o666);
    try {
      return use(fd);
    } finally {
      files.closeSync(fd);
    }
  };

  const make = (name: string, bytes: Uint8Array = new Uint8Array()): void => {
    const { O_RDWR, O_CREAT, O_EXCL } = files.constants;
    withFile(name, O_RDWR | O_CREAT | O_EXCL, (fd) => {
      if (bytes.length > 0) expect(files.writeSync(fd, bytes, 0, bytes.length, 0)).toBe(bytes.length);
    });
  };

  const contentOf = (name: string): Uint8Array =>
    withFile(name, files.constants.O_RDONLY, (fd) => {
      const bytes = new Uint8Array(Number(files.fstatSync(fd, BIGINT).size));
      if (bytes.length > 0) expect(files.readSync(fd, bytes, 0, bytes.length, 0)).toBe(bytes.length);
      return bytes;
    });

  const read = (fd: number, position: number, length: number): number[] => {
    const bytes = new Uint8Array(length).fill(0xee);
    const count = files.readSync(fd, bytes, 0, length, position);
    expect(isSameBytes(bytes.subarray(count), new Uint8Array(length - count).fill(0xee))).toBe(true);
    return [...bytes.subarray(0, count)];
  };

  const write = (fd: number, position: number, ...bytes: number[]): number =>
    files.writeSync(fd, Uint8Array.from(bytes), 0, bytes.length, position);

  /** The code of the error that a call throws, which must be one as Node's. */
  const codeOf = (call: () => unknown): string => {
    try {
      call();
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      const { code, message } = error as Error & { code: string };
      expect(message).toMatch(new RegExp(`^${code}: .+, [a-z]+`));
      return code;
    }
    return 'none';
  };

  const openCode = (name: string, flags: number): string =>
    codeOf(() => files.closeSync(files.openSync(at(name), flags, 0o666)));

  describe('an error', () => {
    test('says what was called, and on which path', () => {
      const path = at('missing');
      expect(() => files.openSync(path, files.constants.O_RDONLY)).toThrow(
        expect.objectContaining({
          code: 'ENOENT',
          syscall: 'open',
          path,
          message: `ENOENT: no such file or directory, open '${path}'`,
        }),
      );
    });

    test('says both paths of a call that has two', () => {
      files.mkdirSync(at('directory'));
      const [path, dest] = [at('directory'), at('other')];
      expect(() => files.linkSync(path, dest)).toThrow(
        expect.objectContaining({
          code: 'EPERM',
          syscall: 'link',
          path,
          dest,
          message: `EPERM: operation not permitted, link '${path}' -> '${dest}'`,
        }),
      );
    });

    test('says no path where there is a descriptor alone', () => {
      expect(() => files.fstatSync(2 ** 20, BIGINT)).toThrow(
        expect.objectContaining({
          code: 'EBADF',
          syscall: 'fstat',
          message: 'EBADF: bad file descriptor, fstat',
        }),
      );
    });
  });

  describe('open', () => {
    test('makes a file once, with O_CREAT and O_EXCL', () => {
      const { O_RDWR, O_CREAT, O_EXCL } = files.constants;
      make('file', Uint8Array.of(1, 2, 3));
      expect(openCode('file', O_RDWR | O_CREAT | O_EXCL)).toBe('EEXIST');
      files.mkdirSync(at('directory'));
      expect(openCode('directory', O_RDWR | O_CREAT | O_EXCL)).toBe('EEXIST');
      files.symlinkSync('nowhere', at('link'));
      expect(openCode('link', O_RDWR | O_CREAT | O_EXCL)).toBe('EEXIST');
      expect(files.readdirSync(bench.directory).toSorted()).toEqual(['directory', 'file', 'link']);
      expect([...contentOf('file')]).toEqual([1, 2, 3]);
    });

    test('with O_CREAT alone, opens what is there as it is, and makes what is not', () => {
      const { O_RDWR, O_CREAT } = files.constants;
      make('file', Uint8Array.of(1, 2, 3));
      withFile('file', O_RDWR | O_CREAT, (fd) => expect(read(fd, 0, 9)).toEqual([1, 2, 3]));
      withFile('new', O_RDWR | O_CREAT, (fd) => expect(read(fd, 0, 9)).toEqual([]));
      expect(stats('new').isFile()).toBe(true);
    });

    test('finds nothing where nothing is', () => {
      const { O_RDONLY, O_RDWR, O_CREAT } = files.constants;
      expect(openCode('missing', O_RDONLY)).toBe('ENOENT');
      expect(openCode('missing', O_RDWR)).toBe('ENOENT');
      expect(openCode('missing/file', O_RDWR | O_CREAT)).toBe('ENOENT');
      expect(codeOf(() => files.openSync('', O_RDONLY))).toBe('ENOENT');
    });

    test('takes no file for a directory', () => {
      const { O_RDONLY, O_RDWR, O_CREAT } = files.constants;
      make('file');
      expect(openCode('file/inside', O_RDONLY)).toBe('ENOTDIR');
      expect(openCode('file/inside', O_RDWR | O_CREAT)).toBe('ENOTDIR');
      expect(openCode('file/', O_RDONLY)).toBe('ENOTDIR');
      expect(openCode('file/.', O_RDONLY)).toBe('ENOTDIR');
      expect(openCode('file/../file', O_RDONLY)).toBe('ENOTDIR');
    });

    test('a directory can be opened for reading alone', () => {
      const { O_RDONLY, O_RDWR, O_CREAT } = files.constants;
      files.mkdirSync(at('directory'));
      expect(openCode('directory', O_RDWR)).toBe('EISDIR');
      expect(openCode('directory', O_RDWR | O_CREAT)).toBe('EISDIR');
      expect(openCode('new/', O_RDWR | O_CREAT)).toBe('EISDIR');
      withFile('directory', O_RDONLY, (fd) => {
        expect(files.fstatSync(fd, BIGINT).isDirectory()).toBe(true);
        expect(codeOf(() => read(fd, 0, 1))).toBe('EISDIR');
        expect(codeOf(() => write(fd, 0, 1))).toBe('EBADF');
        expect(codeOf(() => files.ftruncateSync(fd, 0))).toBe('EINVAL');
      });
    });

    test('follows symbolic links, as far as they lead', () => {
      const { O_RDONLY, O_RDWR, O_CREAT } = files.constants;
      files.mkdirSync(at('directory'));
      make('directory/file', Uint8Array.of(5));
      files.symlinkSync('directory', at('to directory'));
      files.symlinkSync('to directory/file', at('to file'));
      files.symlinkSync(at('directory/file'), at('directory/absolute'));
      files.symlinkSync('../directory/file', at('directory/up'));
      for (const name of ['to file', 'to directory/file', 'to directory/absolute', 'to directory/up']) {
        expect([...contentOf(name)], name).toEqual([5]);
      }
      files.symlinkSync('to directory/new', at('to new'));
      expect(openCode('to new', O_RDONLY)).toBe('ENOENT');
      withFile('to new', O_RDWR | O_CREAT, (fd) => write(fd, 0, 6));
      expect([...contentOf('directory/new')]).toEqual([6]);
      files.symlinkSync('b', at('a'));
      files.symlinkSync('a', at('b'));
      expect(openCode('a', O_RDONLY)).toBe('ELOOP');
      expect(openCode('a/inside', O_RDONLY)).toBe('ELOOP');
      expect(openCode('to file/inside', O_RDONLY)).toBe('ENOTDIR');
    });

    test('with O_NOFOLLOW, stops at a symbolic link that is last', () => {
      const { O_RDONLY, O_RDWR, O_CREAT, O_NOFOLLOW } = files.constants;
      expect(O_NOFOLLOW).toBeGreaterThan(0);
      const careful = O_NOFOLLOW!;
      files.mkdirSync(at('directory'));
      make('directory/file', Uint8Array.of(5));
      files.symlinkSync('directory', at('to directory'));
      files.symlinkSync('directory/file', at('to file'));
      files.symlinkSync('nowhere', at('to nowhere'));
      for (const name of ['to directory', 'to file', 'to nowhere']) {
        expect(openCode(name, O_RDONLY | careful), name).toBe('ELOOP');
        expect(openCode(name, O_RDWR | O_CREAT | careful), name).toBe('ELOOP');
      }
      withFile('to directory/file', O_RDONLY | careful, (fd) => expect(read(fd, 0, 2)).toEqual([5]));
      withFile('to directory/', O_RDONLY | careful, (fd) => {
        expect(files.fstatSync(fd, BIGINT).isDirectory()).toBe(true);
      });
    });

    test('with O_NONBLOCK, a file is a file', () => {
      const { O_RDWR, O_NONBLOCK } = files.constants;
      expect(O_NONBLOCK).toBeGreaterThan(0);
      make('file', Uint8Array.of(5));
      withFile('file', O_RDWR | O_NONBLOCK!, (fd) => expect(read(fd, 0, 2)).toEqual([5]));
    });

    test('each time gives another descriptor, and all see the same bytes', () => {
      const { O_RDWR } = files.constants;
      make('file');
      const open = Array.from({ length: 150 }, () => files.openSync(at('file'), O_RDWR));
      expect(new Set(open).size).toBe(open.length);
      for (const [index, fd] of open.entries()) write(fd, index, index);
      expect(read(open[0]!, 0, 200)).toEqual(open.map((_, index) => index));
      for (const fd of open) files.closeSync(fd);
    });
  });

  describe('a descriptor that is closed', () => {
    test('is good for nothing', () => {
      make('file');
      const fd = files.openSync(at('file'), files.constants.O_RDWR);
      files.closeSync(fd);
      expect(codeOf(() => read(fd, 0, 1))).toBe('EBADF');
      expect(codeOf(() => write(fd, 0, 1))).toBe('EBADF');
      expect(codeOf(() => files.ftruncateSync(fd, 0))).toBe('EBADF');
      expect(codeOf(() => files.fstatSync(fd, BIGINT))).toBe('EBADF');
      expect(codeOf(() => files.closeSync(fd))).toBe('EBADF');
    });
  });

  describe('read and write', () => {
    test('move bytes from and to any place', () => {
      make('file', Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7));
      withFile('file', files.constants.O_RDWR, (fd) => {
        expect(read(fd, 0, 8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
        expect(read(fd, 6, 8)).toEqual([6, 7]);
        expect(read(fd, 3, 2)).toEqual([3, 4]);
        expect(write(fd, 2, 22, 33)).toBe(2);
        expect(write(fd, 7, 77, 88)).toBe(2);
        expect(read(fd, 0, 16)).toEqual([0, 1, 22, 33, 4, 5, 6, 77, 88]);
      });
      expect(stats('file').size).toBe(9n);
    });

    test('use the part of the array that they are given', () => {
      make('file');
      withFile('file', files.constants.O_RDWR, (fd) => {
        expect(files.writeSync(fd, Uint8Array.of(1, 2, 3, 4, 5), 1, 3, 0)).toBe(3);
        const into = new Uint8Array(6).fill(9);
        expect(files.readSync(fd, into, 2, 2, 1)).toBe(2);
        expect([...into]).toEqual([9, 9, 3, 4, 9, 9]);
        expect(files.readSync(fd, into, 1, 5, 0)).toBe(3);
        expect([...into]).toEqual([9, 2, 3, 4, 9, 9]);
        const within = new Uint8Array(into.buffer, 3, 2);
        expect(files.readSync(fd, within, 0, 2, 0)).toBe(2);
        expect([...into]).toEqual([9, 2, 3, 2, 3, 9]);
      });
    });

    test('refuse parts that the array does not have', () => {
      make('file', Uint8Array.of(1, 2));
      withFile('file', files.constants.O_RDWR, (fd) => {
        const bytes = new Uint8Array(4);
        for (const [offset, length] of [
          [0, 5],
          [3, 2],
          [-1, 2],
          [1, -1],
        ] as const) {
          expect(() => files.readSync(fd, bytes, offset, length, 0)).toThrow(RangeError);
          expect(() => files.writeSync(fd, bytes, offset, length, 0)).toThrow(RangeError);
        }
        expect([...bytes]).toEqual([0, 0, 0, 0]);
      });
      expect([...contentOf('file')]).toEqual([1, 2]);
    });

    test('of no bytes do nothing', () => {
      make('file', Uint8Array.of(1, 2));
      withFile('file', files.constants.O_RDWR, (fd) => {
        expect(files.readSync(fd, new Uint8Array(4), 1, 0, 0)).toBe(0);
        expect(files.writeSync(fd, new Uint8Array(4), 1, 0, 100)).toBe(0);
      });
      expect(stats('file').size).toBe(2n);
    });

    test('read gives 0 at the end and beyond it', () => {
      make('file', Uint8Array.of(1, 2));
      withFile('file', files.constants.O_RDONLY, (fd) => {
        expect(read(fd, 2, 5)).toEqual([]);
        expect(read(fd, 2 ** 40, 5)).toEqual([]);
      });
    });

    test('write beyond the end leaves zeros before it', () => {
      make('file', Uint8Array.of(1));
      withFile('file', files.constants.O_RDWR, (fd) => {
        write(fd, 70_000, 7);
        expect(read(fd, 0, 3)).toEqual([1, 0, 0]);
        expect(read(fd, 65_534, 4)).toEqual([0, 0, 0, 0]);
        expect(read(fd, 69_998, 5)).toEqual([0, 0, 7]);
      });
      expect(stats('file').size).toBe(70_001n);
    });

    test('want a descriptor that is open for it', () => {
      make('file', Uint8Array.of(1));
      withFile('file', files.constants.O_RDONLY, (fd) => {
        expect(codeOf(() => write(fd, 0, 9))).toBe('EBADF');
        expect(codeOf(() => files.ftruncateSync(fd, 0))).toBe('EINVAL');
      });
      expect([...contentOf('file')]).toEqual([1]);
    });

    test('a MiB and more, in parts of all sizes', () => {
      const bytes = patternOf(0, MIB + 12_345);
      make('file');
      withFile('file', files.constants.O_RDWR, (fd) => {
        for (let done = 0, length = 1; done < bytes.length; done += length, length = length * 3 + 1) {
          const count = Math.min(length, bytes.length - done);
          expect(files.writeSync(fd, bytes, done, count, done)).toBe(count);
        }
        const found = new Uint8Array(100_000);
        for (const position of [0, 1, 65_535, 65_536, 65_537, 130_000, MIB - 1]) {
          const count = files.readSync(fd, found, 0, found.length, position);
          expect(count).toBe(Math.min(found.length, bytes.length - position));
          const expected = bytes.subarray(position, position + count);
          expect(isSameBytes(found.subarray(0, count), expected), `at ${position}`).toBe(true);
        }
      });
      expect(isSameBytes(contentOf('file'), bytes)).toBe(true);
    });

    test('up to 2 GiB', () => {
      const last = 2 ** 31 - 1;
      make('file');
      withFile('file', files.constants.O_RDWR, (fd) => {
        expect(write(fd, last - 1, 4, 5)).toBe(2);
        expect(files.fstatSync(fd, BIGINT).size).toBe(2n ** 31n);
        expect(read(fd, last - 3, 9)).toEqual([0, 0, 4, 5]);
        expect(read(fd, 2 ** 30, 3)).toEqual([0, 0, 0]);
        expect(read(fd, last + 1, 3)).toEqual([]);
        files.ftruncateSync(fd, 1);
      });
    });
  });

  describe('ftruncate', () => {
    test('cuts, and grows by zeros', () => {
      make('file', patternOf(1, 100_000));
      withFile('file', files.constants.O_RDWR, (fd) => {
        files.ftruncateSync(fd, 3);
        expect(files.fstatSync(fd, BIGINT).size).toBe(3n);
        expect(read(fd, 0, 9)).toEqual([...patternOf(1, 3)]);
        files.ftruncateSync(fd, 80_000);
        expect(files.fstatSync(fd, BIGINT).size).toBe(80_000n);
        expect(read(fd, 0, 6)).toEqual([...patternOf(1, 3), 0, 0, 0]);
        expect(read(fd, 65_530, 10)).toEqual(Array.from({ length: 10 }, () => 0));
        expect(read(fd, 79_998, 9)).toEqual([0, 0]);
        write(fd, 5, 55);
        files.ftruncateSync(fd, 4);
        files.ftruncateSync(fd, 7);
        expect(read(fd, 0, 9)).toEqual([...patternOf(1, 3), 0, 0, 0, 0]);
        files.ftruncateSync(fd, 0);
        expect(read(fd, 0, 9)).toEqual([]);
      });
      expect(stats('file').size).toBe(0n);
    });
  });

  describe('fstat and lstat', () => {
    test('say what is there', () => {
      make('file', Uint8Array.of(1, 2, 3));
      files.mkdirSync(at('directory'));
      files.symlinkSync('fôlder/', at('link'));
      const kinds = ['file', 'directory', 'link'].map((name) => {
        const found = stats(name);
        return [found.isFile(), found.isDirectory(), found.isSymbolicLink()];
      });
      expect(kinds).toEqual([
        [true, false, false],
        [false, true, false],
        [false, false, true],
      ]);
      expect([stats('file').size, stats('file').nlink]).toEqual([3n, 1n]);
      expect([stats('link').size, stats('link').nlink]).toEqual([8n, 1n]);
      for (const name of ['file', 'directory', 'link']) {
        const { dev, ino, nlink, size, mtimeNs } = stats(name);
        for (const value of [dev, ino, nlink, size, mtimeNs]) expect(typeof value).toBe('bigint');
        expect(ino).toBeGreaterThan(0n);
      }
    });

    test('tell files apart, and know one by all its names', () => {
      make('one');
      make('other');
      files.linkSync(at('one'), at('again'));
      expect(stats('one').ino).not.toBe(stats('other').ino);
      expect(stats('one').dev).toBe(stats('other').dev);
      expect([stats('again').ino, stats('again').dev]).toEqual([stats('one').ino, stats('one').dev]);
      withFile('again', files.constants.O_RDONLY, (fd) => {
        const { ino, dev, nlink } = files.fstatSync(fd, BIGINT);
        expect([ino, dev, nlink]).toEqual([stats('one').ino, stats('one').dev, 2n]);
      });
    });

    test('what they have said stays as it was', () => {
      make('file', Uint8Array.of(1, 2, 3));
      const before = stats('file');
      withFile('file', files.constants.O_RDWR, (fd) => write(fd, 3, 4));
      expect([before.size, stats('file').size]).toEqual([3n, 4n]);
    });

    test('the time is another after a change, and the same without one', () => {
      make('file', Uint8Array.of(1));
      withFile('file', files.constants.O_RDWR, (fd) => {
        const time = (): bigint => files.fstatSync(fd, BIGINT).mtimeNs;
        // A host's clock may tick every few milliseconds only.
        const deadline = Date.now() + 5000;
        const changesBy = (change: () => void): void => {
          const before = time();
          do change();
          while (time() === before && Date.now() < deadline);
          expect(time()).toBeGreaterThan(before);
        };
        changesBy(() => write(fd, 0, 1));
        changesBy(() => write(fd, 3, 1));
        changesBy(() => files.ftruncateSync(fd, 1));
        changesBy(() => files.ftruncateSync(fd, 9));
        const after = time();
        read(fd, 0, 5);
        contentOf('file');
        files.linkSync(at('file'), at('other'));
        expect([time(), stats('other').mtimeNs]).toEqual([after, after]);
      });
    });

    test('lstat finds nothing where nothing is, and stops at a link', () => {
      make('file');
      files.symlinkSync('nowhere', at('link'));
      files.symlinkSync('loop', at('loop'));
      expect(codeOf(() => stats('missing'))).toBe('ENOENT');
      expect(codeOf(() => stats('missing/deeper'))).toBe('ENOENT');
      expect(codeOf(() => stats('file/inside'))).toBe('ENOTDIR');
      expect(codeOf(() => stats('file/'))).toBe('ENOTDIR');
      expect(codeOf(() => stats('link/inside'))).toBe('ENOENT');
      expect(codeOf(() => stats('loop/inside'))).toBe('ELOOP');
      expect([stats('link').isSymbolicLink(), stats('loop').isSymbolicLink()]).toEqual([true, true]);
    });

    test('know the directory itself, and that above it', () => {
      files.mkdirSync(at('directory'));
      make('file');
      expect(stats('directory/.').ino).toBe(stats('directory').ino);
      expect(stats('directory/../file').ino).toBe(stats('file').ino);
      expect(stats('directory//').ino).toBe(stats('directory').ino);
      expect(files.lstatSync('/..', BIGINT).ino).toBe(files.lstatSync('/', BIGINT).ino);
    });
  });

  describe('readlink', () => {
    test('says where a symbolic link leads, as it was written', () => {
      for (const target of ['a/../b//c/', '/', 'ümlaut 😀']) {
        files.symlinkSync(target, at('link'));
        expect(files.readlinkSync(at('link'))).toBe(target);
        files.unlinkSync(at('link'));
      }
    });

    test('refuses what is no link', () => {
      make('file');
      files.mkdirSync(at('directory'));
      expect(codeOf(() => files.readlinkSync(at('file')))).toBe('EINVAL');
      expect(codeOf(() => files.readlinkSync(at('directory')))).toBe('EINVAL');
      expect(codeOf(() => files.readlinkSync(at('missing')))).toBe('ENOENT');
      expect(codeOf(() => files.readlinkSync(at('file/inside')))).toBe('ENOTDIR');
    });
  });

  describe('readdir', () => {
    test('lists the names, whatever has them', () => {
      expect(files.readdirSync(bench.directory)).toEqual([]);
      make('file');
      make('é 😀');
      make('.hidden');
      files.mkdirSync(at('directory'));
      make('directory/inside');
      files.symlinkSync('directory', at('link'));
      files.linkSync(at('file'), at('again'));
      const names = ['.hidden', 'again', 'directory', 'file', 'link', 'é 😀'];
      expect(files.readdirSync(bench.directory).toSorted()).toEqual(names);
      expect(files.readdirSync(`${bench.directory}/`).toSorted()).toEqual(names);
      expect(files.readdirSync(at('link'))).toEqual(['inside']);
      files.unlinkSync(at('file'));
      expect(files.readdirSync(bench.directory).toSorted()).toEqual(names.toSpliced(3, 1));
    });

    test('lists 600 names', () => {
      const names = Array.from({ length: 600 }, (_, index) => `name${String(index).padStart(3, '0')}`);
      make('name000');
      for (const name of names.slice(1)) files.linkSync(at('name000'), at(name));
      expect(files.readdirSync(bench.directory).toSorted()).toEqual(names);
      expect(stats('name321').nlink).toBe(600n);
    });

    test('refuses what is no directory', () => {
      make('file');
      expect(codeOf(() => files.readdirSync(at('file')))).toBe('ENOTDIR');
      expect(codeOf(() => files.readdirSync(at('missing')))).toBe('ENOENT');
    });
  });

  describe('mkdir', () => {
    test('makes an empty directory', () => {
      files.mkdirSync(at('directory'));
      files.mkdirSync(at('directory/inside/'));
      expect(stats('directory/inside').isDirectory()).toBe(true);
      expect(files.readdirSync(at('directory'))).toEqual(['inside']);
      expect(files.readdirSync(at('directory/inside'))).toEqual([]);
    });

    test('refuses a name that is taken, and a place that is none', () => {
      make('file');
      files.mkdirSync(at('directory'));
      files.symlinkSync('nowhere', at('link'));
      for (const name of ['file', 'directory', 'link', 'directory/.', 'directory/..', 'directory/']) {
        expect(
          codeOf(() => files.mkdirSync(at(name))),
          name,
        ).toBe('EEXIST');
      }
      expect(codeOf(() => files.mkdirSync('/'))).toBe('EEXIST');
      expect(codeOf(() => files.mkdirSync(at('missing/inside')))).toBe('ENOENT');
      expect(codeOf(() => files.mkdirSync(at('file/inside')))).toBe('ENOTDIR');
    });

    test('60 directories deep', () => {
      let name = 'd';
      for (let depth = 0; depth < 60; depth++, name += '/d') files.mkdirSync(at(name));
      expect(stats(name.slice(2)).isDirectory()).toBe(true);
      expect(codeOf(() => stats(name))).toBe('ENOENT');
    });
  });

  describe('rmdir', () => {
    test('removes an empty directory', () => {
      files.mkdirSync(at('directory'));
      files.mkdirSync(at('other'));
      files.rmdirSync(at('directory'));
      files.rmdirSync(at('other/'));
      expect(codeOf(() => stats('directory'))).toBe('ENOENT');
      expect(files.readdirSync(bench.directory)).toEqual([]);
    });

    test('refuses what is not empty, and what is no directory', () => {
      files.mkdirSync(at('directory'));
      make('directory/file');
      make('file');
      files.symlinkSync('directory', at('link'));
      expect(codeOf(() => files.rmdirSync(at('directory')))).toBe('ENOTEMPTY');
      expect(codeOf(() => files.rmdirSync(at('file')))).toBe('ENOTDIR');
      expect(codeOf(() => files.rmdirSync(at('link')))).toBe('ENOTDIR');
      expect(codeOf(() => files.rmdirSync(at('file/inside')))).toBe('ENOTDIR');
      expect(codeOf(() => files.rmdirSync(at('missing')))).toBe('ENOENT');
      expect(codeOf(() => files.rmdirSync(at('missing/inside')))).toBe('ENOENT');
      expect(files.readdirSync(bench.directory).toSorted()).toEqual(['directory', 'file', 'link']);
    });

    test('a descriptor for a directory that is removed stays', () => {
      files.mkdirSync(at('directory'));
      withFile('directory', files.constants.O_RDONLY, (fd) => {
        const { ino } = files.fstatSync(fd, BIGINT);
        files.rmdirSync(at('directory'));
        expect(files.fstatSync(fd, BIGINT).isDirectory()).toBe(true);
        expect(files.fstatSync(fd, BIGINT).ino).toBe(ino);
      });
    });
  });

  describe('unlink', () => {
    test('takes one name', () => {
      make('file', Uint8Array.of(1, 2));
      files.linkSync(at('file'), at('other'));
      files.unlinkSync(at('file'));
      expect(codeOf(() => stats('file'))).toBe('ENOENT');
      expect(stats('other').nlink).toBe(1n);
      expect([...contentOf('other')]).toEqual([1, 2]);
      files.unlinkSync(at('other'));
      expect(files.readdirSync(bench.directory)).toEqual([]);
    });

    test('takes a symbolic link, and not what it leads to', () => {
      make('file', Uint8Array.of(1, 2));
      files.symlinkSync('file', at('link'));
      files.unlinkSync(at('link'));
      expect(files.readdirSync(bench.directory)).toEqual(['file']);
    });

    test('refuses directories, and what is not there', () => {
      make('file');
      files.mkdirSync(at('directory'));
      // POSIX has the one, Linux the other.
      expect(['EPERM', 'EISDIR']).toContain(codeOf(() => files.unlinkSync(at('directory'))));
      expect(codeOf(() => files.unlinkSync(at('missing')))).toBe('ENOENT');
      expect(codeOf(() => files.unlinkSync(at('missing/inside')))).toBe('ENOENT');
      expect(codeOf(() => files.unlinkSync(at('file/inside')))).toBe('ENOTDIR');
      expect(codeOf(() => files.unlinkSync(at('file/')))).toBe('ENOTDIR');
      expect(files.readdirSync(bench.directory).toSorted()).toEqual(['directory', 'file']);
    });

    test('a file that is open lives on without a name', () => {
      make('file', Uint8Array.of(1, 2));
      withFile('file', files.constants.O_RDWR, (fd) => {
        files.unlinkSync(at('file'));
        const { nlink, size, ino } = files.fstatSync(fd, BIGINT);
        expect([nlink, size]).toEqual([0n, 2n]);
        expect(write(fd, 2, 3)).toBe(1);
        make('file', Uint8Array.of(9));
        expect(stats('file').ino).not.toBe(ino);
        expect(read(fd, 0, 9)).toEqual([1, 2, 3]);
        files.ftruncateSync(fd, 1);
        expect(read(fd, 0, 9)).toEqual([1]);
        expect([...contentOf('file')]).toEqual([9]);
      });
    });
  });

  describe('link', () => {
    test('gives a file another name', () => {
      make('file', Uint8Array.of(1));
      files.mkdirSync(at('directory'));
      files.linkSync(at('file'), at('directory/other'));
      expect([stats('file').nlink, stats('directory/other').nlink]).toEqual([2n, 2n]);
      withFile('directory/other', files.constants.O_RDWR, (fd) => write(fd, 1, 2));
      expect([...contentOf('file')]).toEqual([1, 2]);
    });

    test('refuses directories, names that are taken, and what is not there', () => {
      make('file', Uint8Array.of(1));
      make('taken', Uint8Array.of(2));
      files.mkdirSync(at('directory'));
      expect(codeOf(() => files.linkSync(at('directory'), at('new')))).toBe('EPERM');
      expect(codeOf(() => files.linkSync(at('file'), at('taken')))).toBe('EEXIST');
      expect(codeOf(() => files.linkSync(at('file'), at('directory')))).toBe('EEXIST');
      expect(codeOf(() => files.linkSync(at('file'), at('file')))).toBe('EEXIST');
      expect(codeOf(() => files.linkSync(at('missing'), at('new')))).toBe('ENOENT');
      expect(codeOf(() => files.linkSync(at('file'), at('missing/new')))).toBe('ENOENT');
      expect(codeOf(() => files.linkSync(at('file'), at('taken/new')))).toBe('ENOTDIR');
      expect(codeOf(() => files.linkSync(at('taken/new'), at('new')))).toBe('ENOTDIR');
      expect(stats('file').nlink).toBe(1n);
      expect([...contentOf('taken')]).toEqual([2]);
      expect(files.readdirSync(bench.directory).toSorted()).toEqual(['directory', 'file', 'taken']);
    });
  });

  describe('names', () => {
    test('have up to 255 bytes', () => {
      const [most, more] = [`${'é'.repeat(127)}a`, 'é'.repeat(128)];
      make(most);
      expect(files.readdirSync(bench.directory)).toEqual([most]);
      const { O_RDONLY, O_RDWR, O_CREAT } = files.constants;
      expect(openCode(more, O_RDONLY)).toBe('ENAMETOOLONG');
      expect(openCode(more, O_RDWR | O_CREAT)).toBe('ENAMETOOLONG');
      expect(codeOf(() => stats(more))).toBe('ENAMETOOLONG');
      expect(codeOf(() => files.mkdirSync(at(more)))).toBe('ENAMETOOLONG');
      expect(codeOf(() => files.linkSync(at(most), at(more)))).toBe('ENAMETOOLONG');
    });

    test('with all that is no "/" in them, are one name', () => {
      const names = ['.a', '...', 'a b', 'a\\b', '\n', '*', '-', 'A', 'a', '__proto__', 'constructor'];
      for (const name of names) make(name, Uint8Array.of(name.length));
      expect(files.readdirSync(bench.directory).toSorted()).toEqual(names.toSorted());
      for (const name of names) expect([...contentOf(name)]).toEqual([name.length]);
    });
  });
};
