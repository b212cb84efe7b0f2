/** The house's rules that a machine can check (CONTRIBUTING.md). */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The files of the checkout that are, or could be, committed. */
const files = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .stdout.split('\n')
  .filter((path) => path !== '' && existsSync(join(root, path)));

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

test('packages are pinned to exact versions, and run nothing when they are installed', () => {
  const manifests = files.filter((path) => path.endsWith('package.json'));
  expect(manifests.length).toBeGreaterThanOrEqual(6);
  for (const path of manifests) {
    const { dependencies, devDependencies, scripts = {} } = JSON.parse(read(path)) as Manifest;
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      // Where one package stands in for another, it is named: npm:NAME@VERSION.
      expect(version, `${path}: ${name}`).toMatch(/^(npm:.+@)?\d+\.\d+\.\d+$/);
    }
    for (const hook of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(scripts).not.toHaveProperty(hook);
  }
  const lock = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { hasInstallScript?: boolean }>;
  };
  const scripted = Object.entries(lock.packages).filter(
    ([, { hasInstallScript }]) => hasInstallScript === true,
  );
  expect(scripted).toEqual([]);
});

test('the core depends on a sorted map, and on nothing else', () => {
  const { dependencies } = JSON.parse(read('packages/core/package.json')) as Manifest;
  expect(Object.keys(dependencies ?? {})).toEqual(['sorted-btree']);
});

test('no committed file names this checkout’s folder or the server that packages came from', () => {
  const registry = spawnSync('npm', ['config', 'get', 'registry'], {
    cwd: root,
    encoding: 'utf8',
  }).stdout.trim();
  const forbidden = [root.replace(/\/$/, ''), new URL(registry).host];
  for (const path of files.filter((name) => !name.startsWith('guest/bin/'))) {
    const text = read(path);
    for (const word of forbidden) expect(text.includes(word), `${path} names ${word}`).toBe(false);
  }
});

test('source files are short enough to be read, and open by saying what they are', () => {
  for (const path of files.filter((name) => /^packages\/\w+\/src\/.*\.ts$/.test(name))) {
    const text = read(path);
    expect(text.split('\n').length, path).toBeLessThanOrEqual(500);
    expect(text, path).toMatch(/^\/\*\*/);
  }
});
