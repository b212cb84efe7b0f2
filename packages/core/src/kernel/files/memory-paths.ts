/**
 * How `MemoryFiles` follows a path, by POSIX's rules where they say something and Linux's where they do not: symbolic
 * links on the way are followed, '..' of the root is the root, and a '/' at the end asks for a directory.
 */
import { type Call, MemoryFilesError } from './memory-files-error.js';
import { type AnyInode, isLongerThan, type MemoryDirectory } from './memory-inodes.js';

const NAME_BYTES = 255;
const PATH_BYTES = 4095;
/** Symbolic links that a path may lead through: Linux's number. */
const MOST_LINKS = 40;

/**
 * What to do with a symbolic link that is the last part of the path.
 *
 *      follow     go where it leads
 *      itself     stop at it, unless a '/' after it asks for what it leads to: `lstat`
 *      entry      stop at it: a call that makes or takes names
 *      target     go where it leads, unless a '/' after it says that what may be made there is a directory: O_CREAT
 */
export type LastPart = 'follow' | 'itself' | 'entry' | 'target';

/** Where a path leads. */
export interface Place {
  readonly directory: MemoryDirectory;
  /** A name in the directory, or what is no name that can be made or taken: '.', '..', or '/' for the root. */
  readonly name: string;
  readonly isName: boolean;
  /** What is there. */
  readonly inode: AnyInode | undefined;
  /** Whether the path ends with a '/', or leads on by a link that does. */
  readonly endsWithSlash: boolean;
}

/** @throws MemoryFilesError ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG or EINVAL where a part before the last is not as it must be. */
export const findPlace = (root: MemoryDirectory, path: string, last: LastPart, call: Call): Place => {
  checkPath(path, call);
  let parts = path.split('/');
  let end = endOfNames(parts);
  let endsWithSlash = end < parts.length;
  let directory = root;
  let links = 0;
  for (let index = 0; index < end; index++) {
    const name = parts[index]!;
    if (name === '') continue;
    const isLast = index === end - 1;
    if (name === '.' || name === '..') {
      const inode = name === '.' ? directory : directory.parent;
      if (isLast) return { directory, name, isName: false, inode, endsWithSlash };
      directory = inode;
      continue;
    }
    if (isLongerThan(name, NAME_BYTES)) throw new MemoryFilesError('ENAMETOOLONG', call);
    const inode = directory.get(name);
    if (isLast && !(inode?.kind === 'link' && isFollowed(last, endsWithSlash))) {
      return { directory, name, isName: true, inode, endsWithSlash };
    }
    if (inode === undefined) throw new MemoryFilesError('ENOENT', call);
    if (inode.kind === 'file') throw new MemoryFilesError('ENOTDIR', call);
    if (inode.kind === 'directory') {
      directory = inode;
      continue;
    }
    links++;
    if (links > MOST_LINKS) throw new MemoryFilesError('ELOOP', call);
    if (inode.target.startsWith('/')) directory = root;
    const target = inode.target.split('/');
    if (isLast) endsWithSlash ||= endOfNames(target) < target.length;
    parts = [...target, ...parts.slice(index + 1, end)];
    end = endOfNames(parts);
    index = -1;
  }
  return { directory: root, name: '/', isName: false, inode: root, endsWithSlash };
};

/**
 * What a path leads to.
 * @throws MemoryFilesError as `findPlace`, and ENOENT where nothing is there, ENOTDIR where the path asks for a directory.
 */
export const findInode = (
  root: MemoryDirectory,
  path: string,
  last: 'follow' | 'itself',
  call: Call,
): AnyInode => {
  const { inode, endsWithSlash } = findPlace(root, path, last, call);
  if (inode === undefined) throw new MemoryFilesError('ENOENT', call);
  if (endsWithSlash && inode.kind !== 'directory') throw new MemoryFilesError('ENOTDIR', call);
  return inode;
};

/** @throws MemoryFilesError for what cannot be a path, or where a symbolic link leads. */
export const checkPath = (path: string, call: Call): void => {
  if (path === '') throw new MemoryFilesError('ENOENT', call);
  if (path.includes('\0')) throw new MemoryFilesError('EINVAL', call);
  if (isLongerThan(path, PATH_BYTES)) throw new MemoryFilesError('ENAMETOOLONG', call);
};

const isFollowed = (last: LastPart, endsWithSlash: boolean): boolean => {
  switch (last) {
    case 'follow':
      return true;
    case 'itself':
      return endsWithSlash;
    case 'entry':
      return false;
    case 'target':
      return !endsWithSlash;
  }
};

/** The number of parts up to the last that is a name: '/' at the end makes empty ones. */
const endOfNames = (parts: readonly string[]): number => parts.findLastIndex((part) => part !== '') + 1;
