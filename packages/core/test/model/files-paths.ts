/** The paths that the steps of random programs on files choose. */
import type { ModelFiles, ModelDirectory } from './files-model.js';
import type { StepPath } from './files-steps.js';

/** @returns the path's bytes, a character each. */
export const pathIn = (model: ModelFiles, { from, which, names, end }: StepPath): string => {
  switch (from) {
    case 'here':
      return names.join('/') + end;
    case 'root':
      return `/${names.join('//')}${end}`;
    case 'existing':
    case 'file': {
      const all = pathsIn(model.root, '');
      const paths = from === 'file' ? all.filter(({ isDirectory }) => !isDirectory) : all;
      return (paths[which % Math.max(1, paths.length)]?.path ?? '/') + end;
    }
    case 'directory': {
      const paths = pathsIn(model.root, '').filter(({ isDirectory }) => isDirectory);
      const directory = paths[which % paths.length]!.path;
      return `${directory}/${names.slice(0, 1).join('')}${end}`;
    }
  }
};

const pathsIn = (
  directory: ModelDirectory,
  path: string,
): { readonly path: string; readonly isDirectory: boolean }[] => [
  { path: path === '' ? '/' : path, isDirectory: true },
  ...directory.slots.flatMap((entry) => {
    if (entry === undefined) return [];
    const inside = `${path}/${entry.name}`;
    return entry.inode.kind === 'directory'
      ? pathsIn(entry.inode, inside)
      : [{ path: inside, isDirectory: false }];
  }),
];
