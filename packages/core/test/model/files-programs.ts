/** Programs that run from files of random programs on files: each sees its file as it was when it began. */
import { OutOfMemory, PAGE_SIZE, virtAddr } from '../../src/frame/index.js';
import type { RegularFile } from '../../src/kernel/files/regular-file.js';
import type { AddressSpace } from '../../src/space/index.js';
import { expectSame } from './files-expect.js';
import { bytesOf } from './files-model.js';
import type { FilesTwinCalls, TwinProcess } from './files-twin-state.js';

/** Where a program has its text. */
export const TEXT = 0x1000;
const MOST_PROGRAMS = 3;

/** Begins to run a file: maps it, as exec does. */
export const runProgram = (twin: FilesTwinCalls, process: TwinProcess, path: string): void => {
  if (twin.programs.length >= MOST_PROGRAMS) return;
  const found = twin.tree.find(bytesOf(path), process.workingDirectory);
  const inode = twin.model.resolve(path, process.model.workingDirectory);
  expectSame(typeof found === 'string' ? undefined : found.kind, inode?.kind, `what ${path} is`);
  if (typeof found === 'string' || found.kind !== 'file' || inode?.kind !== 'file') return;
  const expected = !twin.model.isHeld(inode) && twin.model.isTableFull() ? 'ENFILE' : undefined;
  const loaded = twin.withFailures(
    () => load(twin, found),
    ({ result }) => result === 'ENOMEM',
  );
  const { result } = loaded;
  twin.note('run', typeof result === 'object' ? 'done' : result);
  if (result !== 'ENFILE') twin.released(inode, loaded.unsaved);
  if (result === 'ENOMEM' && twin.mayRunOut) return;
  // It is saved before, so that what is written later is not seen.
  if (result === 'ENOSPC' && inode.changed && twin.host.files.failing) return;
  const problem = typeof result === 'object' || result === 'empty' ? undefined : result;
  expectSame(problem, expected, `running ${path}`);
  if (typeof result === 'object') twin.programs.push({ space: result, bytes: inode.bytes.slice() });
};

/** Maps a file as exec does, while it is held. @returns also why it could not be saved when it was let go. */
const load = (
  twin: FilesTwinCalls,
  file: RegularFile,
): {
  readonly result: AddressSpace | string;
  readonly unsaved?: string | undefined;
} => {
  const held = twin.tree.inodes.hold(file);
  if (held !== undefined) return { result: held };
  const result = mapProgram(twin, file);
  return { result, unsaved: twin.tree.inodes.release(file) };
};

const mapProgram = ({ world }: FilesTwinCalls, file: RegularFile): AddressSpace | string => {
  const vmo = file.program();
  if (typeof vmo === 'string') return vmo;
  const { sizeBytes } = file;
  if (sizeBytes === 0) return 'empty';
  const at = virtAddr(TEXT);
  const lengthBytes = Math.ceil(sizeBytes / PAGE_SIZE) * PAGE_SIZE;
  let space: AddressSpace | undefined;
  try {
    space = world.space();
    space.map({ at, lengthBytes, protection: 'r-x', vmo, eviction: 'refused' });
  } catch (error) {
    space?.close();
    if (error instanceof OutOfMemory) return 'ENOMEM';
    throw error;
  }
  const problem = space.prefault(at, lengthBytes, 'read');
  if (problem === undefined) return space;
  space.close();
  expectSame(problem.kind, 'out-of-memory', 'mapping a program');
  return 'ENOMEM';
};
