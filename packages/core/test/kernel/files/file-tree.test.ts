import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { HostStats } from '../../../src/kernel/files/host-file-system.js';
import { MemoryFiles } from '../../../src/kernel/files/memory-files.js';
import { O_CREATE, O_RDWR, O_WRONLY } from '../../../src/kernel/files/open.js';
import { HOSTS, memoryHost, nodeHost, type TestHost, watched } from './hosts.js';
import { bytesOf, type TreeOptions, TreeWorld } from './tree-world.js';

const UNLIMITED = 2 ** 30;
const NO_DISK_LIMITS = { inodes: UNLIMITED, diskBlocks: UNLIMITED };

const namesOf = (tree: TreeWorld, path: string): string[] => [...tree.list(path).keys()].toSorted();
const numberOf = (tree: TreeWorld, path: string): number => {
  const found = tree.find(path);
  if (typeof found === 'string') throw new Error(`${path}: ${found}`);
  return found.number;
};

describe.each(HOSTS)('the files of a machine on %s', (_name, makeHost) => {
  /** A test of a tree over a directory that `fill` has filled. */
  const onTree = (
    name: string,
    use: (tree: TreeWorld, host: TestHost) => void,
    { fill, ...options }: TreeOptions & { readonly fill?: (host: TestHost) => void } = {},
  ): void =>
    test(name, () => {
      const host = makeHost();
      fill?.(host);
      using tree = new TreeWorld(host, options);
      use(tree, host);
    });

  describe('paths', () => {
    onTree('lead from the root where they begin with a slash, and else from a directory', (tree) => {
      tree.mkdir('/one');
      tree.mkdir('/one/two');
      tree.create('/one/two/file', 'inner');
      tree.create('/file', 'outer');
      const two = tree.directory('/one/two');
      expect(tree.contentOf('file', two)).toBe('inner');
      expect(tree.contentOf('/file', two)).toBe('outer');
      expect(tree.contentOf('../../file', two)).toBe('outer');
      expect(tree.contentOf('./../two/./file', two)).toBe('inner');
      expect(tree.find('', two)).toBe('ENOENT');
      expect(tree.find('.', two)).toBe(two);
      expect(tree.find('///', two)).toBe(tree.root);
      expect(tree.contentOf('//one//two///file')).toBe('inner');
      expect(tree.contentOf('/one/two/file/')).toBe('inner');
    });

    onTree('never lead above the root', (tree) => {
      tree.mkdir('/one');
      const one = tree.directory('/one');
      expect(tree.find('..')).toBe(tree.root);
      expect(tree.find('/../../../..')).toBe(tree.root);
      expect(tree.find('../../..', one)).toBe(tree.root);
      for (const path of ['/../outside', '../outside', '/one/../../outside', '../machine/../../outside']) {
        expect(tree.find(path)).toBe('ENOENT');
      }
      expect(tree.mkdir('/../made')).toBeUndefined();
      expect(tree.find('/made')).toBe(tree.directory('/made'));
    });

    onTree('lead through no file', (tree) => {
      tree.create('/file');
      for (const path of ['/file/x', '/file/.', '/file/..']) expect(tree.find(path)).toBe('ENOTDIR');
      expect(tree.mkdir('/file/x')).toBe('ENOTDIR');
      expect(tree.tryOpen('/file/x', O_CREATE | O_RDWR)).toBe('ENOTDIR');
    });

    onTree('may be as deep as they like', (tree) => {
      let path = '';
      for (let depth = 0; depth < 51; depth++) expect(tree.mkdir((path += '/d'))).toBeUndefined();
      tree.create(`${path}/file`, 'deep');
      expect(tree.contentOf(`${path}/file`)).toBe('deep');
      expect(tree.find('../'.repeat(51), tree.directory(path))).toBe(tree.root);
    });
  });

  describe('names', () => {
    onTree('count as far as 14 bytes, and longer ones are cut', (tree, { fileSystem, directory }) => {
      tree.create('/123456789abcde-and-more', 'cut');
      expect(fileSystem.readdirSync(directory)).toEqual(['123456789abcde']);
      expect(tree.contentOf('/123456789abcde')).toBe('cut');
      expect(tree.contentOf('/123456789abcdeXYZ')).toBe('cut');
      expect(tree.find('/123456789abcd')).toBe('ENOENT');
      expect(tree.mkdir('/123456789abcdeQ')).toBe('EEXIST');
    });

    onTree(
      'that the host has and that are longer are found, shown and taken away by their first bytes',
      (tree, host) => {
        host.fileSystem.writeFileSync(tree.at('/long-name-of-a-host'), 'host');
        expect(namesOf(tree, '/')).toContain('long-name-of-a');
        expect(tree.contentOf('/long-name-of-a')).toBe('host');
        expect(tree.contentOf('/long-name-of-a-host')).toBe('host');
        expect(tree.mkdir('/long-name-of-a')).toBe('EEXIST');
        expect(tree.unlink('/long-name-of-a')).toBeUndefined();
        expect(host.fileSystem.readdirSync(host.directory)).toEqual([]);
      },
    );

    onTree(
      'of two files that are cut alike stand for one of them, and after its end for the other',
      (tree, host) => {
        host.fileSystem.writeFileSync(tree.at('/long-name-of-a-one'), 'one');
        host.fileSystem.writeFileSync(tree.at('/long-name-of-a-other'), 'other');
        const first = tree.contentOf('/long-name-of-a');
        expect(['one', 'other']).toContain(first);
        expect(tree.unlink('/long-name-of-a')).toBeUndefined();
        const second = tree.contentOf('/long-name-of-a');
        expect([first, second].toSorted()).toEqual(['one', 'other']);
        expect(tree.unlink('/long-name-of-a')).toBeUndefined();
        expect(tree.unlink('/long-name-of-a')).toBe('ENOENT');
      },
    );

    onTree('prefer who has exactly them to who is cut to them', (tree, host) => {
      host.fileSystem.writeFileSync(tree.at('/aaaaaaaaaaaaaa-longer'), 'longer');
      host.fileSystem.writeFileSync(tree.at('/aaaaaaaaaaaaaa'), 'exact');
      expect(tree.contentOf('/aaaaaaaaaaaaaa')).toBe('exact');
    });

    onTree('that were cut show what the host has since put in their place', (tree, host) => {
      host.fileSystem.writeFileSync(tree.at('/long-name-of-a-one'), 'one');
      expect(tree.contentOf('/long-name-of-a')).toBe('one');
      host.fileSystem.unlinkSync(tree.at('/long-name-of-a-one'));
      host.fileSystem.writeFileSync(tree.at('/long-name-of-a-other'), 'other');
      expect(tree.contentOf('/long-name-of-a')).toBe('other');
    });

    onTree(
      'have as many bytes as a machine is told',
      (tree, { fileSystem, directory }) => {
        tree.create('/a-name-of-thirty-bytes-exactly', 'all');
        tree.create('/a-name-of-thirty-bytes-exactlY', 'other');
        expect(fileSystem.readdirSync(directory)).toHaveLength(2);
        expect(tree.contentOf('/a-name-of-thirty-bytes-exactly-not')).toBe('all');
        expect(namesOf(tree, '/')).toContain('a-name-of-thirty-bytes-exactly');
        // '.', '..' and the two, of 32 bytes each.
        expect(tree.open('/').read(1000)).toHaveLength(4 * 32);
      },
      { limits: { nameBytes: 30 } },
    );

    onTree('are cut between bytes, not between characters, and are found so', (tree, host) => {
      // Thirteen letters, and a character of two bytes of which one is left.
      host.fileSystem.writeFileSync(tree.at('/abcdefghijklmé'), 'cut');
      const cut = bytesOf('/abcdefghijklmé').subarray(0, 15);
      expect(tree.contentOf(cut)).toBe('cut');
      const directory = tree.open('/');
      const bytes = directory.read(16 * 3);
      expect(bytes).toHaveLength(48);
      expect((bytes as Uint8Array).subarray(34)).toEqual(cut.subarray(1));
      directory.close();
    });

    onTree('that are no text stand for nothing that has a longer name', (tree) => {
      tree.create('/é', 'text');
      const half = Uint8Array.of(0x2f, 0xc3);
      expect(tree.find(half)).toBe('ENOENT');
      expect(tree.unlink(half)).toBe('ENOENT');
      expect(tree.contentOf('/é')).toBe('text');
    });

    onTree('that are no text make nothing, or what is found by them again', (tree) => {
      for (const bytes of [[0xff], [0xc3], [0x61, 0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf8, 0x88]]) {
        const path = Uint8Array.of(0x2f, ...bytes);
        const made = tree.tryOpen(path, O_CREATE | O_RDWR);
        if (typeof made === 'string') {
          expect(tree.find(path)).toBe('ENOENT');
          continue;
        }
        made.close();
        expect(tree.unlink(path)).toBeUndefined();
      }
      expect(namesOf(tree, '/')).toEqual(['.', '..']);
    });

    onTree('with a byte order mark are not those without', (tree) => {
      tree.create('/\u{FEFF}name', 'marked');
      tree.create('/name', 'plain');
      expect(tree.contentOf('/\u{FEFF}name')).toBe('marked');
      expect(tree.contentOf('/name')).toBe('plain');
    });

    onTree('with odd bytes lead nowhere else', (tree, { fileSystem, directory }) => {
      const odd = ['a\\b', '..\\outside', 'a:b', 'a\nb', '...', ' ', '~', '$HOME', '%2e%2e', '-', 'a\u{7f}'];
      for (const name of odd) {
        const made = tree.tryOpen(`/${name}`, O_CREATE | O_RDWR);
        if (typeof made === 'string') {
          expect(name).toContain('\\');
          continue;
        }
        made.close();
        expect(fileSystem.readdirSync(directory)).toEqual([name]);
        expect(tree.unlink(`/${name}`)).toBeUndefined();
        expect(fileSystem.readdirSync(directory)).toEqual([]);
      }
    });

    onTree('cannot have a zero byte', (tree, { fileSystem, directory }) => {
      expect(typeof tree.find('/a\0b')).toBe('string');
      expect(typeof tree.mkdir('/a\0b')).toBe('string');
      expect(typeof tree.tryOpen('/a\0b', O_CREATE)).toBe('string');
      expect(fileSystem.readdirSync(directory)).toEqual([]);
    });

    onTree('. and .. are made and taken by nobody', (tree) => {
      tree.mkdir('/directory');
      const directory = tree.directory('/directory');
      for (const path of ['.', '..', './', '/directory/.', '/directory/..', '/', '/..']) {
        expect(typeof tree.unlink(path, directory), path).toBe('string');
        expect(typeof tree.mkdir(path, directory), path).toBe('string');
        expect(typeof tree.link('/directory', path, directory), path).toBe('string');
        expect(typeof tree.tryOpen(path, O_CREATE | O_RDWR, directory), path).toBe('string');
      }
      expect(tree.find('/directory')).toBe(directory);
    });
  });

  describe('symbolic links of the host', () => {
    onTree('are followed within the machine', (tree, { fileSystem }) => {
      tree.mkdir('/directory');
      tree.create('/directory/file', 'text');
      fileSystem.symlinkSync('directory/file', tree.at('/relative'));
      fileSystem.symlinkSync('/directory/file', tree.at('/absolute'));
      fileSystem.symlinkSync('../directory', tree.at('/directory/round'));
      fileSystem.symlinkSync('absolute', tree.at('/twice'));
      fileSystem.symlinkSync('directory', tree.at('/middle'));
      for (const path of ['/relative', '/absolute', '/directory/round/file', '/twice', '/middle/file']) {
        expect(tree.file(path), path).toBe(tree.file('/directory/file'));
      }
      // The directory that a link leads to has its own '..'.
      expect(tree.find('/middle/..')).toBe(tree.root);
    });

    onTree(
      'lead nowhere outside, in the middle of a path or at its end',
      (tree, { fileSystem, directory }) => {
        const above = directory.slice(0, directory.lastIndexOf('/'));
        const targets = [
          '../outside',
          `${above}/outside`,
          '../../../../../../../../outside',
          `/..${above}/outside`,
        ];
        for (const [index, target] of targets.entries()) {
          fileSystem.symlinkSync(target, tree.at(`/link${index}`));
          expect(tree.find(`/link${index}`), target).toBe('ENOENT');
          expect(typeof tree.tryOpen(`/link${index}`, O_CREATE | O_WRONLY), target).toBe('string');
        }
        for (const [index, target] of ['..', '../..', above || '/..', '/../..', '/'].entries()) {
          fileSystem.symlinkSync(target, tree.at(`/up${index}`));
          expect(tree.find(`/up${index}/outside`), target).toBe('ENOENT');
          expect(typeof tree.mkdir(`/up${index}/outside/x`), target).toBe('string');
        }
        expect(new TextDecoder().decode(fileSystem.readFileSync(`${directory}/../outside`))).toBe(
          'nobody may read this',
        );
      },
    );

    onTree('may stand in a row of eight, and not of nine', (tree, { fileSystem }) => {
      tree.create('/link0', 'text');
      for (let index = 1; index <= 9; index++) {
        fileSystem.symlinkSync(`link${index - 1}`, tree.at(`/link${index}`));
      }
      expect(tree.contentOf('/link8')).toBe('text');
      expect(tree.find('/link9')).toBe('ELOOP');
    });

    onTree('that lead round and round are an error', (tree, { fileSystem }) => {
      fileSystem.symlinkSync('self', tree.at('/self'));
      fileSystem.symlinkSync('pong', tree.at('/ping'));
      fileSystem.symlinkSync('ping/x', tree.at('/pong'));
      for (const path of ['/self', '/ping', '/pong/y']) expect(tree.find(path)).toBe('ELOOP');
      expect(typeof tree.tryOpen('/self', O_CREATE | O_RDWR)).toBe('string');
    });

    onTree('that lead to nothing make nothing', (tree, { fileSystem, directory }) => {
      fileSystem.symlinkSync('missing', tree.at('/link'));
      expect(typeof tree.tryOpen('/link', O_CREATE | O_RDWR)).toBe('string');
      expect(tree.mkdir('/link')).toBe('EEXIST');
      expect(fileSystem.readdirSync(directory)).toEqual(['link']);
    });

    onTree('are taken away themselves, not what they lead to', (tree, { fileSystem, directory }) => {
      tree.create('/file', 'text');
      fileSystem.symlinkSync('file', tree.at('/link'));
      fileSystem.symlinkSync('../outside', tree.at('/out'));
      expect(tree.unlink('/link')).toBeUndefined();
      expect(tree.unlink('/out')).toBeUndefined();
      expect(fileSystem.readdirSync(directory)).toEqual(['file']);
      expect(tree.contentOf('/file')).toBe('text');
    });

    onTree('lead to exactly what they say, not to what is cut to it', (tree, { fileSystem }) => {
      fileSystem.writeFileSync(tree.at('/aaaaaaaaaaaaaa-longer'), 'longer');
      fileSystem.symlinkSync('aaaaaaaaaaaaaa', tree.at('/link'));
      expect(tree.find('/link')).toBe('ENOENT');
    });

    onTree('are shown in a directory with a number', (tree, { fileSystem }) => {
      fileSystem.symlinkSync('missing', tree.at('/link'));
      expect(tree.list('/').get('link')).toBeGreaterThan(0);
    });

    onTree('in the place of a working directory lead nowhere outside', (tree, { fileSystem, directory }) => {
      const above = directory.slice(0, directory.lastIndexOf('/'));
      fileSystem.mkdirSync(`${above}/secrets`);
      fileSystem.writeFileSync(`${above}/secrets/file`, 'secret');
      fileSystem.mkdirSync(`${above}/secrets/empty`);
      tree.mkdir('/one');
      tree.mkdir('/one/work');
      const work = tree.directory('/one/work');
      expect(tree.files.inodes.hold(work)).toBeUndefined();
      const listed = tree.open('/one/work');
      // Somebody on the host puts a link in the place of a directory that is in use.
      fileSystem.renameSync(tree.at('/one/work'), tree.at('/one/was'));
      fileSystem.symlinkSync('../../secrets', tree.at('/one/work'));
      const outside = [
        typeof tree.find('file', work),
        typeof tree.tryOpen('file', O_RDWR, work),
        typeof tree.tryOpen('new', O_CREATE | O_RDWR, work),
        typeof tree.mkdir('new', work),
        typeof tree.unlink('file', work),
        typeof tree.unlink('empty', work),
        typeof tree.find('../work/file', work),
      ];
      // What it had was not there: neither its name nor that there is something of that name outside.
      expect(listed.readText()).not.toContain('file');
      expect(outside).toEqual(outside.map(() => 'string'));
      expect(new Set(fileSystem.readdirSync(`${above}/secrets`))).toEqual(new Set(['file', 'empty']));
      listed.close();
      tree.files.inodes.release(work);
    });

    onTree(
      'in the place of a directory above a working directory lead nowhere outside',
      (tree, { fileSystem, directory }) => {
        const above = directory.slice(0, directory.lastIndexOf('/'));
        fileSystem.mkdirSync(`${above}/secrets`);
        fileSystem.mkdirSync(`${above}/secrets/work`);
        fileSystem.writeFileSync(`${above}/secrets/work/file`, 'secret');
        tree.mkdir('/one');
        tree.mkdir('/one/work');
        const work = tree.directory('/one/work');
        expect(tree.files.inodes.hold(work)).toBeUndefined();
        fileSystem.renameSync(tree.at('/one'), tree.at('/was'));
        fileSystem.symlinkSync('../secrets', tree.at('/one'));
        expect(typeof tree.find('file', work)).toBe('string');
        expect(typeof tree.unlink('file', work)).toBe('string');
        expect(fileSystem.readdirSync(`${above}/secrets/work`)).toEqual(['file']);
        tree.files.inodes.release(work);
      },
    );
  });

  describe('inode numbers', () => {
    onTree('begin with the root, are each one file’s, and are used again', (tree) => {
      expect(tree.root.number).toBe(1);
      tree.create('/a');
      tree.create('/b');
      tree.mkdir('/c');
      const numbers = ['/a', '/b', '/c'].map((path) => numberOf(tree, path));
      expect(new Set([1, ...numbers]).size).toBe(4);
      expect(tree.list('/')).toEqual(
        new Map([
          ['.', 1],
          ['..', 1],
          ['a', numbers[0]],
          ['b', numbers[1]],
          ['c', numbers[2]],
        ]),
      );
      tree.unlink('/a');
      tree.create('/d');
      expect(numberOf(tree, '/d')).toBe(numbers[0]);
    });

    onTree('stay with a file that is open when its name is another’s', (tree) => {
      tree.create('/a', 'old');
      const open = tree.open('/a');
      const old = numberOf(tree, '/a');
      tree.unlink('/a');
      tree.create('/a', 'new');
      expect(numberOf(tree, '/a')).not.toBe(old);
      expect(open.readText()).toBe('old');
      open.close();
      expect(tree.contentOf('/a')).toBe('new');
    });

    onTree(
      'never exceed the number of files that there may be',
      (tree) => {
        for (let round = 0; round < 300; round++) {
          tree.create(`/f${round % 3}`);
          expect(numberOf(tree, `/f${round % 3}`)).toBeLessThanOrEqual(20);
          tree.unlink(`/f${round % 3}`);
        }
      },
      { limits: { inodes: 20 } },
    );
  });

  describe('link counts', () => {
    onTree('of a file are its names', (tree) => {
      tree.create('/a', 'text');
      expect(tree.link('/a', '/b')).toBeUndefined();
      tree.mkdir('/directory');
      expect(tree.link('/b', '/directory/c')).toBeUndefined();
      expect(tree.files.stat(tree.file('/a'))).toMatchObject({ type: 2, links: 3, sizeBytes: 4 });
      expect(tree.file('/directory/c')).toBe(tree.file('/a'));
      expect(tree.unlink('/a')).toBeUndefined();
      expect(tree.files.stat(tree.file('/b')).links).toBe(2);
      expect(tree.link('/directory', '/other')).toBe('EISDIR');
      expect(tree.link('/missing', '/other')).toBe('ENOENT');
      expect(tree.link('/b', '/directory/c')).toBe('EEXIST');
      expect(tree.link('/b', '/directory')).toBe('EEXIST');
      expect(tree.files.stat(tree.file('/b')).links).toBe(2);
    });

    onTree('of a directory are its name, and the directories in it', (tree) => {
      const linksOf = (path: string): number => tree.files.stat(tree.directory(path)).links;
      tree.mkdir('/a');
      expect(linksOf('/a')).toBe(1);
      tree.mkdir('/a/b');
      tree.mkdir('/a/c');
      tree.create('/a/file');
      expect(linksOf('/a')).toBe(3);
      tree.unlink('/a/b');
      expect(linksOf('/a')).toBe(2);
    });

    onTree(
      'of the root count the directories that were there before',
      (tree) => {
        expect(tree.files.stat(tree.root).links).toBe(3);
      },
      {
        fill: ({ fileSystem, directory }) => {
          fileSystem.mkdirSync(`${directory}/one`);
          fileSystem.mkdirSync(`${directory}/two`);
        },
      },
    );
  });

  describe('directories', () => {
    onTree('are removed when they are empty, and not before', (tree, { fileSystem, directory }) => {
      tree.mkdir('/a');
      tree.create('/a/file');
      expect(tree.unlink('/a')).toBe('ENOTEMPTY');
      expect(tree.unlink('/a/file')).toBeUndefined();
      expect(tree.unlink('/a')).toBeUndefined();
      expect(tree.find('/a')).toBe('ENOENT');
      expect(fileSystem.readdirSync(directory)).toEqual([]);
    });

    onTree('that are removed while they are used show nothing, and take nothing new', (tree) => {
      tree.mkdir('/a');
      tree.mkdir('/a/b');
      const b = tree.directory('/a/b');
      tree.files.inodes.hold(b);
      const listed = tree.open('/a/b');
      expect(tree.unlink('/a/b')).toBeUndefined();
      expect(tree.find('.', b)).toBe(b);
      expect(tree.find('..', b)).toBe(tree.directory('/a'));
      for (const path of ['x', './x', '../b', '../b/x']) expect(tree.find(path, b)).toBe('ENOENT');
      expect(typeof tree.tryOpen('x', O_CREATE | O_RDWR, b)).toBe('string');
      expect(typeof tree.mkdir('x', b)).toBe('string');
      expect(typeof tree.link('/a', 'x', b)).toBe('string');
      expect(typeof tree.unlink('x', b)).toBe('string');
      expect(tree.files.stat(b)).toMatchObject({ type: 1, links: 0 });
      // A new directory of the name is another.
      tree.mkdir('/a/b');
      tree.create('/a/b/x');
      expect(tree.find('x', b)).toBe('ENOENT');
      tree.unlink('/a/b/x');
      tree.unlink('/a/b');
      tree.unlink('/a');
      expect(tree.find('..', b)).toBe('ENOENT');
      expect(tree.find('../c', b)).toBe('ENOENT');
      listed.close();
      tree.files.inodes.release(b);
      expect(tree.audit()).toEqual([]);
      expect(tree.taken).toEqual([1, 1]);
    });

    onTree('keep each name in its place while they are read, and fill holes first', (tree) => {
      for (const name of ['a', 'b', 'c']) tree.create(`/${name}`);
      tree.unlink('/b');
      const directory = tree.open('/');
      const bytes = directory.read(1000) as Uint8Array;
      const numbers = Array.from({ length: bytes.length / 16 }, (_, slot) => bytes[16 * slot]);
      expect(numbers).toEqual([1, 1, numberOf(tree, '/a'), 0, numberOf(tree, '/c')]);
      expect(bytes.subarray(48, 64)).toEqual(new Uint8Array(16));
      tree.create('/d');
      expect(tree.files.stat(tree.root).sizeBytes).toBe(5 * 16);
      expect([...tree.list('/').keys()]).toEqual(['.', '..', 'a', 'd', 'c']);
      directory.close();
    });

    onTree('show what the host has added and taken when they are opened', (tree, { fileSystem }) => {
      tree.create('/a');
      tree.create('/b');
      fileSystem.unlinkSync(tree.at('/a'));
      fileSystem.writeFileSync(tree.at('/c'), 'host');
      expect(namesOf(tree, '/')).toEqual(['.', '..', 'b', 'c']);
      expect(tree.contentOf('/c')).toBe('host');
      expect(tree.find('/a')).toBe('ENOENT');
    });

    onTree('that the host removes are gone, also for who works in them', (tree, { fileSystem }) => {
      tree.mkdir('/a');
      const a = tree.directory('/a');
      tree.files.inodes.hold(a);
      fileSystem.rmdirSync(tree.at('/a'));
      expect(tree.find('/a')).toBe('ENOENT');
      expect(tree.find('x', a)).toBe('ENOENT');
      expect(typeof tree.mkdir('x', a)).toBe('string');
      expect(typeof tree.tryOpen('x', O_CREATE | O_RDWR, a)).toBe('string');
      expect(tree.find('/', a)).toBe(tree.root);
      tree.files.inodes.release(a);
      expect(tree.audit()).toEqual([]);
    });

    onTree('that the host moves keep who works in them', (tree, { fileSystem }) => {
      tree.mkdir('/a');
      tree.create('/a/file', 'text');
      const a = tree.directory('/a');
      tree.files.inodes.hold(a);
      fileSystem.renameSync(tree.at('/a'), tree.at('/z'));
      expect(tree.directory('/z')).toBe(a);
      expect(tree.contentOf('file', a)).toBe('text');
      tree.files.inodes.release(a);
    });
  });

  describe('what files take of the disk', () => {
    /** A directory's entries, '.' and '..' included, of 16 bytes: blocks of 1024. */
    const directoryBlocks = (entries: number): number => Math.ceil((entries * 16) / 1024);

    onTree('is an inode each, a block for each 1024 bytes, and one more beyond twelve', (tree) => {
      expect(tree.taken).toEqual([1, 1]);
      tree.create('/empty');
      expect(tree.taken).toEqual([2, 1]);
      tree.create('/small', 'x');
      expect(tree.taken).toEqual([3, 2]);
      tree.create('/twelve', new Uint8Array(12 * 1024));
      expect(tree.taken).toEqual([4, 14]);
      tree.create('/thirteen', new Uint8Array(12 * 1024 + 1));
      expect(tree.taken).toEqual([5, 14 + 13 + 1]);
      tree.mkdir('/directory');
      expect(tree.taken).toEqual([6, 29]);
      tree.link('/small', '/again');
      expect(tree.taken).toEqual([6, 29]);
    });

    onTree('is given back by all ways in which files end', (tree) => {
      tree.create('/a', new Uint8Array(3000));
      tree.link('/a', '/b');
      tree.unlink('/a');
      expect(tree.taken).toEqual([2, 4]);
      tree.unlink('/b');
      expect(tree.taken).toEqual([1, 1]);
      // Open when its name goes.
      const open = tree.open('/c', O_CREATE | O_RDWR);
      open.write(new Uint8Array(5000));
      tree.unlink('/c');
      expect(tree.taken).toEqual([2, 6]);
      open.write(new Uint8Array(1000));
      expect(tree.taken).toEqual([2, 7]);
      open.close();
      expect(tree.taken).toEqual([1, 1]);
      tree.mkdir('/d');
      tree.files.makeDevice(bytesOf('/d/device'), tree.root, 3, 4);
      expect(tree.taken).toEqual([3, 2]);
      tree.unlink('/d/device');
      tree.unlink('/d');
      expect(tree.taken).toEqual([1, 1]);
    });

    onTree('grows with the names of a directory, and stays with its holes', (tree) => {
      tree.mkdir('/d');
      tree.create('/d/first');
      // 62 names, '.' and '..' are 64 entries: one block.
      for (let index = 1; index < 62; index++) tree.link('/d/first', `/d/${index}`);
      expect(tree.taken).toEqual([3, 2]);
      tree.link('/d/first', '/d/62');
      expect(tree.taken).toEqual([3, 3]);
      for (let index = 1; index <= 62; index++) tree.unlink(`/d/${index}`);
      tree.unlink('/d/first');
      expect(tree.taken).toEqual([2, 1 + directoryBlocks(65)]);
      tree.create('/d/new');
      expect(tree.taken).toEqual([3, 3]);
      tree.unlink('/d/new');
      tree.unlink('/d');
      expect(tree.taken).toEqual([1, 1]);
    });

    onTree('is not changed by what fails', (tree) => {
      tree.create('/file', new Uint8Array(2000));
      tree.mkdir('/directory');
      tree.create('/directory/inner');
      const before = tree.taken;
      tree.mkdir('/file');
      tree.mkdir('/missing/x');
      tree.link('/missing', '/x');
      tree.link('/file', '/directory');
      tree.unlink('/directory');
      tree.unlink('/missing');
      tree.tryOpen('/directory', O_CREATE | O_RDWR);
      tree.tryOpen('/file/x', O_CREATE | O_RDWR);
      tree.files.makeDevice(bytesOf('/file'), tree.root, 1, 1);
      expect(tree.taken).toEqual(before);
    });

    onTree(
      'may be all there is: then nothing more is made, until something goes',
      (tree) => {
        // The root, and four more.
        for (const name of ['a', 'b', 'c']) tree.create(`/${name}`);
        tree.mkdir('/d');
        expect(tree.tryOpen('/e', O_CREATE | O_RDWR)).toBe('ENOSPC');
        expect(tree.mkdir('/e')).toBe('ENOSPC');
        expect(tree.files.makeDevice(bytesOf('/e'), tree.root, 1, 1)).toBe('ENOSPC');
        expect(tree.link('/a', '/e')).toBeUndefined();
        tree.unlink('/b');
        tree.create('/f');
        expect(tree.taken[0]).toBe(5);
      },
      { limits: { inodes: 5 } },
    );

    onTree(
      'of blocks may be all there is: writes are refused then, and what there was is there',
      (tree) => {
        tree.create('/a', new Uint8Array(8 * 1024));
        const b = tree.open('/b', O_CREATE | O_RDWR);
        expect(b.write('one')).toBe(3);
        expect(b.write(new Uint8Array(1022))).toBe(-1);
        expect(b.write(new Uint8Array(1021))).toBe(1021);
        expect(tree.mkdir('/c')).toBe('ENOSPC');
        tree.unlink('/a');
        expect(b.write(new Uint8Array(1024))).toBe(1024);
        b.close();
        expect(tree.contentOf('/b')).toHaveLength(2048);
      },
      { limits: { diskBlocks: 10 } },
    );

    onTree(
      'is counted at the start: hard links once, links of the host’s as they are, and directories',
      (tree) => {
        // The root with its names; a directory of 100 names; a file of 20 blocks and one of numbers; two of one block.
        expect(tree.taken).toEqual([
          1 + 1 + 1 + 1 + 1 + 97,
          directoryBlocks(2 + 4) + directoryBlocks(2 + 100) + 21 + 1 + 1,
        ]);
        tree.unlink('/link');
        tree.unlink('/file');
        tree.unlink('/d/again');
        tree.unlink('/d/link');
        tree.unlink('/small');
        for (let index = 0; index < 97; index++) tree.unlink(`/d/${index}`);
        tree.unlink('/d/other');
        tree.unlink('/d');
        expect(tree.taken).toEqual([1, 1]);
      },
      {
        fill: ({ fileSystem, directory }) => {
          fileSystem.mkdirSync(`${directory}/d`);
          fileSystem.writeFileSync(`${directory}/file`, new Uint8Array(20 * 1024));
          fileSystem.linkSync(`${directory}/file`, `${directory}/d/again`);
          fileSystem.linkSync(`${directory}/file`, `${directory}/d/other`);
          fileSystem.writeFileSync(`${directory}/small`, 'x');
          fileSystem.linkSync(`${directory}/small`, `${directory}/d/link`);
          fileSystem.symlinkSync('small', `${directory}/link`);
          for (let index = 0; index < 97; index++) fileSystem.writeFileSync(`${directory}/d/${index}`, '');
        },
      },
    );

    onTree('is as before when what the host has added is taken away', (tree, { fileSystem }) => {
      for (let index = 0; index < 10; index++) {
        fileSystem.writeFileSync(tree.at(`/${index}`), new Uint8Array(4096));
        expect(tree.unlink(`/${index}`)).toBeUndefined();
      }
      expect(tree.taken).toEqual([1, 1]);
    });

    onTree(
      'is not counted where nothing is limited, and nothing is refused',
      (tree) => {
        for (let index = 0; index < 300; index++) tree.create(`/${index}`, 'x');
        expect(tree.list('/').size).toBe(302);
      },
      { limits: NO_DISK_LIMITS },
    );
  });

  describe('inodes in memory', () => {
    onTree(
      'are as many as the limit says, and each that is let go makes room',
      (tree) => {
        for (let index = 0; index < 6; index++) tree.create(`/${index}`);
        const open = [0, 1, 2, 3].map((index) => tree.open(`/${index}`));
        expect(tree.tryOpen('/4')).toBe('ENFILE');
        expect(tree.tryOpen('/new', O_CREATE | O_RDWR)).toBe('ENFILE');
        expect(tree.find('/new')).toBe('ENOENT');
        // One that is held already needs no more room.
        tree.open('/3').close();
        expect(tree.taken[0]).toBe(7);
        open.pop()!.close();
        expect(tree.contentOf('/4')).toBe('');
        for (const file of open) file.close();
        expect(tree.audit()).toEqual([]);
      },
      { limits: { inodesInMemory: 4 } },
    );
  });

  describe('devices', () => {
    onTree('have names like files, and nothing on the host', (tree, { fileSystem, directory }) => {
      expect(tree.files.makeDevice(bytesOf('/device'), tree.root, 7, 9)).toBeUndefined();
      expect(tree.files.makeDevice(bytesOf('/device'), tree.root, 7, 9)).toBe('EEXIST');
      expect(tree.find('/device')).toMatchObject({ kind: 'device', major: 7, minor: 9, links: 1 });
      expect(tree.link('/device', '/again')).toBeUndefined();
      expect(tree.find('/again')).toBe(tree.find('/device'));
      expect(namesOf(tree, '/')).toEqual(['.', '..', 'again', 'device']);
      expect(fileSystem.readdirSync(directory)).toEqual([]);
      tree.unlink('/device');
      expect(tree.find('/again')).toMatchObject({ links: 1 });
      tree.unlink('/again');
      expect(tree.find('/again')).toBe('ENOENT');
      expect(tree.taken).toEqual([1, 1]);
    });

    onTree('keep their directory from being removed', (tree) => {
      tree.mkdir('/dev');
      tree.files.makeDevice(bytesOf('/dev/x'), tree.root, 1, 1);
      expect(tree.unlink('/dev')).toBe('ENOTEMPTY');
      tree.unlink('/dev/x');
      expect(tree.unlink('/dev')).toBeUndefined();
    });
  });
});

