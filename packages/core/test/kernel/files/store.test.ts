import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { InvalidArgument } from '../../../src/frame/index.js';
import { type HostFile, Store } from '../../../src/kernel/files/store.js';
import { type HostCall, hostError, HOSTS, memoryHost, nodeHost, type TestHost, watched } from './hosts.js';

const storeOf = (
  { fileSystem, directory }: TestHost,
  access: 'read-write' | 'read-only' = 'read-write',
): Store => new Store({ fileSystem, directory, access }, 1);

type Failure = (call: HostCall, args: readonly unknown[]) => Error | undefined;

/** A store whose host fails in some calls. */
const failing = (
  host: TestHost,
  failure: Failure,
  access: 'read-write' | 'read-only' = 'read-write',
): Store => {
  const fileSystem = watched(host.fileSystem, (call, args) => {
    const error = failure(call, args);
    if (error !== undefined) throw error;
  });
  return new Store({ fileSystem, directory: host.directory, access }, 1);
};

const mustOpen = (opened: HostFile | string): HostFile => {
  if (typeof opened === 'string') throw new Error(`not opened: ${opened}`);
  return opened;
};

const openedAs = ({ fileSystem }: TestHost, opened: HostFile | string): 'to write' | 'to read' | string => {
  if (typeof opened === 'string') return opened;
  fileSystem.closeSync(opened.fd);
  return opened.writable ? 'to write' : 'to read';
};

const withHost = (make: () => TestHost, use: (host: TestHost) => void): void => {
  using host = make();
  use(host);
  expect(host.openDescriptors()).toBe(0);
};

describe.each(HOSTS)('a store on %s', (_name, makeHost) => {
  const onHost = (name: string, use: (host: TestHost) => void): void =>
    test(name, () => withHost(makeHost, use));

  onHost('is a directory, and nothing else', ({ fileSystem, directory }) => {
    fileSystem.writeFileSync(`${directory}/file`, '');
    fileSystem.mkdirSync(`${directory}/real`);
    fileSystem.symlinkSync('real', `${directory}/link`);
    for (const name of ['file', 'missing', 'link']) {
      expect(() => new Store({ fileSystem, directory: `${directory}/${name}` }, 1)).toThrow(InvalidArgument);
    }
    expect(() => new Store({ fileSystem, directory: `${directory}/real` }, 1)).not.toThrow();
  });

  onHost('has the same paths, be there a slash at the end of its directory or not', (host) => {
    host.fileSystem.writeFileSync(`${host.directory}/file`, 'text');
    const store = new Store({ fileSystem: host.fileSystem, directory: `${host.directory}/` }, 1);
    expect(store.names('')).toEqual(['file']);
    expect(store.describe('/file')).toBe(`${host.directory}/file`);
  });

  onHost('opens no symbolic link, wherever it leads', (host) => {
    host.fileSystem.writeFileSync(`${host.directory}/file`, 'text');
    for (const target of ['file', '../outside', 'missing', 'loop']) {
      const name = target === 'loop' ? 'loop' : 'link';
      host.fileSystem.symlinkSync(target, `${host.directory}/${name}`);
      expect(storeOf(host).open(`/${name}`)).toBe('ELOOP');
      expect(storeOf(host, 'read-only').open(`/${name}`)).toBe('ELOOP');
      host.fileSystem.unlinkSync(`${host.directory}/${name}`);
    }
  });

  onHost('makes no file through a symbolic link that leads to none', (host) => {
    host.fileSystem.symlinkSync('../made', `${host.directory}/link`);
    expect(storeOf(host).create('/link')).toBe('EEXIST');
    expect(() => host.fileSystem.lstatSync(`${host.directory}/../made`, { bigint: true })).toThrow('ENOENT');
  });

  onHost('opens no directory as a file', (host) => {
    host.fileSystem.mkdirSync(`${host.directory}/directory`);
    expect(storeOf(host).open('/directory')).toBe('EISDIR');
    expect(typeof storeOf(host, 'read-only').open('/directory')).toBe('string');
  });

  onHost('makes a file that is not there, and no other', (host) => {
    const store = storeOf(host);
    const made = mustOpen(store.create('/file'));
    host.fileSystem.closeSync(made.fd);
    expect(made).toMatchObject({ writable: true, stats: { size: 0n, nlink: 1n } });
    expect(store.create('/file')).toBe('EEXIST');
    host.fileSystem.mkdirSync(`${host.directory}/directory`);
    expect(store.create('/directory')).toBe('EEXIST');
    expect(store.create('/missing/file')).toBe('ENOENT');
    expect(store.create('/file/file')).toBe('ENOTDIR');
  });

  onHost('that is read-only changes nothing, and asks the host for nothing', (host) => {
    host.fileSystem.writeFileSync(`${host.directory}/file`, 'text');
    host.fileSystem.mkdirSync(`${host.directory}/directory`);
    const store = storeOf(host, 'read-only');
    const before = store.hostCalls;
    expect([
      store.create('/new'),
      store.makeDirectory('/new'),
      store.removeDirectory('/directory'),
      store.unlink('/file'),
      store.link('/file', '/new'),
    ]).toEqual(Array.from({ length: 5 }, () => 'EROFS'));
    expect(store.hostCalls).toBe(before);
    expect(openedAs(host, store.open('/file'))).toBe('to read');
    expect(new Set(host.fileSystem.readdirSync(host.directory))).toEqual(new Set(['file', 'directory']));
  });

  onHost('counts what files take: each once, and nothing that a link leads to', (host) => {
    const { fileSystem, directory } = host;
    fileSystem.writeFileSync(`${directory}/file`, new Uint8Array(5000));
    fileSystem.linkSync(`${directory}/file`, `${directory}/again`);
    fileSystem.mkdirSync(`${directory}/inner`);
    fileSystem.writeFileSync(`${directory}/inner/empty`, '');
    fileSystem.symlinkSync('../../outside', `${directory}/inner/link`);
    fileSystem.symlinkSync('..', `${directory}/inner/up`);
    const contents = [...storeOf(host).contents(16)];
    const sizes = contents.map(({ sizeBytes }) => sizeBytes).toSorted((one, other) => one - other);
    // An empty file; two links of so many characters; a directory of 3 names and one of 3; a file of 5000 bytes.
    expect(sizes).toEqual([0, '..'.length, '../../outside'.length, 5 * 16, 5 * 16, 5000]);
    expect(new Set(contents.map(({ key }) => key)).size).toBe(6);
  });

  onHost('counts its calls to the host', (host) => {
    const store = storeOf(host);
    const before = store.hostCalls;
    store.stats('/missing');
    store.names('');
    expect(store.hostCalls - before).toBe(2);
  });

  describe('where the host fails', () => {
    for (const code of ['EACCES', 'EPERM', 'EROFS', 'ETXTBSY']) {
      onHost(`opens to read alone what may not be written: ${code}`, (host) => {
        host.fileSystem.writeFileSync(`${host.directory}/file`, 'text');
        const { O_RDWR } = host.fileSystem.constants;
        const store = failing(host, (call, args) =>
          call === 'openSync' && ((args[1] as number) & O_RDWR) !== 0 ? hostError(code) : undefined,
        );
        expect(openedAs(host, store.open('/file'))).toBe('to read');
      });
    }

    onHost('says why, in the words that a machine has, and EIO for all others', (host) => {
      const codes = { ENOSPC: 'ENOSPC', ENOENT: 'ENOENT', EPERM: 'EACCES', EMFILE: 'EIO', EDQUOT: 'EIO' };
      for (const [code, problem] of Object.entries(codes)) {
        const store = failing(host, (call) => (call === 'mkdirSync' ? hostError(code) : undefined));
        expect(store.makeDirectory('/directory')).toBe(problem);
      }
      expect(storeOf(host).names('')).toEqual([]);
    });

    onHost('lets through what is no host error: a mistake of its own', (host) => {
      const store = failing(host, (call) =>
        call === 'readdirSync' ? new TypeError('a mistake') : undefined,
      );
      expect(() => store.names('')).toThrow('a mistake');
    });

    onHost('closes what it cannot look at', (host) => {
      host.fileSystem.writeFileSync(`${host.directory}/file`, 'text');
      const store = failing(host, (call) => (call === 'fstatSync' ? hostError('EIO') : undefined));
      expect(store.open('/file')).toBe('EIO');
      expect(host.openDescriptors()).toBe(0);
    });

    onHost('leaves no file that it has made and cannot look at', (host) => {
      const store = failing(host, (call) => (call === 'fstatSync' ? hostError('EIO') : undefined));
      expect(store.create('/file')).toBe('EIO');
      expect(host.fileSystem.readdirSync(host.directory)).toEqual([]);
    });

    onHost('survives a descriptor that fails when it is closed', (host) => {
      const { fileSystem, directory } = host;
      fileSystem.mkdirSync(`${directory}/directory`);
      const failure: Failure = (call, args) => {
        if (call !== 'closeSync') return undefined;
        fileSystem.closeSync(args[0] as number);
        return hostError('EIO');
      };
      // A directory can be opened to be read, and is closed again, for it is no file.
      expect(failing(host, failure, 'read-only').open('/directory')).toBe('EACCES');
    });
  });
});

