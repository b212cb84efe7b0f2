/** What `MemoryFiles` has beyond the contract of host file systems. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { InvalidArgument } from '../../../src/frame/index.js';
import { MemoryFiles } from '../../../src/kernel/files/memory-files.js';
import { isSameBytes, patternOf } from './host-file-system.contract.js';

const BIGINT = { bigint: true } as const;
const KIB = 1024;
const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_NOFOLLOW } = new MemoryFiles()
  .constants;

const withCode = (code: string): Error => expect.objectContaining({ code }) as Error;
const inodeOf = (files: MemoryFiles, path: string): bigint => files.lstatSync(path, BIGINT).ino;
const linksOf = (files: MemoryFiles, path: string): bigint => files.lstatSync(path, BIGINT).nlink;
const timeOf = (files: MemoryFiles, path: string): bigint => files.lstatSync(path, BIGINT).mtimeNs;
const textOf = (files: MemoryFiles, path: string): string =>
  new TextDecoder().decode(files.readFileSync(path));

test('a new one has an empty root directory', () => {
  const files = new MemoryFiles();
  expect(files.readdirSync('/')).toEqual([]);
  const { dev, ino, nlink, size } = files.lstatSync('/', BIGINT);
  expect([dev, ino, nlink, size]).toEqual([1n, 1n, 2n, 0n]);
  expect([files.usedBytes, files.openDescriptors]).toEqual([0, 0]);
  expect(() => files.mkdirSync('/')).toThrow(withCode('EEXIST'));
  expect(() => files.rmdirSync('/')).toThrow(withCode('EBUSY'));
  expect(() => files.unlinkSync('/')).toThrow(withCode('EISDIR'));
});

test('paths without a "/" before them begin at the root as well', () => {
  const files = new MemoryFiles();
  files.writeFileSync('file', 'text');
  expect(textOf(files, '/file')).toBe('text');
});

test('neither inode numbers nor descriptors are used twice', () => {
  const files = new MemoryFiles();
  const inodes = new Set<bigint>();
  const descriptors = new Set<number>();
  for (let round = 0; round < 50; round++) {
    const fd = files.openSync('/file', O_RDWR | O_CREAT | O_EXCL, 0o666);
    files.mkdirSync('/directory');
    files.symlinkSync('file', '/link');
    inodes.add(files.fstatSync(fd, BIGINT).ino);
    for (const path of ['/directory', '/link']) inodes.add(inodeOf(files, path));
    descriptors.add(fd);
    files.closeSync(fd);
    files.unlinkSync('/file');
    files.unlinkSync('/link');
    files.rmdirSync('/directory');
  }
  expect([inodes.size, descriptors.size]).toEqual([150, 50]);
});

test('a directory’s links are its name, its "." and the ".." of the directories in it', () => {
  const files = new MemoryFiles();
  files.mkdirSync('/a');
  files.mkdirSync('/a/b');
  files.mkdirSync('/a/c');
  files.writeFileSync('/a/file', '');
  expect(['/', '/a', '/a/b'].map((path) => linksOf(files, path))).toEqual([3n, 4n, 2n]);
  files.renameSync('/a/c', '/c');
  expect(['/', '/a', '/c'].map((path) => linksOf(files, path))).toEqual([4n, 3n, 2n]);
  files.renameSync('/c', '/a/b');
  expect(['/', '/a', '/a/b'].map((path) => linksOf(files, path))).toEqual([3n, 3n, 2n]);
  const fd = files.openSync('/a/b', O_RDONLY);
  files.rmdirSync('/a/b');
  expect([linksOf(files, '/a'), files.fstatSync(fd, BIGINT).nlink]).toEqual([2n, 0n]);
  files.closeSync(fd);
  files.mkdirSync('/a/empty');
  files.mkdirSync('/other');
  const replaced = files.openSync('/a/empty', O_RDONLY);
  files.renameSync('/other', '/a/empty');
  expect([linksOf(files, '/a'), files.fstatSync(replaced, BIGINT).nlink]).toEqual([3n, 0n]);
  files.closeSync(replaced);
});

test('times are a count of changes', () => {
  const files = new MemoryFiles();
  files.writeFileSync('/one', 'a');
  files.writeFileSync('/other', 'a');
  expect(timeOf(files, '/other')).toBeGreaterThan(timeOf(files, '/one'));
  files.writeFileSync('/one', 'a');
  expect(timeOf(files, '/one')).toBeGreaterThan(timeOf(files, '/other'));
  const root = timeOf(files, '/');
  files.readFileSync('/one');
  files.readdirSync('/');
  expect(timeOf(files, '/')).toBe(root);
  files.unlinkSync('/one');
  expect(timeOf(files, '/')).toBeGreaterThan(root);
});

describe('the bytes that are used', () => {
  test('are those that were written, and no holes', () => {
    const files = new MemoryFiles();
    files.writeFileSync('/file', new Uint8Array(1000));
    expect(files.usedBytes).toBe(1000);
    const fd = files.openSync('/file', O_RDWR);
    files.ftruncateSync(fd, 2 ** 31);
    expect(files.usedBytes).toBe(1000);
    files.writeSync(fd, new Uint8Array(10), 0, 10, 2 ** 30);
    expect(files.usedBytes).toBe(1010);
    files.ftruncateSync(fd, 100);
    expect(files.usedBytes).toBe(100);
    files.closeSync(fd);
    files.writeFileSync('/file', '');
    expect(files.usedBytes).toBe(0);
  });

  test('are fewer than twice those that were written, however small the writes', () => {
    const files = new MemoryFiles();
    const fd = files.openSync('/file', O_RDWR | O_CREAT);
    for (let done = 0; done < 200 * KIB; done += 100) {
      files.writeSync(fd, patternOf(done, 100), 0, 100, done);
      expect(files.usedBytes).toBeLessThanOrEqual(2 * (done + 100));
    }
    files.closeSync(fd);
  });

  test('are given back with the last name and the last descriptor', () => {
    const files = new MemoryFiles();
    files.writeFileSync('/file', new Uint8Array(100 * KIB));
    files.linkSync('/file', '/again');
    const [one, other] = [files.openSync('/file', O_RDONLY), files.openSync('/again', O_RDONLY)];
    files.unlinkSync('/file');
    files.writeFileSync('/new', 'x');
    files.renameSync('/new', '/again');
    expect(files.usedBytes).toBe(100 * KIB + 1);
    files.closeSync(one);
    expect(files.usedBytes).toBe(100 * KIB + 1);
    files.closeSync(other);
    expect(files.usedBytes).toBe(1);
  });
});

describe('where there is no room', () => {
  afterEach(() => vi.unstubAllGlobals());

  test('a write is short, and the next is refused', () => {
    const files = new MemoryFiles({ capacityBytes: 100 * KIB });
    const fd = files.openSync('/file', O_RDWR | O_CREAT);
    const bytes = patternOf(0, 200 * KIB);
    expect(files.writeSync(fd, bytes, 0, bytes.length, 0)).toBe(64 * KIB);
    expect(() => files.writeSync(fd, bytes, 0, 64 * KIB, 64 * KIB)).toThrow(withCode('ENOSPC'));
    expect(files.fstatSync(fd, BIGINT).size).toBe(BigInt(64 * KIB));
    // Down to the last byte.
    expect(files.writeSync(fd, bytes, 64 * KIB, 36 * KIB - 1, 64 * KIB)).toBe(36 * KIB - 1);
    expect(files.writeSync(fd, bytes, 100 * KIB - 1, 1, 100 * KIB - 1)).toBe(1);
    expect(() => files.writeSync(fd, bytes, 0, 1, 100 * KIB)).toThrow(withCode('ENOSPC'));
    expect(files.writeSync(fd, bytes, 0, 100 * KIB, 0)).toBe(100 * KIB);
    expect(isSameBytes(files.readFileSync('/file'), bytes.subarray(0, 100 * KIB))).toBe(true);
    expect(() => files.writeFileSync('/other', 'x')).toThrow(withCode('ENOSPC'));
    expect([files.usedBytes, files.openDescriptors]).toEqual([100 * KIB, 1]);
    files.ftruncateSync(fd, 50 * KIB);
    files.writeFileSync('/other', 'x');
    expect(files.usedBytes).toBe(50 * KIB + 1);
    files.closeSync(fd);
  });

  test('nor memory of the host, it is the same', () => {
    const files = new MemoryFiles();
    files.writeFileSync('/file', 'text');
    const fd = files.openSync('/file', O_RDWR);
    const bytes = new Uint8Array(10);
    const Real = Uint8Array;
    vi.stubGlobal(
      'Uint8Array',
      class extends Real {
        constructor() {
          super();
          throw new RangeError('Array buffer allocation failed');
        }
      },
    );
    expect(() => files.writeSync(fd, bytes, 0, 10, 0)).toThrow(withCode('ENOSPC'));
    vi.unstubAllGlobals();
    expect([textOf(files, '/file'), files.usedBytes]).toEqual(['text', 4]);
    files.closeSync(fd);
  });

  test('a capacity is a number of bytes', () => {
    for (const capacityBytes of [-1, Number.NaN]) {
      expect(() => new MemoryFiles({ capacityBytes })).toThrow(InvalidArgument);
    }
    expect(() => new MemoryFiles({ capacityBytes: 0 }).writeFileSync('/file', 'x')).toThrow(
      withCode('ENOSPC'),
    );
  });
});

describe('sizes', () => {
  test('beyond 2 GiB are refused, and a write over the end is short', () => {
    const files = new MemoryFiles();
    const fd = files.openSync('/file', O_RDWR | O_CREAT);
    expect(() => files.ftruncateSync(fd, 2 ** 31 + 1)).toThrow(withCode('EFBIG'));
    expect(() => files.writeSync(fd, new Uint8Array(1), 0, 1, 2 ** 31)).toThrow(withCode('EFBIG'));
    expect(() => files.writeSync(fd, new Uint8Array(1), 0, 1, 2 ** 52)).toThrow(withCode('EFBIG'));
    expect(files.writeSync(fd, new Uint8Array(5), 0, 5, 2 ** 31 - 2)).toBe(2);
    expect(files.fstatSync(fd, BIGINT).size).toBe(2n ** 31n);
    files.closeSync(fd);
  });

  test('and positions are whole numbers from 0 up', () => {
    const files = new MemoryFiles();
    const fd = files.openSync('/file', O_RDWR | O_CREAT);
    for (const position of [-1, 0.5, Number.NaN, 2 ** 53]) {
      expect(() => files.readSync(fd, new Uint8Array(1), 0, 1, position)).toThrow(withCode('EINVAL'));
      expect(() => files.writeSync(fd, new Uint8Array(1), 0, 1, position)).toThrow(withCode('EINVAL'));
      expect(() => files.ftruncateSync(fd, position)).toThrow(withCode('EINVAL'));
    }
    files.closeSync(fd);
  });
});

describe('open', () => {
  test('for writing alone', () => {
    const files = new MemoryFiles();
    const fd = files.openSync('/file', O_WRONLY | O_CREAT);
    expect(files.writeSync(fd, Uint8Array.of(65), 0, 1, 0)).toBe(1);
    expect(() => files.readSync(fd, new Uint8Array(1), 0, 1, 0)).toThrow(withCode('EBADF'));
    files.ftruncateSync(fd, 2);
    files.closeSync(fd);
    expect(textOf(files, '/file')).toBe('A\0');
  });

  test('with O_TRUNC makes a file empty, and no directory', () => {
    const files = new MemoryFiles();
    files.writeFileSync('/file', 'text');
    files.closeSync(files.openSync('/file', O_RDWR | O_TRUNC));
    expect(files.lstatSync('/file', BIGINT).size).toBe(0n);
    expect(() => files.openSync('/', O_RDONLY | O_TRUNC)).toThrow(withCode('EISDIR'));
  });

  test('with O_DIRECTORY wants a directory', () => {
    const files = new MemoryFiles();
    files.writeFileSync('/file', 'text');
    files.symlinkSync('/', '/link');
    files.closeSync(files.openSync('/', O_RDONLY | O_DIRECTORY));
    files.closeSync(files.openSync('/link', O_RDONLY | O_DIRECTORY));
    expect(() => files.openSync('/file', O_RDONLY | O_DIRECTORY)).toThrow(withCode('ENOTDIR'));
    expect(() => files.openSync('/link', O_RDONLY | O_DIRECTORY | O_NOFOLLOW)).toThrow(withCode('ENOTDIR'));
    expect(() => files.openSync('/new', O_RDWR | O_DIRECTORY | O_CREAT)).toThrow(withCode('EINVAL'));
  });

  test('refuses flags that it does not know, and makes nothing', () => {
    const files = new MemoryFiles();
    const O_APPEND = 0o2000;
    for (const flags of [O_RDWR | O_CREAT | O_APPEND, O_RDWR | O_WRONLY | O_CREAT, -1]) {
      expect(() => files.openSync('/file', flags)).toThrow(withCode('EINVAL'));
    }
    expect([files.readdirSync('/'), files.openDescriptors]).toEqual([[], 0]);
  });

  test('leaves nothing open where it is refused', () => {
    const files = new MemoryFiles();
    files.symlinkSync('nowhere', '/link');
    for (const path of ['/', '/missing', '/link', '/link/']) {
      expect(() => files.openSync(path, O_RDWR | O_NOFOLLOW)).toThrow(/^E[A-Z]+: .+, open/);
    }
    expect(files.openDescriptors).toBe(0);
  });
});

describe('symbolic links', () => {
  test('lead through 40 others and no more', () => {
    const files = new MemoryFiles();
    files.writeFileSync('/file', 'text');
    files.symlinkSync('file', '/link1');
    for (let index = 2; index <= 41; index++) files.symlinkSync(`link${index - 1}`, `/link${index}`);
    expect(textOf(files, '/link40')).toBe('text');
    expect(() => files.readFileSync('/link41')).toThrow(withCode('ELOOP'));
    expect([files.existsSync('/link40'), files.existsSync('/link41')]).toEqual([true, false]);
  });

  test('make no name of a new directory, unless a directory can be made there', () => {
    const files = new MemoryFiles();
    files.symlinkSync('nowhere', '/link');
    expect(() => files.mkdirSync('/link', { recursive: true })).toThrow(withCode('ENOENT'));
    expect(() => files.mkdirSync('/link/deeper', { recursive: true })).toThrow(withCode('ENOENT'));
    files.mkdirSync('/nowhere');
    expect(files.mkdirSync('/link/deeper', { recursive: true })).toBe('/link/deeper');
    expect(files.readdirSync('/nowhere')).toEqual(['deeper']);
  });

  test('need a target', () => {
    const files = new MemoryFiles();
    expect(() => files.symlinkSync('', '/link')).toThrow(withCode('ENOENT'));
    expect(() => files.symlinkSync('x'.repeat(4096), '/link')).toThrow(withCode('ENAMETOOLONG'));
  });
});

test('a path has up to 4095 bytes, and no zero', () => {
  const files = new MemoryFiles();
  expect(files.lstatSync('/'.repeat(4095), BIGINT).isDirectory()).toBe(true);
  expect(() => files.lstatSync('/'.repeat(4096), BIGINT)).toThrow(withCode('ENAMETOOLONG'));
  expect(() => files.writeFileSync('/file\0', '')).toThrow(withCode('EINVAL'));
});

describe('to fill it', () => {
  test('files are written whole, from bytes or text', () => {
    const files = new MemoryFiles();
    const bytes = patternOf(0, 150_000);
    files.writeFileSync('/bytes', bytes);
    bytes.fill(0);
    expect(isSameBytes(files.readFileSync('/bytes'), patternOf(0, 150_000))).toBe(true);
    files.writeFileSync('/bytes', 'äöü 😀');
    expect(textOf(files, '/bytes')).toBe('äöü 😀');
    files.readFileSync('/bytes').fill(0);
    expect(textOf(files, '/bytes')).toBe('äöü 😀');
    files.mkdirSync('/directory');
    expect(() => files.writeFileSync('/directory', '')).toThrow(withCode('EISDIR'));
    expect(() => files.readFileSync('/directory')).toThrow('EISDIR: illegal operation on a directory, read');
    expect(() => files.readFileSync('/missing')).toThrow(withCode('ENOENT'));
    expect(files.openDescriptors).toBe(0);
  });

  test('directories are made with all on the way to them', () => {
    const files = new MemoryFiles();
    expect(files.mkdirSync('/a/b/c/', { recursive: true })).toBe('/a');
    expect(files.mkdirSync('/a/b/d', { recursive: true })).toBe('/a/b/d');
    expect(files.mkdirSync('/a/b', { recursive: true })).toBeUndefined();
    expect(files.mkdirSync('/', { recursive: true })).toBeUndefined();
    expect(files.readdirSync('/a/b')).toEqual(['c', 'd']);
    files.writeFileSync('/a/file', '');
    expect(() => files.mkdirSync('/a/file', { recursive: true })).toThrow(withCode('EEXIST'));
    expect(() => files.mkdirSync('/a/file/b', { recursive: true })).toThrow(withCode('ENOTDIR'));
    expect(() => files.mkdirSync('/new/directory')).toThrow(withCode('ENOENT'));
  });

  test('names are listed in the order in which they were made', () => {
    const files = new MemoryFiles();
    for (const name of ['z', 'a', '10', '2']) files.writeFileSync(`/${name}`, name);
    expect(files.readdirSync('/')).toEqual(['z', 'a', '10', '2']);
    files.unlinkSync('/a');
    files.writeFileSync('/a', '');
    expect(files.readdirSync('/')).toEqual(['z', '10', '2', 'a']);
  });

  test('what is there can be asked', () => {
    const files = new MemoryFiles();
    files.mkdirSync('/directory');
    files.symlinkSync('missing', '/link');
    expect(['/', '/directory/', '/missing', '/link', ''].map((path) => files.existsSync(path))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('rename', () => {
  test('moves files and directories, with what is in them', () => {
    const files = new MemoryFiles();
    files.mkdirSync('/from/inside', { recursive: true });
    files.writeFileSync('/from/inside/file', 'text');
    files.mkdirSync('/to');
    const inode = inodeOf(files, '/from/inside/file');
    files.renameSync('/from/inside', '/to/there');
    files.renameSync('/to/there/file', '/file');
    expect([files.readdirSync('/from'), files.readdirSync('/to')]).toEqual([[], ['there']]);
    expect(inodeOf(files, '/to/there/..')).toBe(inodeOf(files, '/to'));
    expect([textOf(files, '/file'), inodeOf(files, '/file')]).toEqual(['text', inode]);
  });

  test('takes the place of a file, or of an empty directory', () => {
    const files = new MemoryFiles();
    files.writeFileSync('/one', 'one');
    files.writeFileSync('/other', 'other');
    files.renameSync('/one', '/other');
    expect([textOf(files, '/other'), files.readdirSync('/'), files.usedBytes]).toEqual(['one', ['other'], 3]);
    files.mkdirSync('/directory/inside', { recursive: true });
    files.mkdirSync('/empty');
    expect(() => files.renameSync('/empty', '/directory')).toThrow(withCode('ENOTEMPTY'));
    expect(() => files.renameSync('/directory', '/other')).toThrow(withCode('ENOTDIR'));
    expect(() => files.renameSync('/other', '/directory')).toThrow(withCode('EISDIR'));
    expect(() => files.renameSync('/directory', '/directory/inside/deeper')).toThrow(withCode('EINVAL'));
    expect(() => files.renameSync('/directory/inside', '/directory')).toThrow(withCode('ENOTEMPTY'));
    files.renameSync('/directory', '/empty');
    expect([files.readdirSync('/'), files.readdirSync('/empty')]).toEqual([['other', 'empty'], ['inside']]);
  });

  test('does nothing between two names of one file', () => {
    const files = new MemoryFiles();
    files.writeFileSync('/one', 'text');
    files.linkSync('/one', '/other');
    files.renameSync('/one', '/other');
    expect([files.readdirSync('/'), linksOf(files, '/one')]).toEqual([['one', 'other'], 2n]);
  });
});
