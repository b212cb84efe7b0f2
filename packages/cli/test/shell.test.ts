/** `holstein sh` without a terminal: commands, scripts, and files of the host’s. */
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bin, TestDirectory, holstein, inShell } from './support/holstein.js';

describe('holstein sh', () => {
  test('-c runs commands, and ends with their status', () => {
    expect(holstein(['sh', '-c', 'echo one two | wc -w; echo | grep nothing'])).toEqual({
      status: 1,
      stdout: '      2\n',
      stderr: '',
    });
  });

  test('runs the commands on standard input, and prints nothing else', () => {
    expect(
      holstein(['sh'], { input: 'mkdir d\ncd d\necho text > f\ncat f\nexit 7\necho not this\n' }),
    ).toEqual({
      status: 7,
      stdout: 'text\n',
      stderr: '',
    });
  });

  test('with nothing on standard input does nothing', () => {
    expect(holstein(['sh'])).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('runs a script of the host’s', () => {
    using directory = new TestDirectory();
    writeFileSync(directory.file('script'), 'echo from a script\nhello with arguments\n');
    expect(holstein(['sh', directory.file('script')])).toEqual({
      status: 0,
      stdout: 'from a script\nhello from holstein: pid 4\n  argv[1] = with\n  argv[2] = arguments\n',
      stderr: '',
    });
    expect(holstein(['sh', directory.file('none')])).toEqual({
      status: 127,
      stdout: '',
      stderr: `holstein: there is no script ${directory.file('none')}\n`,
    });
  });

  test('leaves standard input to what it runs', () => {
    expect(holstein(['sh', '-c', 'cat'], { input: 'some text' }).stdout).toBe('some text');
    using directory = new TestDirectory();
    writeFileSync(directory.file('script'), 'wc -c\n');
    expect(holstein(['sh', directory.file('script')], { input: '12345' }).stdout.trim()).toBe('5');
  });

  test('prints all that is written, however much it is', () => {
    using directory = new TestDirectory();
    writeFileSync(directory.file('large'), 'a line of text\n'.repeat(200_000));
    const { status, stdout } = inShell(
      '"$@" | tail -c 3000000 | wc -c',
      'sh',
      '--root',
      directory.path,
      '-c',
      'cat large',
    );
    expect({ status, bytes: Number(stdout) }).toEqual({ status: 0, bytes: 3_000_000 });
  });
});

describe('--root', () => {
  const sh = (directory: TestDirectory, command: string, ...options: readonly string[]) =>
    holstein(['sh', '--root', directory.path, ...options, '-c', command]);

  test('gives the machine a directory of the host’s, both ways', () => {
    using directory = new TestDirectory();
    writeFileSync(directory.file('theirs'), 'from the host\n');
    const { status, stdout } = sh(
      directory,
      'cat theirs; mkdir d; echo from the machine > d/ours; ln d/ours again',
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'from the host\n' });
    expect(readFileSync(directory.file('d', 'ours'), 'utf8')).toBe('from the machine\n');
    expect(readFileSync(directory.file('again'), 'utf8')).toBe('from the machine\n');
    expect(sh(directory, 'rm -r d again theirs').status).toBe(0);
    expect(readdirSync(directory.path)).toEqual([]);
  });

  test('shows holstein’s programs in /bin, whatever the directory has there', () => {
    using directory = new TestDirectory();
    mkdirSync(directory.file('bin'));
    writeFileSync(directory.file('bin', 'hello'), 'the host’s own');
    expect(sh(directory, 'hello; /bin/hello').stdout).toBe(
      'hello from holstein: pid 3\nhello from holstein: pid 4\n',
    );
    expect(sh(directory, 'echo changed > /bin/hello; rm /bin/hello; echo new > /bin/new').status).not.toBe(0);
    expect(readFileSync(directory.file('bin', 'hello'), 'utf8')).toBe('the host’s own');
    expect(readdirSync(directory.file('bin'))).toEqual(['hello']);
  });

  test('runs programs that are in the directory, and one that is named on the command line', () => {
    using directory = new TestDirectory();
    using elsewhere = new TestDirectory();
    copyFileSync(join(bin, 'hello'), directory.file('greet'));
    copyFileSync(join(bin, 'hello'), elsewhere.file('outside'));
    expect(sh(directory, './greet').stdout).toBe('hello from holstein: pid 3\n');
    const run = holstein(['run', '--root', directory.path, elsewhere.file('outside')]);
    expect(run).toEqual({ status: 0, stdout: 'hello from holstein: pid 2\n', stderr: '' });
    expect(readdirSync(directory.path)).toEqual(['greet']);
  });

  test.each([
    ['..', 'cat ../secret ../../secret d/../../secret /../secret'],
    ['a symbolic link to a file', 'cat absolute relative'],
    ['a symbolic link to a directory', 'cat parent/secret; cd parent && cat secret'],
    ['a new file behind a symbolic link', 'echo x > parent/new; echo x > dangling; mkdir parent/new'],
    ['a hard link behind a symbolic link', 'ln parent/secret here; ln absolute here; ln inside parent/new'],
    ['a removal', 'rm ../secret parent/secret relative'],
  ])('%s does not lead out of it', (_, command) => {
    using outer = new TestDirectory();
    const inner = outer.file('inner');
    writeFileSync(outer.file('secret'), 'SECRET');
    mkdirSync(inner);
    mkdirSync(join(inner, 'd'));
    writeFileSync(join(inner, 'inside'), 'SHARED');
    symlinkSync(outer.file('secret'), join(inner, 'absolute'));
    symlinkSync('../secret', join(inner, 'relative'));
    symlinkSync('..', join(inner, 'parent'));
    symlinkSync('../new', join(inner, 'dangling'));
    // The root's own '..' is the root: what a link to it makes is made inside.
    const { stdout } = holstein(['sh', '--root', inner, '-c', command]);
    expect(stdout).not.toContain('SECRET');
    expect(readFileSync(outer.file('secret'), 'utf8')).toBe('SECRET');
    expect(readdirSync(outer.path)).toEqual(['inner', 'secret']);
    expect(existsSync(join(inner, 'here'))).toBe(false);
  });

  test('follows symbolic links that stay inside', () => {
    using directory = new TestDirectory();
    mkdirSync(directory.file('d'));
    writeFileSync(directory.file('d', 'file'), 'inside\n');
    symlinkSync('d/file', directory.file('relative'));
    symlinkSync('/d', directory.file('absolute'));
    expect(sh(directory, 'cat relative absolute/file').stdout).toBe('inside\ninside\n');
  });

  test('takes a directory by a symbolic link', () => {
    using directory = new TestDirectory();
    mkdirSync(directory.file('real'));
    writeFileSync(directory.file('real', 'file'), 'there\n');
    symlinkSync('real', directory.file('link'));
    expect(holstein(['sh', '--root', directory.file('link'), '-c', 'cat file']).stdout).toBe('there\n');
  });

  test('wants a directory', () => {
    using directory = new TestDirectory();
    writeFileSync(directory.file('file'), '');
    expect(holstein(['sh', '--root', directory.file('file')])).toEqual({
      status: 2,
      stdout: '',
      stderr: `holstein: --root: ${directory.file('file')} is not a directory\n`,
    });
  });

  test('--read-only lets nothing be changed', () => {
    using directory = new TestDirectory();
    mkdirSync(directory.file('d'));
    writeFileSync(directory.file('file'), 'as it was\n');
    linkSync(directory.file('file'), directory.file('d', 'name'));
    const before = readdirSync(directory.path, { recursive: true });
    for (const change of ['echo x > file', 'echo x > new', 'mkdir e', 'rm d/name', 'rm -r d', 'ln file f']) {
      expect(sh(directory, change, '--read-only').status, change).not.toBe(0);
    }
    expect(sh(directory, 'cat file d/name', '--read-only')).toEqual({
      status: 0,
      stdout: 'as it was\nas it was\n',
      stderr: '',
    });
    expect(readdirSync(directory.path, { recursive: true })).toEqual(before);
    expect(readFileSync(directory.file('file'), 'utf8')).toBe('as it was\n');
  });
});