describe('what a host has besides files and directories is refused:', () => {
  test('a named pipe, without waiting for its other end', () => {
    withHost(nodeHost, (host) => {
      execFileSync('mkfifo', [join(host.directory, 'pipe')]);
      expect(storeOf(host).open('/pipe')).toBe('EACCES');
      expect(storeOf(host, 'read-only').open('/pipe')).toBe('EACCES');
    });
  });

  test('a device', () => {
    const store = new Store({ fileSystem: fs, directory: '/dev' }, 1);
    expect(store.open('/null')).toBe('EACCES');
    expect(store.open('/zero')).toBe('EACCES');
  });

  test('a socket', async () => {
    using host = nodeHost();
    const server = createServer().listen(join(host.directory, 'socket'));
    await once(server, 'listening');
    try {
      expect(typeof storeOf(host).open('/socket')).toBe('string');
    } finally {
      server.close();
    }
    expect(host.openDescriptors()).toBe(0);
  });
});

test('a program that the host itself runs can be read', async () => {
  using host = nodeHost();
  const path = join(host.directory, 'program');
  fs.copyFileSync('/bin/sleep', path);
  fs.chmodSync(path, 0o755);
  const running = spawn(path, ['60']);
  await once(running, 'spawn');
  try {
    expect(openedAs(host, storeOf(host).open('/program'))).toBe('to read');
  } finally {
    running.kill();
    await once(running, 'exit');
  }
});

test('a file that takes the place of another between the look and the opening is looked at again', () => {
  using host = memoryHost();
  const { fileSystem, directory } = host;
  fileSystem.writeFileSync(`${directory}/file`, 'text');
  const store = failing(host, (call) => {
    if (call === 'openSync') {
      fileSystem.unlinkSync(`${directory}/file`);
      fileSystem.symlinkSync('../outside', `${directory}/file`);
    }
    return undefined;
  });
  expect(store.open('/file')).toBe('ELOOP');
});
