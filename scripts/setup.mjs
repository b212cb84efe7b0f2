// @ts-check
/**
 * Sets a fresh clone up: installs what package-lock.json names and builds the packages, each only where
 * something has changed. It runs before anything is installed, so it uses Node's own modules alone.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the checkout. */
export const root = fileURLToPath(new URL('..', import.meta.url));

const OLDEST_NODE = [20, 19];

/**
 * Runs a program in the checkout, and ends this process where it fails.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ quiet?: boolean }} [options] quiet: its output is shown only where it fails.
 */
export const runOrExit = (command, args, { quiet = false } = {}) => {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    shell: process.platform === 'win32',
  });
  if (result.status === 0) return;
  if (quiet)
    process.stderr.write(Buffer.concat([result.stdout ?? Buffer.of(), result.stderr ?? Buffer.of()]));
  const why =
    result.error?.message ?? (result.signal ? `ended by ${result.signal}` : `exit code ${result.status}`);
  console.error(`holstein: ${command} ${args.join(' ')} failed: ${why}`);
  process.exit(result.status ?? 1);
};

const checkNode = () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = OLDEST_NODE;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  console.error(
    `holstein: Node ${OLDEST_NODE.join('.')} or newer is needed, this is ${process.versions.node}`,
  );
  process.exit(1);
};

/** Installs where the lock file is not the one that was last installed from. */
const install = () => {
  const stamp = join(root, 'node_modules', '.holstein-lock');
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error('holstein: installing packages (npm ci) …');
  // With the tools that build it, whatever NODE_ENV or npm's settings say.
  runOrExit('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], { quiet: true });
  writeFileSync(stamp, lock);
};

/** tsc knows what has changed. */
const build = () => {
  runOrExit(process.execPath, [
    join('node_modules', 'typescript', 'bin', 'tsc'),
    '-b',
    'packages/core',
    'packages/cli',
  ]);
};

export const setUp = () => {
  checkNode();
  install();
  build();
};
