/** The pager over a file, with a module of files that the test makes: short reads and writes, and what goes wrong. */
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/frame/index.js';
import { filePager, type FilePagerOptions, type HostFiles, type PagerError } from '../../src/vmo/index.js';
import {
  errorOf,
  expectBytes,
  expectPagerError,
  makeObjects,
  patternOf,
  readByte,
  writeByte,
} from './paged.js';

/** One file, in memory. */
class OneFile implements HostFiles {
  readonly calls: string[] = [];
  bytes: Uint8Array;
  isRegular = true;
  /** The most bytes that a call reads or writes. */
  most = Infinity;
  failing: string | undefined;

  constructor(sizeBytes: number) {
    this.bytes = patternOf(0, sizeBytes);
  }

  openSync(path: string, flags: 'r' | 'r+'): number {
    this.#note(`open ${path} ${flags}`);
    return 5;
  }

  fstatSync(fd: number): { readonly size: number; isFile(): boolean } {
    this.#note(`fstat ${fd}`);
    return { size: this.bytes.length, isFile: () => this.isRegular };
  }

  readSync(fd: number, into: Uint8Array, offset: number, length: number, position: number): number {
    this.#note(`read ${fd} ${position}+${length}`);
    const count = Math.max(Math.min(length, this.most, this.bytes.length - position), 0);
    into.set(this.bytes.subarray(position, position + count), offset);
    return count;
  }

  writeSync(fd: number, from: Uint8Array, offset: number, length: number, position: number): number {
    this.#note(`write ${fd} ${position}+${length}`);
    const count = Math.min(length, this.most);
    this.bytes.set(from.subarray(offset, offset + count), position);
    return count;
  }

  ftruncateSync(fd: number, sizeBytes: number): void {
    this.#note(`ftruncate ${fd} ${sizeBytes}`);
    const bytes = new Uint8Array(sizeBytes);
    bytes.set(this.bytes.subarray(0, sizeBytes));
    this.bytes = bytes;
  }

  closeSync(fd: number): void {
    this.#note(`close ${fd}`);
  }

  heard(): string[] {
    return this.calls.splice(0);
  }

  #note(call: string): void {
    this.calls.push(call);
    if (this.failing !== undefined && call.startsWith(this.failing))
      throw new Error(`cannot ${this.failing}`);
  }
}

const open = (sizeBytes: number, options: FilePagerOptions = {}) => {
  const files = new OneFile(sizeBytes);
  const pager = filePager(files, '/image', options);
  const vmo = makeObjects().create({ size: pager.size, pager, resizable: true, name: 'image' });
  expect(files.heard()).toEqual([`open /image ${options.mode ?? 'r'}`, 'fstat 5']);
  return { files, pager, vmo };
};

const causeOf = (attempt: () => unknown): unknown => (errorOf(attempt) as PagerError).cause;

describe('reading', () => {
  test('takes what is wanted, and the size from the file', () => {
    const { files, vmo } = open(2.5 * PAGE_SIZE);
    expect(vmo.size).toBe(2.5 * PAGE_SIZE);
    expectBytes(
      vmo.readSync(PAGE_SIZE, new Uint8Array(1.5 * PAGE_SIZE)),
      patternOf(PAGE_SIZE, 1.5 * PAGE_SIZE),
    );
    expect(files.heard()).toEqual([`read 5 ${PAGE_SIZE}+${1.5 * PAGE_SIZE}`]);
  });

  test('goes on where a call gives less than was asked for', () => {
    const { files, vmo } = open(PAGE_SIZE);
    files.most = 1500;
    expectBytes(vmo.readSync(0, new Uint8Array(PAGE_SIZE)), patternOf(0, PAGE_SIZE));
    expect(files.heard()).toEqual(['read 5 0+4096', 'read 5 1500+2596', 'read 5 3000+1096']);
  });

  test('a file that was cut by someone else ends too soon', () => {
    const { files, vmo } = open(2 * PAGE_SIZE);
    files.bytes = files.bytes.slice(0, PAGE_SIZE + 5);
    expect(causeOf(() => readByte(vmo, 1))).toMatchObject({
      code: 'ESTALE',
      message: '/image ends at 0x1005: it had 8192 bytes, and has been cut since',
    });
    expect(readByte(vmo, 0)).toBe(patternOf(0, 1)[0]);
  });

  test('what the module throws is the cause', () => {
    const { files, vmo } = open(PAGE_SIZE);
    files.failing = 'read';
    expectPagerError(
      errorOf(() => readByte(vmo, 0)),
      'the pager of image failed in commit of bytes 0x0 to 0x1000: cannot read',
    );
  });
});