describe('stores that are mounted', () => {
  const mounted = (access: 'read-write' | 'read-only' = 'read-write'): [TreeWorld, MemoryFiles] => {
    const host = memoryHost();
    host.fileSystem.mkdirSync(`${host.directory}/usr`);
    host.fileSystem.writeFileSync(`${host.directory}/root-file`, 'root');
    const other = new MemoryFiles();
    other.mkdirSync('/programs');
    other.writeFileSync('/programs/tool', 'tool');
    other.writeFileSync('/beside', 'beside');
    const store = { fileSystem: other, directory: '/programs', access };
    const { fileSystem, directory } = host;
    return [new TreeWorld(host, { root: { fileSystem, directory }, mounts: { '/usr/bin': store } }), other];
  };

  test('are seen in their directory, and lead back to the one above', () => {
    using tree = mounted()[0];
    expect(tree.contentOf('/usr/bin/tool')).toBe('tool');
    expect(namesOf(tree, '/usr')).toEqual(['.', '..', 'bin']);
    const bin = tree.directory('/usr/bin');
    expect(tree.find('..', bin)).toBe(tree.directory('/usr'));
    expect(tree.find('../..', bin)).toBe(tree.root);
    expect(tree.find('../beside', bin)).toBe('ENOENT');
    expect(tree.list('/usr/bin').get('..')).toBe(tree.directory('/usr').number);
    expect(tree.files.stat(bin).device).not.toBe(tree.files.stat(tree.root).device);
  });

  test('are not removed, replaced, or linked from elsewhere', () => {
    using tree = mounted()[0];
    expect(tree.unlink('/usr/bin')).toBe('EBUSY');
    expect(tree.mkdir('/usr/bin')).toBe('EEXIST');
    expect(tree.unlink('/usr')).toBe('ENOTEMPTY');
    expect(tree.link('/usr/bin/tool', '/tool')).toBe('EXDEV');
    expect(tree.link('/root-file', '/usr/bin/file')).toBe('EXDEV');
    expect(tree.link('/usr/bin/tool', '/usr/bin/again')).toBeUndefined();
  });

  test('have their own disk', () => {
    const [tree, other] = mounted();
    using _ = tree;
    const before = tree.taken;
    tree.create('/usr/bin/new', new Uint8Array(4096));
    expect(tree.taken).toEqual(before);
    expect(other.readFileSync('/programs/new')).toHaveLength(4096);
  });

  test('take a link of theirs that begins with a slash from the machine’s root', () => {
    const [tree, other] = mounted();
    using _ = tree;
    other.symlinkSync('/root-file', '/programs/to-root');
    other.symlinkSync('../beside', '/programs/up');
    other.symlinkSync('/programs/tool', '/programs/own');
    expect(tree.contentOf('/usr/bin/to-root')).toBe('root');
    expect(tree.find('/usr/bin/up')).toBe('ENOENT');
    expect(tree.find('/usr/bin/own')).toBe('ENOENT');
  });

  test('that are read-only take no change of any kind', () => {
    const [tree, other] = mounted('read-only');
    using _ = tree;
    expect(tree.tryOpen('/usr/bin/new', O_CREATE | O_RDWR)).toBe('EROFS');
    expect(tree.mkdir('/usr/bin/new')).toBe('EROFS');
    expect(tree.unlink('/usr/bin/tool')).toBe('EROFS');
    expect(tree.link('/usr/bin/tool', '/usr/bin/new')).toBe('EROFS');
    expect(tree.files.makeDevice(bytesOf('/usr/bin/new'), tree.root, 1, 1)).toBe('EROFS');
    expect(typeof tree.tryOpen('/usr/bin/tool', O_WRONLY)).toBe('string');
    expect(typeof tree.tryOpen('/usr/bin/tool', 0x400)).toBe('string');
    expect(tree.contentOf('/usr/bin/tool')).toBe('tool');
    expect(other.readdirSync('/programs')).toEqual(['tool']);
    expect(tree.audit()).toEqual([]);
  });

  test('need a directory that they are in', () => {
    using host = memoryHost();
    const { fileSystem, directory } = host;
    const store = { fileSystem: new MemoryFiles() };
    const mount = (path: string) => (): TreeWorld =>
      new TreeWorld(host, { root: { fileSystem, directory }, mounts: { [path]: store } });
    fileSystem.writeFileSync(`${directory}/file`, '');
    for (const path of ['/missing/bin', '/file/bin', '/', '', '/..', '/.']) {
      expect(mount(path), path).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    }
  });
});

