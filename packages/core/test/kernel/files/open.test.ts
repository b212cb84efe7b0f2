/** Files as processes have them: system calls, one after the other and at once. */
import { describe, expect, test } from 'vitest';
import { Machine } from '../../../src/machine/index.js';
import { guestFiles as guestPrograms, MIB, runOn } from '../../support/machine.js';
import { BUFFER, BUFFER_BYTES, CALL, CallsWorld, type Guest, idleProgram, NOWHERE } from './calls-world.js';
import { isSameBytes, patternOf } from './host-file-system.contract.js';
import { type HostCall, hostError, HOSTS, memoryHost, type TestHost, watched } from './hosts.js';

const [RDONLY, WRONLY, RDWR, CREATE, TRUNC] = [0x000, 0x001, 0x002, 0x200, 0x400];
const UNLIMITED = 2 ** 30;
const CONSOLE = 1;
const LARGE_FILES = { limits: { fileBytes: 8 * MIB, inodes: UNLIMITED, diskBlocks: UNLIMITED } };

/** `struct stat`, as C has it. */
const statOf = (process: Guest, descriptor: number) => {
  process.put(BUFFER, new Uint8Array(32).fill(0xee));
  expect(process.call(CALL.fstat, descriptor, BUFFER)).toBe(0);
  const bytes = process.get(BUFFER, 32);
  const view = new DataView(bytes.buffer);
  expect([...bytes.subarray(12, 16)], 'padding').toEqual([0, 0, 0, 0]);
  expect([...bytes.subarray(24)], 'beyond the end').toEqual(Array.from({ length: 8 }, () => 0xee));
  return {
    device: view.getInt32(0, true),
    inode: view.getUint32(4, true),
    type: view.getInt16(8, true),
    links: view.getInt16(10, true),
    size: Number(view.getBigUint64(16, true)),
  };
};