describe("mode 'r'", () => {
  test('refuses a write, before anything is changed', () => {
    const { files, vmo } = open(PAGE_SIZE);
    const error = errorOf(() => writeByte(vmo, 0, 1));
    expectPagerError(error, "/image, which is open with mode 'r', cannot be written");
    expect((error as PagerError).cause).toMatchObject({ code: 'EACCES' });
    expect(readByte(vmo, 0)).toBe(patternOf(0, 1)[0]);
    vmo.syncSync();
    vmo.close();
    expect(files.heard()).toEqual(['read 5 0+4096', 'close 5']);
  });
});

describe("mode 'r+'", () => {
  test('writes back what was changed, and cuts and grows the file first', () => {
    const { files, pager, vmo } = open(2 * PAGE_SIZE, { mode: 'r+' });
    vmo.resizeSync(PAGE_SIZE + 5);
    vmo.resizeSync(3 * PAGE_SIZE + 7);
    vmo.writeSync(3 * PAGE_SIZE, patternOf(1, 7));
    vmo.syncSync();
    expect(files.heard()).toEqual([
      'ftruncate 5 4101',
      `ftruncate 5 ${3 * PAGE_SIZE + 7}`,
      `write 5 ${3 * PAGE_SIZE}+7`,
    ]);
    expect(pager.size).toBe(3 * PAGE_SIZE + 7);
    const expected = new Uint8Array(3 * PAGE_SIZE + 7);
    expected.set(patternOf(0, PAGE_SIZE + 5));
    expected.set(patternOf(1, 7), 3 * PAGE_SIZE);
    expectBytes(files.bytes, expected);
    expectBytes(vmo.readSync(0, new Uint8Array(vmo.size)), expected);
  });

  test('goes on where a call takes less than it was given', () => {
    const { files, vmo } = open(PAGE_SIZE, { mode: 'r+' });
    vmo.writeSync(0, new Uint8Array(PAGE_SIZE).fill(7));
    files.most = 3000;
    vmo.syncSync();
    expect(files.heard()).toEqual(['write 5 0+4096', 'write 5 3000+1096']);
    expectBytes(files.bytes, new Uint8Array(PAGE_SIZE).fill(7));
  });

  test('a file that takes nothing, or throws, leaves the pages dirty', () => {
    const { files, vmo } = open(PAGE_SIZE, { mode: 'r+' });
    writeByte(vmo, 0, 7);
    files.most = 0;
    expect(causeOf(() => vmo.syncSync())).toMatchObject({
      code: 'EIO',
      message: '/image takes no bytes at 0x0',
    });
    files.failing = 'write';
    expect(causeOf(() => vmo.syncSync())).toMatchObject({ message: 'cannot write' });
    expect(() => vmo.close()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    files.failing = undefined;
    files.most = Infinity;
    vmo.syncSync();
    vmo.close();
    expect(files.bytes[0]).toBe(7);
  });
});

describe('opening and closing', () => {
  test('the descriptor is closed once, with the object', () => {
    const { files, pager, vmo } = open(PAGE_SIZE);
    vmo.detachPager();
    vmo.close();
    pager.close();
    expect(files.heard()).toEqual(['close 5']);
  });

  test('a pager that was closed by itself says so', () => {
    const { pager, vmo } = open(PAGE_SIZE, { mode: 'r+' });
    writeByte(vmo, 0, 1);
    pager.close();
    expect(causeOf(() => vmo.syncSync())).toMatchObject({
      code: 'EBADF',
      message: 'the pager of /image is closed',
    });
    vmo.detachPager();
    vmo.close();
  });

  test('what is no regular file is refused, and closed', () => {
    const files = new OneFile(0);
    files.isRegular = false;
    expect(() => filePager(files, '/dev/null')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(files.heard()).toEqual(['open /dev/null r', 'fstat 5', 'close 5']);
  });

  test('what the module throws is thrown, and nothing stays open', () => {
    const files = new OneFile(0);
    files.failing = 'open';
    expect(() => filePager(files, '/image')).toThrow('cannot open');
    files.failing = 'fstat';
    expect(() => filePager(files, '/image')).toThrow('cannot fstat');
    expect(files.heard()).toEqual(['open /image r', 'open /image r', 'fstat 5', 'close 5']);
  });

  test('a mode that there is not opens nothing', () => {
    const files = new OneFile(0);
    expect(() => filePager(files, '/image', { mode: 'w' as 'r' })).toThrow(
      expect.objectContaining({ code: 'EINVAL', message: "there is no mode w: give 'r' or 'r+'" }),
    );
    expect(files.heard()).toEqual([]);
  });

  test('an object that is larger than the file hears so', () => {
    const pager = filePager(new OneFile(5), '/image');
    const vmo = makeObjects().create({ size: 6, pager });
    expect(causeOf(() => readByte(vmo, 0))).toMatchObject({ code: 'EINVAL' });
  });
});