describe('a host with many files', () => {
  const manyFiles = (count: number): TestHost => {
    const host = memoryHost();
    host.fileSystem.mkdirSync(`${host.directory}/many`);
    for (let index = 0; index < count; index++) {
      host.fileSystem.writeFileSync(`${host.directory}/many/${index}`, `content ${index}`);
    }
    return host;
  };

  test('has more than the machine knows at a time: what is in use is known all along', () => {
    const host = manyFiles(10_000);
    using tree = new TreeWorld(host, { limits: NO_DISK_LIMITS });
    tree.mkdir('/work');
    tree.mkdir('/work/inner');
    tree.files.makeDevice(bytesOf('/work/device'), tree.root, 3, 3);
    tree.create('/work/inner/file', 'before');
    const [work, inner, device] = [
      tree.directory('/work'),
      tree.directory('/work/inner'),
      tree.find('/work/device'),
    ];
    tree.files.inodes.hold(inner);
    const open = tree.open('/work/inner/file', O_RDWR);
    const number = open.operations.stat!().inode;
    // Every entry is looked at.
    expect(tree.list('/many').size).toBe(10_002);
    expect(tree.directory('/work')).toBe(work);
    expect(tree.directory('/work/inner')).toBe(inner);
    expect(tree.find('/work/device')).toBe(device);
    expect(tree.find('..', inner)).toBe(work);
    expect(tree.file('/work/inner/file').number).toBe(number);
    expect(open.write('after!')).toBe(6);
    expect(open.close()).toBeUndefined();
    expect(tree.contentOf('/work/inner/file')).toBe('after!');
    expect(tree.contentOf('/many/7')).toBe('content 7');
    expect(tree.audit(inner)).toEqual([]);
    tree.files.inodes.release(inner);
    expect(tree.audit()).toEqual([]);
  });

  test('gives no two files that are in use one number', () => {
    const host = manyFiles(6000);
    using tree = new TreeWorld(host, { limits: NO_DISK_LIMITS });
    const open = Array.from({ length: 40 }, (_, index) => tree.open(`/many/${index * 150}`));
    tree.list('/many');
    open.push(...[1, 2, 3].map((index) => tree.open(`/many/${index}`)));
    const numbers = open.map(({ operations }) => operations.stat!().inode);
    expect(new Set([...numbers, tree.root.number]).size).toBe(open.length + 1);
    for (const file of open) file.close();
  });

  test('never takes the number of a directory where another store is mounted', () => {
    const host = manyFiles(10_000);
    const { fileSystem, directory } = host;
    const programs = new MemoryFiles();
    programs.writeFileSync('/tool', 'tool');
    using tree = new TreeWorld(host, {
      root: { fileSystem, directory },
      mounts: { '/bin': { fileSystem: programs } },
      limits: NO_DISK_LIMITS,
    });
    const bin = tree.directory('/bin');
    const numbers = [...tree.list('/many').values()].filter((number) => number === bin.number);
    expect(numbers).toEqual([]);
    expect(tree.directory('/bin')).toBe(bin);
    expect(tree.contentOf('/bin/tool')).toBe('tool');
    expect(tree.find('..', bin)).toBe(tree.root);
    const open = Array.from({ length: 40 }, (_, index) => tree.open(`/many/${index * 200}`));
    const held = open.map(({ operations }) => operations.stat!().inode);
    expect(held).not.toContain(bin.number);
    expect(held).not.toContain(tree.root.number);
    for (const file of open) file.close();
  });

  test('may have more names in a directory than a call has arguments', () => {
    using host = memoryHost();
    const names = Array.from({ length: 300_000 }, (_, index) => `name ${index}`);
    const fileSystem = new Proxy(host.fileSystem, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (name === 'readdirSync') return () => names;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const tree = new TreeWorld(host, {
      root: { fileSystem, directory: host.directory },
      limits: NO_DISK_LIMITS,
    });
    expect(tree.root.refresh()).toBeUndefined();
    expect(tree.files.stat(tree.root).sizeBytes).toBe(300_002 * 16);
    tree.space.close();
  });

  test('gives back all that a directory took whose files were forgotten meanwhile', () => {
    const host = manyFiles(0);
    using tree = new TreeWorld(host, { limits: { inodes: UNLIMITED } });
    for (let index = 0; index < 100; index++) tree.create(`/many/${index}`);
    for (let index = 0; index < 100; index++) tree.unlink(`/many/${index}`);
    // More files than are known at a time, in a directory that another one has made.
    host.fileSystem.mkdirSync(tree.at('/host'));
    for (let index = 0; index < 9000; index++) host.fileSystem.writeFileSync(tree.at(`/host/${index}`), '');
    tree.list('/host');
    const [inodes, blocks] = tree.taken;
    expect(tree.unlink('/many')).toBeUndefined();
    // With '.' and '..', 102 entries of 16 bytes: two blocks.
    expect(tree.taken).toEqual([inodes - 1, blocks - 2]);
  });
});

describe('a host that is not as hosts are', () => {
  test('may show a directory within itself, as one that is mounted twice', () => {
    using host = memoryHost();
    const { fileSystem, directory } = host;
    fileSystem.mkdirSync(`${directory}/a`);
    fileSystem.mkdirSync(`${directory}/a/loop`);
    fileSystem.writeFileSync(`${directory}/a/file`, 'text');
    const through = (path: unknown): unknown =>
      typeof path === 'string' ? path.replaceAll('/a/loop', '') : path;
    const looped = new Proxy(fileSystem, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => Reflect.apply(value, target, args.map(through));
      },
    });
    using tree = new TreeWorld(host, { root: { fileSystem: looped, directory }, limits: NO_DISK_LIMITS });
    // '/a/loop' is the root again: refused, or the root.
    expect(tree.contentOf('/a/file')).toBe('text');
    for (const path of ['/a/loop/a/file', '/a/loop/a/loop/a/file']) {
      expect(['text', 'ELOOP']).toContain(tree.contentOf(path));
    }
    expect(tree.list('/a').has('file')).toBe(true);
    expect(tree.find('..', tree.directory('/a'))).toBe(tree.root);
    expect(tree.contentOf('/a/file')).toBe('text');
  });

  test('may give a number to a directory that a file has had, and the other way round, again and again', () => {
    const host = memoryHost();
    const { fileSystem, directory } = host;
    const path = `${directory}/x`;
    const fds = new Set<unknown>();
    // What has this name has the same number, whatever it is.
    const reusing = new Proxy(fileSystem, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          const result: unknown = Reflect.apply(value, target, args);
          if (name === 'openSync' && args[0] === path) fds.add(result);
          const isStats = name === 'lstatSync' ? args[0] === path : name === 'fstatSync' && fds.has(args[0]);
          return isStats ? withNumber(result as HostStats, 77n) : result;
        };
      },
    });
    const withNumber = (stats: HostStats, ino: bigint): HostStats => ({
      dev: stats.dev,
      ino,
      nlink: stats.nlink,
      size: stats.size,
      mtimeNs: stats.mtimeNs,
      isFile: () => stats.isFile(),
      isDirectory: () => stats.isDirectory(),
      isSymbolicLink: () => stats.isSymbolicLink(),
    });
    using tree = new TreeWorld(host, { root: { fileSystem: reusing, directory } });
    const before = tree.taken;
    for (let round = 0; round < 20; round++) {
      fileSystem.writeFileSync(path, `round ${round}`);
      expect(tree.contentOf('/x')).toBe(`round ${round}`);
      expect(numberOf(tree, '/x')).toBeLessThan(5);
      fileSystem.unlinkSync(path);
      fileSystem.mkdirSync(path);
      expect(tree.find('/x')).toMatchObject({ kind: 'directory' });
      expect(numberOf(tree, '/x')).toBeLessThan(5);
      fileSystem.rmdirSync(path);
    }
    expect(tree.audit()).toEqual([]);
    fileSystem.writeFileSync(path, 'last');
    expect(tree.unlink('/x')).toBeUndefined();
    expect(tree.taken).toEqual(before);
  });

  test('that puts a link in the place of a file between the look and the opening gives nothing', () => {
    const host = memoryHost();
    let swaps = false;
    const fileSystem = watched(host.fileSystem, (call) => {
      if (call !== 'openSync' || !swaps) return;
      swaps = false;
      host.fileSystem.unlinkSync(`${host.directory}/file`);
      host.fileSystem.symlinkSync('../outside', `${host.directory}/file`);
    });
    using tree = new TreeWorld(host, { root: { fileSystem, directory: host.directory } });
    host.fileSystem.writeFileSync(tree.at('/file'), 'text');
    swaps = true;
    expect(tree.tryOpen('/file', O_RDWR)).toBe('ELOOP');
    expect(tree.audit()).toEqual([]);
  });

  test('shows pipes as what cannot be opened, waits for none of them, and leaves them alone', () => {
    const host = nodeHost();
    execFileSync('mkfifo', [join(host.directory, 'pipe')]);
    using tree = new TreeWorld(host);
    expect(tree.find('/pipe')).toBe('EACCES');
    for (const flags of [0, O_WRONLY, O_RDWR, O_CREATE | O_RDWR]) {
      expect(tree.tryOpen('/pipe', flags)).toBe('EACCES');
    }
    expect(typeof tree.mkdir('/pipe')).toBe('string');
    expect(tree.link('/pipe', '/other')).toBe('EACCES');
    expect(namesOf(tree, '/')).toEqual(['.', '..']);
    expect(host.fileSystem.readdirSync(host.directory)).toEqual(['pipe']);
  });
});