describe.each(HOSTS)('a process with files on %s', (_name, makeHost) => {
  const onWorld = (
    name: string,
    use: (process: Guest, world: CallsWorld, host: TestHost) => void,
    ...options: readonly [
      machine?: ConstructorParameters<typeof CallsWorld>[1],
      kernel?: ConstructorParameters<typeof CallsWorld>[2],
    ]
  ): void =>
    test(name, () => {
      const host = makeHost();
      using world = new CallsWorld(host, ...options);
      use(world.init, world, host);
    });

  describe('opens', () => {
    onWorld('a file to be read, written, or both, by the lowest two bits', (process) => {
      const modes = [
        [RDONLY, true, false],
        [WRONLY, false, true],
        [RDWR, true, true],
        // As on xv6: written by either bit, read without the first.
        [WRONLY | RDWR, false, true],
        // Bits that mean nothing.
        [0x100, true, false],
        [0x8000_0000 | RDWR, true, true],
      ] as const;
      expect(process.call(CALL.open, 'file', CREATE | RDWR)).toBe(3);
      expect(process.write(3, 'text')).toBe(4);
      for (const [flags, reads, writes] of modes) {
        expect(process.call(CALL.open, 'file', flags)).toBe(4);
        expect(process.readText(4, 2), `flags ${flags}`).toBe(reads ? 'te' : -1);
        expect(process.write(4, '!'), `flags ${flags}`).toBe(writes ? 1 : -1);
        expect(process.call(CALL.close, 4)).toBe(0);
        expect(process.call(CALL.open, 'file', WRONLY | TRUNC)).toBe(4);
        expect(process.write(4, 'text')).toBe(4);
        expect(process.call(CALL.close, 4)).toBe(0);
      }
      expect(process.call(CALL.close, 3)).toBe(0);
    });

    onWorld('what is not there only where it is to be made', (process, _world, { fileSystem, directory }) => {
      for (const flags of [RDONLY, WRONLY, RDWR, TRUNC, RDWR | TRUNC]) {
        expect(process.call(CALL.open, 'file', flags)).toBe(-1);
      }
      expect(fileSystem.readdirSync(directory)).toEqual(['idle']);
      // Made to be read alone: an empty file, that cannot be written.
      expect(process.call(CALL.open, 'file', CREATE)).toBe(3);
      expect(process.readText(3)).toBe('');
      expect(process.write(3, 'x')).toBe(-1);
      expect(statOf(process, 3)).toMatchObject({ type: 2, links: 1, size: 0 });
    });

    onWorld(
      'what is there as it is, be it to be made or not, and empties it where it is told to',
      (process) => {
        process.call(CALL.open, 'file', CREATE | RDWR);
        process.write(3, 'text');
        const open = (flags: number): string | -1 => {
          expect(process.call(CALL.open, 'file', flags)).toBe(4);
          const { size } = statOf(process, 4);
          process.call(CALL.close, 4);
          const content = process.contentOf('file');
          expect(content === -1 ? -1 : content.length).toBe(size);
          return content;
        };
        expect(open(CREATE)).toBe('text');
        expect(open(CREATE | RDWR)).toBe('text');
        expect(open(CREATE | WRONLY | TRUNC)).toBe('');
        // What was open has its place still: beyond the end, where nothing can be written.
        expect(process.write(3, 'more')).toBe(-1);
        expect(process.contentOf('file')).toBe('');
        expect(process.call(CALL.open, 'file', WRONLY)).toBe(4);
        expect(process.write(4, 'again')).toBe(5);
        expect(process.call(CALL.close, 4)).toBe(0);
        expect(process.write(3, '!')).toBe(1);
        expect(process.contentOf('file')).toBe('agai!');
        // To be read alone, and emptied all the same: as on xv6.
        expect(open(RDONLY | TRUNC)).toBe('');
      },
    );

    onWorld('a directory to be read, and for nothing else', (process) => {
      expect(process.call(CALL.mkdir, 'd')).toBe(0);
      for (const flags of [WRONLY, RDWR, CREATE, TRUNC, CREATE | RDWR, RDWR | TRUNC]) {
        expect(process.call(CALL.open, 'd', flags), `flags ${flags}`).toBe(-1);
      }
      expect(process.call(CALL.open, 'd', RDONLY)).toBe(3);
      expect(process.write(3, 'x')).toBe(-1);
      expect(statOf(process, 3)).toMatchObject({ type: 1, links: 1, size: 32 });
      expect(process.call(CALL.open, '.', RDONLY)).toBe(4);
      expect(process.call(CALL.open, '', RDONLY)).toBe(-1);
    });

    onWorld('a device by its major number, with or without a driver', (process) => {
      expect(process.call(CALL.mknod, 'nothing', 7, 0)).toBe(0);
      expect(process.call(CALL.open, 'nothing', RDWR | TRUNC)).toBe(3);
      expect(statOf(process, 3)).toMatchObject({ type: 3, links: 1, size: 0 });
      expect(process.read(3, 1)).toBe(-1);
      expect(process.write(3, 'x')).toBe(-1);
      expect(process.call(CALL.open, 'nothing', CREATE | RDWR)).toBe(4);
      for (const major of [-1, 10, 11, 0x7fff, 0x8000]) {
        expect(process.call(CALL.mknod, 'odd', major, 0)).toBe(0);
        expect(process.call(CALL.open, 'odd', RDONLY), `major ${major}`).toBe(-1);
        expect(process.call(CALL.unlink, 'odd')).toBe(0);
      }
      expect(process.call(CALL.mknod, 'terminal', CONSOLE, 0)).toBe(0);
      expect(process.call(CALL.open, 'terminal', WRONLY)).toBe(5);
      expect(process.write(5, 'hello')).toBe(5);
      expect(process.read(5, 1)).toBe(-1);
    });

    onWorld(
      'sixteen descriptors at most, and makes no file for which there is none',
      (process, _world, { fileSystem, directory }) => {
        for (let descriptor = 3; descriptor < 16; descriptor++) {
          expect(process.call(CALL.open, 'file', CREATE | RDWR)).toBe(descriptor);
        }
        expect(process.call(CALL.open, 'other', CREATE | RDWR)).toBe(-1);
        expect(process.call(CALL.open, 'file', RDONLY)).toBe(-1);
        expect(process.call(CALL.dup, 3)).toBe(-1);
        expect(process.call(CALL.pipe, BUFFER)).toBe(-1);
        expect(new Set(fileSystem.readdirSync(directory))).toEqual(new Set(['idle', 'file']));
        expect(process.call(CALL.close, 7)).toBe(0);
        expect(process.call(CALL.pipe, BUFFER)).toBe(-1);
        expect(process.call(CALL.open, 'other', CREATE | RDWR)).toBe(7);
      },
    );

    onWorld(
      'as many files as there may be open in all, and leaves nothing behind beyond',
      (process, world, { fileSystem, directory }) => {
        // The console is one.
        for (let open = 1; open < 5; open++) expect(process.call(CALL.open, 'file', CREATE)).toBe(open + 2);
        expect(process.call(CALL.open, 'other', CREATE)).toBe(-1);
        expect(process.call(CALL.pipe, BUFFER)).toBe(-1);
        expect(process.call(CALL.dup, 3)).toBe(7);
        expect(new Set(fileSystem.readdirSync(directory))).toEqual(new Set(['idle', 'file']));
        // Those of a child are the same.
        const child = process.fork();
        expect(child.call(CALL.open, 'other', CREATE)).toBe(-1);
        expect(process.call(CALL.close, 6)).toBe(0);
        expect(child.call(CALL.open, 'other', CREATE)).toBe(-1);
        expect(child.call(CALL.close, 6)).toBe(0);
        expect(process.call(CALL.open, 'other', CREATE)).toBe(6);
        expect(world.audit()).toEqual([]);
      },
      { limits: { openFiles: 5 } },
    );
  });

  describe('is told by fstat and by directories', () => {
    onWorld('what xv6 would tell', (process) => {
      process.call(CALL.mkdir, 'd');
      process.call(CALL.chdir, 'd');
      process.call(CALL.open, 'a', CREATE | RDWR);
      process.write(3, patternOf(0, 5000));
      expect(process.call(CALL.link, 'a', 'fourteen-bytes')).toBe(0);
      process.call(CALL.mkdir, 'e');
      const file = statOf(process, 3);
      expect(file).toEqual({ device: 1, inode: file.inode, type: 2, links: 2, size: 5000 });
      expect(process.call(CALL.open, '.', RDONLY)).toBe(4);
      const directory = statOf(process, 4);
      expect(directory).toEqual({ device: 1, inode: directory.inode, type: 1, links: 2, size: 5 * 16 });
      const bytes = process.read(4, 1000) as Uint8Array;
      expect(bytes).toHaveLength(5 * 16);
      const entries = Array.from({ length: 5 }, (_, index) => {
        const entry = bytes.subarray(index * 16, index * 16 + 16);
        return [
          new DataView(entry.slice().buffer).getUint16(0, true),
          new TextDecoder().decode(entry.subarray(2)),
        ];
      });
      expect(process.call(CALL.open, 'e', RDONLY)).toBe(5);
      const inner = statOf(process, 5).inode;
      const padded = (name: string): string => name.padEnd(14, '\0');
      expect(entries).toEqual([
        [directory.inode, padded('.')],
        [1, padded('..')],
        [file.inode, padded('a')],
        [file.inode, 'fourteen-bytes'],
        [inner, padded('e')],
      ]);
      // Of a pipe nothing is told.
      expect(process.call(CALL.pipe, BUFFER)).toBe(0);
      expect(process.call(CALL.fstat, 6, BUFFER)).toBe(-1);
      expect(process.call(CALL.fstat, 0, BUFFER)).toBe(0);
      expect(process.call(CALL.fstat, 9, BUFFER)).toBe(-1);
      expect(process.call(CALL.fstat, -1, BUFFER)).toBe(-1);
      expect(process.call(CALL.fstat, 3, NOWHERE)).toBe(-1);
    });

    onWorld(
      'entries in pieces of any size',
      (process, _world, { fileSystem, directory }) => {
        for (let index = 0; index < 600; index++) fileSystem.writeFileSync(`${directory}/name${index}`, '');
        process.call(CALL.open, '.', RDONLY);
        const whole = process.read(3, 20_000) as Uint8Array;
        // '.', '..', the programs, the console.
        expect(whole).toHaveLength((600 + 4) * 16);
        expect(process.read(3, 16)).toHaveLength(0);
        for (const size of [1, 7, 16, 100, 4097]) {
          process.call(CALL.open, '.', RDONLY);
          const bytes = new Uint8Array(whole.length);
          for (let at = 0; at < Math.min(whole.length, 40 * size);) {
            const piece = process.read(4, size) as Uint8Array;
            expect(piece).toHaveLength(Math.min(size, whole.length - at));
            bytes.set(piece, at);
            at += piece.length;
            if (at >= Math.min(whole.length, 40 * size)) {
              expect(isSameBytes(bytes.subarray(0, at), whole.subarray(0, at))).toBe(true);
            }
          }
          process.call(CALL.close, 4);
        }
      },
      { limits: { inodes: UNLIMITED, diskBlocks: UNLIMITED } },
    );
  });

  describe('reads and writes', () => {
    onWorld('from where it is, which dup and fork share and open does not', (process) => {
      process.call(CALL.open, 'file', CREATE | RDWR);
      expect(process.write(3, 'abcdefgh')).toBe(8);
      expect(process.readText(3)).toBe('');
      expect(process.call(CALL.open, 'file', RDWR)).toBe(4);
      expect(process.call(CALL.dup, 4)).toBe(5);
      expect(process.readText(4, 2)).toBe('ab');
      expect(process.readText(5, 2)).toBe('cd');
      const child = process.fork();
      expect(child.readText(4, 2)).toBe('ef');
      expect(process.write(5, 'G')).toBe(1);
      expect(child.readText(5)).toBe('h');
      expect(child.call(CALL.close, 4)).toBe(0);
      expect(process.call(CALL.open, 'file', RDONLY)).toBe(6);
      expect(process.readText(6)).toBe('abcdefGh');
    });

    onWorld('nothing where there is nothing, and stays where it is then', (process) => {
      process.call(CALL.open, 'file', CREATE | RDWR);
      expect(process.write(3, 'abcd')).toBe(4);
      expect(process.call(CALL.write, 3, BUFFER, 0)).toBe(0);
      expect(process.call(CALL.write, 3, NOWHERE, 0)).toBe(0);
      expect(process.call(CALL.write, 3, BUFFER, -1)).toBe(-1);
      expect(process.call(CALL.write, 3, NOWHERE, 10)).toBe(-1);
      expect(process.call(CALL.write, 3, BUFFER, 2 ** 31 - 1)).toBe(-1);
      expect(process.call(CALL.write, 3, BUFFER, 300_000)).toBe(-1);
      expect(statOf(process, 3).size).toBe(4);
      process.call(CALL.open, 'file', RDONLY);
      for (const [at, count] of [
        [NOWHERE, 4],
        [BUFFER, -1],
        [BUFFER, 0],
        [-1, 4],
        [2 ** 38 - 2, 4],
      ] as const) {
        expect(process.call(CALL.read, 4, at, count)).toBe(count === 0 ? 0 : -1);
      }
      expect(process.call(CALL.read, 4, -4096n, 4)).toBe(-1);
      expect(process.call(CALL.read, 4, BUFFER, 2 ** 31 - 1)).toBe(4);
      expect(process.call(CALL.read, 4, NOWHERE, 10)).toBe(0);
    });

    onWorld('up to the largest file, and no byte more', (process) => {
      process.call(CALL.open, 'file', CREATE | RDWR);
      const most = 268 * 1024;
      expect(process.write(3, patternOf(0, most - 1))).toBe(most - 1);
      expect(process.write(3, 'xx')).toBe(-1);
      expect(process.write(3, 'x')).toBe(1);
      expect(process.write(3, 'x')).toBe(-1);
      expect(statOf(process, 3).size).toBe(most);
    });

    onWorld('what is there of bytes that are not all there, and fails all the same', (process) => {
      process.call(CALL.open, 'file', CREATE | RDWR);
      process.put(BUFFER + BUFFER_BYTES - 3, new TextEncoder().encode('abc'));
      expect(process.call(CALL.write, 3, BUFFER + BUFFER_BYTES - 3, 10_000)).toBe(-1);
      expect(process.contentOf('file')).toBe('abc');
      expect(process.write(3, 'def')).toBe(3);
      expect(process.contentOf('file')).toBe('abcdef');
    });

    onWorld(
      'large pieces while others have their turns',
      (process, world) => {
        const other = process.fork();
        const bytes = patternOf(0, BUFFER_BYTES);
        process.call(CALL.open, 'file', CREATE | RDWR);
        process.put(BUFFER, bytes);
        process.begin(CALL.write, 3, BUFFER, bytes.length);
        expect(callsUntilIdle(world, process, other)).toBeGreaterThan(1);
        expect(process.result).toBe(bytes.length);
        expect(process.call(CALL.open, 'file', RDONLY)).toBe(4);
        process.put(BUFFER, new Uint8Array(BUFFER_BYTES));
        process.begin(CALL.read, 4, BUFFER, bytes.length + 1);
        expect(callsUntilIdle(world, process, other)).toBeGreaterThan(1);
        expect(process.result).toBe(bytes.length);
        expect(isSameBytes(process.get(BUFFER, bytes.length), bytes)).toBe(true);
      },
      LARGE_FILES,
    );

    /** How many calls another process makes while one is about its own. */
    const callsUntilIdle = (world: CallsWorld, process: Guest, other: Guest): number => {
      let calls = 0;
      while (!process.isIdle) {
        if (other.isIdle) other.begin(CALL.getpid);
        world.step();
        if (other.isIdle) calls++;
      }
      return calls;
    };

    onWorld(
      'all bytes before some place, and none after it, where it is killed in the middle',
      (process, world) => {
        const other = process.fork();
        const bytes = patternOf(0, BUFFER_BYTES);
        other.call(CALL.open, 'file', CREATE | RDWR);
        other.put(BUFFER, bytes);
        other.begin(CALL.write, 3, BUFFER, bytes.length);
        while (statSize(world) === 0) world.step();
        expect(other.isIdle).toBe(false);
        expect(process.call(CALL.kill, other.process.pid)).toBe(0);
        expect(process.call(CALL.wait, 0)).toBe(other.process.pid);
        expect(world.audit()).toEqual([]);
        const descriptor = process.call(CALL.open, 'file', RDONLY)!;
        const written = process.read(descriptor, BUFFER_BYTES) as Uint8Array;
        expect(written.length).toBeGreaterThan(0);
        expect(written.length).toBeLessThan(bytes.length);
        expect(isSameBytes(written, bytes.subarray(0, written.length))).toBe(true);
      },
      LARGE_FILES,
    );

    /** How many bytes 'file' has now. */
    const statSize = (world: CallsWorld): number => {
      const file = world.machine.files.find(new TextEncoder().encode('/file'), world.machine.files.root);
      return typeof file === 'string' || file.kind !== 'file' ? 0 : file.sizeBytes;
    };

    onWorld('with one place for two, each its own bytes in a row', (process, world) => {
      const bytes = patternOf(0, 260_000);
      process.call(CALL.open, 'file', CREATE | RDWR);
      process.write(3, bytes);
      process.call(CALL.open, 'file', RDONLY);
      const other = process.fork();
      for (const reader of [process, other]) reader.begin(CALL.read, 4, BUFFER, 130_000);
      while (!process.isIdle || !other.isIdle) world.step();
      expect([process.result, other.result]).toEqual([130_000, 130_000]);
      const halves = [process, other].map((reader) => reader.get(BUFFER, 130_000));
      const starts = [bytes.subarray(0, 130_000), bytes.subarray(130_000)];
      const whose = halves.map((half) => starts.findIndex((start) => isSameBytes(half, start)));
      expect(whose.toSorted()).toEqual([0, 1]);
    });

    onWorld('what others write meanwhile, byte for byte old or new', (process) => {
      const [old, young] = [new Uint8Array(100_000).fill(1), new Uint8Array(100_000).fill(2)];
      process.call(CALL.open, 'file', CREATE | RDWR);
      process.write(3, old);
      const readers = [process.fork(), process.fork()];
      for (const reader of readers) expect(reader.call(CALL.open, 'file', RDONLY)).toBe(4);
      process.call(CALL.open, 'file', WRONLY);
      process.put(BUFFER, young);
      process.begin(CALL.write, 4, BUFFER, young.length);
      for (const reader of readers) reader.begin(CALL.read, 4, BUFFER, 100_000);
      const all = [process, ...readers];
      while (all.some(({ isIdle }) => !isIdle)) readers[0]!.call(CALL.getpid);
      for (const reader of readers) {
        expect(reader.result === 100_000 || reader === readers[0]).toBe(true);
        expect(reader.get(BUFFER, 100_000).every((byte) => byte === 1 || byte === 2)).toBe(true);
      }
      expect(isSameBytes(process.get(BUFFER, 0), new Uint8Array())).toBe(true);
      expect(process.contentOf('file')).toBe('\u{2}'.repeat(100_000));
    });
  });

  describe('works in a directory', () => {
    onWorld('that it changes to, where it may, and stays in where it may not', (process, world) => {
      process.call(CALL.mkdir, 'd');
      process.call(CALL.open, 'file', CREATE);
      expect(process.call(CALL.chdir, 'd')).toBe(0);
      for (const path of ['missing', '../file', '../file/.', '', '../missing/x']) {
        expect(process.call(CALL.chdir, path), path).toBe(-1);
      }
      expect(process.call(CALL.chdir, NOWHERE)).toBe(-1);
      expect(process.call(CALL.open, 'here', CREATE)).toBe(4);
      const child = process.fork();
      expect(child.call(CALL.open, '../d/here', RDONLY)).toBe(5);
      expect(child.call(CALL.chdir, '/')).toBe(0);
      expect(child.call(CALL.open, 'here', RDONLY)).toBe(-1);
      expect(process.call(CALL.open, 'here', RDONLY)).toBe(5);
      expect(child.call(CALL.chdir, './.././d/.')).toBe(0);
      expect(world.audit()).toEqual([]);
      expect(child.call(CALL.exit, 0)).toBeUndefined();
      expect(world.audit()).toEqual([]);
    });

    onWorld('that is removed under it, without harm', (process, world) => {
      process.call(CALL.mkdir, 'a');
      process.call(CALL.mkdir, 'a/b');
      process.call(CALL.chdir, 'a/b');
      const child = process.fork();
      expect(child.call(CALL.unlink, '../../a/b')).toBe(0);
      expect(child.call(CALL.unlink, '/a')).toBe(0);
      for (const guest of [process, child]) {
        expect(guest.call(CALL.open, '.', RDONLY)).toBe(3);
        expect(statOf(guest, 3)).toMatchObject({ type: 1, links: 0 });
        expect(guest.call(CALL.close, 3)).toBe(0);
        expect(guest.call(CALL.open, 'x', CREATE)).toBe(-1);
        expect(guest.call(CALL.mkdir, 'x')).toBe(-1);
        expect(guest.call(CALL.chdir, '..')).toBe(-1);
        expect(guest.call(CALL.open, '../x', CREATE)).toBe(-1);
        expect(guest.call(CALL.exec, 'x', guest.argv('x'))).toBe(-1);
        expect(guest.call(CALL.chdir, '/')).toBe(0);
      }
      expect(world.audit()).toEqual([]);
    });

    onWorld(
      'where there is no inode to spare, and stays where it was',
      (process, world) => {
        process.call(CALL.mkdir, 'd');
        // The console, the root, and two.
        process.call(CALL.open, 'a', CREATE);
        process.call(CALL.open, 'b', CREATE);
        expect(process.call(CALL.chdir, 'd')).toBe(-1);
        expect(process.call(CALL.exec, 'idle', process.argv('idle'))).toBe(-1);
        expect(process.call(CALL.open, 'd', RDONLY)).toBe(-1);
        expect(process.call(CALL.open, 'c', CREATE)).toBe(-1);
        expect(process.call(CALL.open, 'a', RDONLY)).toBe(5);
        expect(world.audit()).toEqual([]);
        expect(process.call(CALL.close, 4)).toBe(0);
        expect(process.call(CALL.chdir, 'd')).toBe(0);
        expect(process.call(CALL.open, '../a', RDONLY)).toBe(4);
      },
      { limits: { inodesInMemory: 4 } },
    );
  });

  describe('whose host fails', () => {
    const onFailing = (
      name: string,
      use: (process: Guest, world: CallsWorld, host: TestHost, codes: Map<HostCall, string>) => void,
    ): void =>
      test(name, () => {
        const host = makeHost();
        const codes = new Map<HostCall, string>();
        const fileSystem = watched(host.fileSystem, (call, args) => {
          const code = codes.get(call);
          if (code === undefined) return;
          if (call === 'closeSync') host.fileSystem.closeSync(args[0] as number);
          throw hostError(code);
        });
        using world = new CallsWorld(host, { root: { fileSystem, directory: host.directory } });
        use(world.init, world, host, codes);
        codes.clear();
      });

    onFailing(
      'hears of it from close, and its file is tried again',
      (process, world, { fileSystem, directory }, codes) => {
        process.call(CALL.open, 'file', CREATE | RDWR);
        process.write(3, 'text');
        codes.set('writeSync', 'ENOSPC');
        expect(process.call(CALL.close, 3)).toBe(-1);
        // It is closed.
        expect(process.call(CALL.close, 3)).toBe(-1);
        expect(process.read(3, 1)).toBe(-1);
        expect(world.log).toHaveLength(1);
        expect(process.call(CALL.open, 'file', RDONLY)).toBe(3);
        expect(process.readText(3)).toBe('text');
        codes.clear();
        world.kernel.shutDown();
        expect(world.kernel.unsaved).toEqual([]);
        expect(new TextDecoder().decode(fileSystem.readFileSync(`${directory}/file`))).toBe('text');
      },
    );

    onFailing(
      'ends all the same, with all its files, and it is said what is lost',
      (process, world, _host, codes) => {
        const child = process.fork();
        for (const name of ['a', 'b', 'c']) {
          const descriptor = child.call(CALL.open, name, CREATE | RDWR)!;
          child.write(descriptor, 'text');
        }
        codes.set('writeSync', 'EIO');
        expect(child.call(CALL.exit, 0)).toBeUndefined();
        expect(world.audit()).toEqual([]);
        expect(process.call(CALL.wait, 0)).toBe(child.process.pid);
        world.kernel.shutDown();
        expect(world.kernel.unsaved).toHaveLength(3);
        for (const name of ['a', 'b', 'c']) {
          expect(world.kernel.unsaved).toContainEqual(
            expect.stringMatching(new RegExp(`/${name} could not be`)),
          );
        }
      },
    );

    for (const call of [
      'lstatSync',
      'openSync',
      'readSync',
      'readdirSync',
      'fstatSync',
      'closeSync',
      'ftruncateSync',
    ] as const) {
      onFailing(`in ${call} gets -1 from what it cannot do, and goes on`, (process, world, host, codes) => {
        host.fileSystem.writeFileSync(`${host.directory}/old`, patternOf(0, 9000));
        process.call(CALL.mkdir, 'd');
        process.call(CALL.open, 'file', CREATE | RDWR);
        process.write(3, 'text');
        codes.set(call, 'EIO');
        process.call(CALL.open, 'old', RDWR);
        process.read(4, 5000);
        process.call(CALL.write, 4, BUFFER, 10);
        for (const flags of [RDONLY, CREATE | RDWR, RDWR | TRUNC]) process.call(CALL.open, 'new', flags);
        process.call(CALL.open, 'd', RDONLY);
        process.call(CALL.open, '.', RDONLY);
        process.read(5, 100);
        process.call(CALL.mkdir, 'e');
        process.call(CALL.link, 'file', 'again');
        process.call(CALL.unlink, 'file');
        process.call(CALL.chdir, 'd');
        process.call(CALL.exec, 'idle', process.argv('idle'));
        const child = process.fork();
        for (let descriptor = 3; descriptor < 9; descriptor++) process.call(CALL.close, descriptor);
        child.call(CALL.exit, 0);
        expect(process.call(CALL.wait, 0)).toBe(child.process.pid);
        expect(world.audit()).toEqual([]);
        codes.clear();
        expect(process.call(CALL.open, '/last', CREATE | RDWR)).toBeGreaterThan(2);
      });
    }
  });

  describe('when no frame is free', () => {
    /** Makes a call with every allocation from the n-th on failing, for each n, until it is made. */
    const eachFailure = (world: CallsWorld, begin: () => void, after: (n: number) => void): number => {
      const { machine, init } = world;
      const { memory } = machine;
      for (let n = 1; n < 200; n++) {
        begin();
        let left = n;
        let failed = false;
        memory.failAllocationsWhen(() => {
          if (--left <= 0) failed = true;
          return left <= 0;
        });
        const result = init.finish();
        memory.failAllocationsWhen(undefined);
        expect(world.audit()).toEqual([]);
        if (!failed) return n - 1;
        expect(result, `allocation ${n} fails`).toBe(-1);
        after(n);
      }
      throw new Error('200 failures, and still it wants more');
    };

    onWorld('gets -1 from each call on files, which has changed nothing', (process, world, host) => {
      const bytes = patternOf(0, 30_000);
      host.fileSystem.writeFileSync(`${host.directory}/old`, bytes);
      process.put(BUFFER, patternOf(5, 30_000));
      const attempts: (readonly [number, ...(number | string)[]])[] = [
        [CALL.open, 'old', RDWR],
        [CALL.read, 3, BUFFER, 30_000],
        [CALL.write, 3, BUFFER, 30_000],
        [CALL.fstat, 3, BUFFER],
        [CALL.open, 'new', CREATE | RDWR],
        [CALL.write, 4, BUFFER, 10],
        [CALL.open, '.', RDONLY],
        [CALL.read, 5, BUFFER, 100],
        [CALL.mkdir, 'd'],
        [CALL.link, 'new', 'again'],
        [CALL.unlink, 'again'],
        [CALL.mknod, 'device', 5, 0],
        [CALL.chdir, 'd'],
        [CALL.pipe, BUFFER],
        [CALL.open, '../new', RDWR | TRUNC],
      ];
      const { files } = world.machine;
      const taken = (): readonly number[] => {
        const { inodes, blocks } = files.inodes.budgetOf(files.root.store);
        return [inodes, blocks];
      };
      for (const [number, ...args] of attempts) {
        const before = [...taken(), world.kernel.fileTable.files.size];
        eachFailure(
          world,
          () => process.begin(number, ...args),
          (n) =>
            expect([...taken(), world.kernel.fileTable.files.size], `call ${number}, ${n}`).toEqual(before),
        );
        // It has been made in the end, once.
        expect(process.result, `call ${number}`).toBeGreaterThanOrEqual(0);
      }
      for (let descriptor = 3; descriptor < 9; descriptor++)
        expect(process.call(CALL.close, descriptor)).toBe(0);
      const old = host.fileSystem.readFileSync(`${host.directory}/old`);
      expect(old).toHaveLength(60_000);
      expect(isSameBytes(old.subarray(0, 30_000), bytes)).toBe(true);
    });

    onWorld('cannot fork, and neither its files nor its directory are held once more', (process, world) => {
      process.call(CALL.mkdir, 'd');
      process.call(CALL.chdir, 'd');
      process.call(CALL.open, 'file', CREATE | RDWR);
      process.call(CALL.pipe, BUFFER);
      const failures = eachFailure(
        world,
        () => process.begin(CALL.fork),
        () => expect(world.kernel.processes.size).toBe(1),
      );
      expect(failures).toBeGreaterThan(0);
      expect(world.kernel.processes.size).toBe(2);
    });

    onWorld('cannot exec, and is as it was', (process, world, host) => {
      host.fileSystem.writeFileSync(`${host.directory}/next`, idleProgram(1));
      process.call(CALL.open, 'file', CREATE | RDWR);
      process.write(3, 'text');
      const frames = world.machine.memory.freeFrames;
      const failures = eachFailure(
        world,
        () => process.begin(CALL.exec, 'next', process.argv('next', 'argument')),
        () => {
          expect(process.process.name).toBe('idle');
          // But for the pages of the file, which may have come in.
          expect(frames - world.machine.memory.freeFrames).toBeLessThan(8);
        },
      );
      expect(failures).toBeGreaterThan(0);
      expect(process.process.name).toBe('next');
      expect(process.contentOf('file')).toBe('text');
    });
  });

  describe('runs a program', () => {
    onWorld(
      'that does not change for it, whatever is done to its file',
      (process, world, { fileSystem, directory }) => {
        fileSystem.writeFileSync(`${directory}/program`, idleProgram(7));
        const text = (guest: Guest): Uint8Array => guest.get(0x1000, 12);
        const child = process.fork();
        child.call(CALL.exec, 'program', child.argv('program'));
        const before = text(child);
        process.call(CALL.open, 'program', RDWR);
        expect(process.write(3, new Uint8Array(8192).fill(0xff))).toBe(8192);
        expect(text(child)).toEqual(before);
        const grandchild = child.fork();
        expect(process.call(CALL.open, 'program', RDWR | TRUNC)).toBe(4);
        expect(process.call(CALL.exec, 'program', process.argv('program'))).toBe(-1);
        expect(process.call(CALL.unlink, 'program')).toBe(0);
        expect(process.call(CALL.exec, 'program', process.argv('program'))).toBe(-1);
        expect(process.call(CALL.open, 'program', CREATE | RDWR)).toBe(5);
        process.write(5, idleProgram(8));
        const other = process.fork();
        other.call(CALL.exec, 'program', other.argv('program'));
        for (const guest of [child, grandchild]) {
          expect(text(guest)).toEqual(before);
          expect(guest.call(CALL.getpid)).toBe(guest.process.pid);
        }
        expect(text(other)).not.toEqual(before);
        expect(world.audit()).toEqual([]);
        for (const guest of [grandchild, child, other]) expect(guest.call(CALL.exit, 0)).toBeUndefined();
      },
    );

    onWorld('only where it is one, and keeps what it has open', (process, world) => {
      process.call(CALL.mkdir, 'd');
      process.call(CALL.open, 'text', CREATE | RDWR);
      process.write(3, 'this is no program');
      process.call(CALL.open, 'empty', CREATE | RDWR);
      process.call(CALL.mknod, 'device', 5, 0);
      for (const path of ['d', 'text', 'empty', 'device', 'missing', '', 'text/x', 'console']) {
        expect(process.call(CALL.exec, path, process.argv('x')), path).toBe(-1);
        expect(world.audit(), path).toEqual([]);
      }
      expect(process.call(CALL.exec, 'idle', NOWHERE)).toBe(-1);
      process.call(CALL.chdir, 'd');
      process.call(CALL.exec, '../idle', process.argv('idle'));
      expect(process.process.state).toBe('runnable');
      expect(process.call(CALL.getpid)).toBe(1);
      // The end of what was written, in the same directory.
      expect(process.readText(3)).toBe('');
      expect(process.contentOf('../text')).toBe('this is no program');
      expect(world.audit()).toEqual([]);
    });

    onWorld('that has just been written, also while it is open to be written', (process) => {
      process.call(CALL.open, 'program', CREATE | RDWR);
      process.write(3, idleProgram(3));
      const child = process.fork();
      child.call(CALL.exec, 'program', child.argv('program'));
      expect(child.process.name).toBe('program');
      expect(process.write(3, patternOf(0, 5000))).toBe(5000);
      expect(child.call(CALL.getpid)).toBe(child.process.pid);
      expect(process.call(CALL.close, 3)).toBe(0);
    });
  });
});

