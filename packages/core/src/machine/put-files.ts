/** Putting files into a store before a machine runs: whatever its limits, but nowhere else. */
import { HolsteinError, InvalidArgument } from '../frame/index.js';
import { type FileProblem, Store, type StoreOptions } from '../kernel/index.js';
import { reasonFor } from './file-access.js';

/** The contents of files by their paths on the machine, such as `/cowtest`. Text is UTF-8. */
export type MachineFiles = Readonly<Record<string, Uint8Array | string>>;

/** @throws HolsteinError where a file cannot be put: those before it have been. */
export const putFiles = (options: StoreOptions, files: MachineFiles): void => {
  const store = new Store(options, 1);
  for (const [path, content] of Object.entries(files)) {
    const names = path.split('/').filter((name) => name !== '');
    if (names.length === 0 || !names.every((name) => store.allows(name))) {
      throw new InvalidArgument(`a file cannot be put at ${path}: give plain names with / between them`);
    }
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    const problem = putFile(store, names, bytes);
    if (problem !== undefined) {
      throw new HolsteinError(problem, `${path} cannot be put: ${reasonFor(problem)}`);
    }
  }
};

const putFile = (store: Store, names: readonly string[], bytes: Uint8Array): FileProblem | undefined => {
  let path = '';
  for (const name of names.slice(0, -1)) {
    path += `/${name}`;
    const stats = store.stats(path);
    const problem = stats === 'ENOENT' ? store.makeDirectory(path) : notDirectory(stats);
    if (problem !== undefined) return problem;
  }
  path += `/${names.at(-1)!}`;
  const created = store.create(path);
  const file = created === 'EEXIST' ? store.open(path) : created;
  if (typeof file === 'string') return file;
  const problem = file.writable ? store.fill(file, bytes) : 'EACCES';
  return store.closeFile(file) ?? problem;
};

const notDirectory = (stats: ReturnType<Store['stats']>): FileProblem | undefined => {
  if (typeof stats === 'string') return stats;
  return stats.isDirectory() ? undefined : 'ENOTDIR';
};
