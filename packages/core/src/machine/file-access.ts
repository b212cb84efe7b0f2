/** A machine's files, for the host: whole files, read and written through the same pages that programs see. */
import { HolsteinError } from '../frame/index.js';
import type { FileProblem, FileTree, RegularFile } from '../kernel/index.js';

const ENCODER = new TextEncoder();

/** @throws HolsteinError ENOENT, EISDIR and others. */
export const readWhole = (files: FileTree, path: string): Uint8Array => {
  const file = files.find(ENCODER.encode(path), files.root);
  if (typeof file === 'string') throw problemWith(path, 'read', file);
  if (file.kind !== 'file') throw problemWith(path, 'read', file.kind === 'directory' ? 'EISDIR' : 'EACCES');
  return whileHeld(files, file, path, () => {
    const bytes = new Uint8Array(file.sizeBytes);
    const problem = file.read(0, bytes);
    if (problem !== undefined) throw problemWith(path, 'read', problem);
    return bytes;
  });
};

/** Writes a file, which is made if need be, as are the directories above it. @throws HolsteinError: what was there still is. */
export const writeWhole = (files: FileTree, path: string, content: Uint8Array | string): void => {
  const bytes = typeof content === 'string' ? ENCODER.encode(content) : content;
  makeDirectories(files, path);
  const found = files.find(ENCODER.encode(path), files.root);
  if (found === 'ENOENT') {
    const made = files.createFile(ENCODER.encode(path), files.root);
    if (typeof made === 'string') throw problemWith(path, 'written', made);
    const problem = made.write(0, bytes);
    if (problem !== undefined) files.unlink(ENCODER.encode(path), files.root);
    const unsaved = files.inodes.release(made);
    if ((problem ?? unsaved) !== undefined) throw problemWith(path, 'written', (problem ?? unsaved)!);
    return;
  }
  if (typeof found === 'string') throw problemWith(path, 'written', found);
  if (found.kind !== 'file')
    throw problemWith(path, 'written', found.kind === 'directory' ? 'EISDIR' : 'EACCES');
  whileHeld(files, found, path, () => {
    const problem = replaceContent(found, bytes) ?? found.sync();
    if (problem !== undefined) throw problemWith(path, 'written', problem);
  });
};

const replaceContent = (file: RegularFile, bytes: Uint8Array): FileProblem | undefined => {
  const before = new Uint8Array(Math.min(file.sizeBytes, bytes.length));
  const refused = file.read(0, before) ?? file.write(0, bytes);
  if (refused !== undefined) return refused;
  const problem = file.truncate(bytes.length);
  // Its pages are the file's own by now: this wants no memory.
  if (problem !== undefined) file.write(0, before);
  return problem;
};

const whileHeld = <T>(files: FileTree, file: RegularFile, path: string, work: () => T): T => {
  const problem = files.inodes.hold(file);
  if (problem !== undefined) throw problemWith(path, 'opened', problem);
  try {
    return work();
  } finally {
    files.inodes.release(file);
  }
};

const makeDirectories = (files: FileTree, path: string): void => {
  const names = path.split('/').filter((name) => name !== '');
  let at = '';
  for (const name of names.slice(0, -1)) {
    at += `/${name}`;
    const problem = files.makeDirectory(ENCODER.encode(at), files.root);
    if (problem !== undefined && problem !== 'EEXIST') throw problemWith(at, 'made', problem);
  }
};

/** In words, after what was not done to what. */
export const reasonFor = (problem: FileProblem): string => REASONS[problem];

const REASONS: Readonly<Record<FileProblem, string>> = {
  EACCES: 'it may not be accessed so',
  EBUSY: 'it is in use',
  EEXIST: 'it is there already',
  EFBIG: 'it would be larger than files may be (limit fileBytes)',
  EINVAL: 'that is no possible name or place',
  EIO: 'its host has failed',
  EISDIR: 'it is a directory',
  ELOOP: 'its symbolic links lead nowhere',
  ENAMETOOLONG: 'its name is too long for the host',
  ENFILE: 'too many files are in use (limit inodesInMemory)',
  ENOENT: 'it is not there',
  ENOMEM: 'no frame is free',
  ENOSPC: 'the disk is full (limits inodes and diskBlocks)',
  ENOTDIR: 'something on its way is no directory',
  ENOTEMPTY: 'it is not empty',
  EROFS: 'its store is read-only',
  EXDEV: 'it is in another store',
};

const problemWith = (path: string, done: string, problem: FileProblem): HolsteinError =>
  new HolsteinError(problem, `${path} cannot be ${done}: ${REASONS[problem]}`);