describe('a machine that runs one program after another', () => {
  const runs = async (machine: Machine, ...argv: [string, ...string[]]): Promise<string> =>
    (await runOn(machine, argv)).text;

  test('keeps what is written, frees all memory, and holds no descriptor of the host’s between', async () => {
    using host = memoryHost();
    const { fileSystem, directory } = host;
    using machine = new Machine({
      memoryBytes: 4 * MIB,
      root: { fileSystem, directory },
      files: guestPrograms,
    });
    expect(await runs(machine, '/init', '/sh', '-c', 'echo one > file; mkdir d; echo two > d/file')).toBe('');
    expect(host.openDescriptors()).toBe(0);
    expect(await runs(machine, '/init', '/cat', 'file', 'd/file')).toBe('one\ntwo\n');
    fileSystem.writeFileSync(`${directory}/file`, 'the host’s\n');
    expect(await runs(machine, '/init', '/cat', 'file')).toBe('the host’s\n');
    expect(host.openDescriptors()).toBe(0);
  });

  test('has its console, whatever the program before has put in its place', async () => {
    using world = new CallsWorld(memoryHost());
    const { init: process, machine } = world;
    expect(process.call(CALL.unlink, '/console')).toBe(0);
    expect(process.call(CALL.mknod, '/console', 7, 0)).toBe(0);
    world.kernel.shutDown();
    machine.writeFile('/echo', guestPrograms['/echo']!);
    let text = '';
    const output = { write: (bytes: Uint8Array) => void (text += new TextDecoder().decode(bytes)) };
    await machine.run(['/echo', 'hello'], { output });
    expect(text).toBe('hello\n');
  });

  test('writes nothing into a store that is read-only', () => {
    using host = memoryHost();
    const { fileSystem, directory } = host;
    const boot = (): unknown =>
      new Machine({ root: { fileSystem, directory, access: 'read-only' }, files: { '/file': 'text' } });
    expect(boot).toThrow(expect.objectContaining({ code: 'EROFS' }));
    expect(fileSystem.readdirSync(directory)).toEqual([]);
  });

  test('puts no file outside its directory', () => {
    using host = memoryHost();
    const { fileSystem, directory } = host;
    fileSystem.symlinkSync('..', `${directory}/up`);
    for (const path of ['/../made', '/up/made', '/d/../../made']) {
      try {
        new Machine({ root: { fileSystem, directory }, files: { [path]: 'text' } }).close();
      } catch {
        // Refused is as good.
      }
    }
    expect(new Set(fileSystem.readdirSync(`${directory}/..`))).toEqual(new Set(['machine', 'outside']));
  });
});
