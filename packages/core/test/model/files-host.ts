/** The host that random programs on files run over: what it has at first, also as the model has it, and what it refuses. */
import type { FileTreeOptions } from '../../src/kernel/index.js';
import { type KernelLimits, MemoryFiles } from '../../src/kernel/index.js';
import { MemoryFilesError } from '../../src/kernel/files/memory-files-error.js';
import { type ModelFile, ModelFiles, type ModelDirectory, nameOf, textOf } from './files-model.js';

/** Files of a host that refuses at times to have them changed. */
export class UnreliableFiles extends MemoryFiles {
  failing = false;

  override writeSync(fd: number, from: Uint8Array, offset: number, length: number, position: number): number {
    if (this.failing) throw new MemoryFilesError('ENOSPC', { syscall: 'write' });
    return super.writeSync(fd, from, offset, length, position);
  }

  override ftruncateSync(fd: number, sizeBytes: number): void {
    if (this.failing) throw new MemoryFilesError('ENOSPC', { syscall: 'ftruncate' });
    super.ftruncateSync(fd, sizeBytes);
  }
}

export interface FilesHost {
  readonly files: UnreliableFiles;
  readonly model: ModelFiles;
  readonly stores: Pick<FileTreeOptions, 'root' | 'mounts'>;
  /** What is in the file that no machine may reach. */
  readonly secret: Uint8Array;
  /** All files, each by one of its paths. */
  fileNames(model: ModelFiles): { readonly file: ModelFile; readonly hostPath: string }[];
  /** Where the host has a directory. */
  pathOf(directory: ModelDirectory): string;
}

/** The directories of the stores, by their numbers. */
const DIRECTORIES = ['', '/one', '/other', '/third'];
export const READ_ONLY = '/third';

const SECRET = Uint8Array.from('secret', (character) => character.codePointAt(0)!);

/** Puts the same into a host and a model. */
class Filler {
  readonly files = new UnreliableFiles();
  readonly model: ModelFiles;

  constructor(model: ModelFiles) {
    this.model = model;
  }

  directory(parent: ModelDirectory, name: string): ModelDirectory {
    const directory = this.model.putDirectory(parent, nameOf(name));
    this.files.mkdirSync(hostPathOf(directory));
    return directory;
  }

  file(parent: ModelDirectory, name: string, bytes: Uint8Array): void {
    this.model.putFile(parent, nameOf(name), bytes);
    this.files.writeFileSync(`${hostPathOf(parent)}/${name}`, bytes);
  }

  link(parent: ModelDirectory, name: string, target: string): void {
    this.model.putLink(parent, nameOf(name), nameOf(target));
    this.files.symlinkSync(target, `${hostPathOf(parent)}/${name}`);
  }
}

export const makeHost = (limits: KernelLimits): FilesHost => {
  const model = new ModelFiles(limits);
  const filler = new Filler(model);
  const { files } = filler;
  for (const directory of DIRECTORIES.slice(1)) files.mkdirSync(directory);
  files.writeFileSync('/secret', SECRET);
  const { root } = model;
  filler.file(root, 'b', new Uint8Array(5000).fill(11));
  filler.file(root, 'a name longer than what counts', Uint8Array.of(1, 2, 3));
  const directory = filler.directory(root, 'c');
  filler.file(directory, 'a', new Uint8Array(20_000).fill(22));
  filler.directory(directory, 'd');
  filler.link(root, 'link', 'c/../b');
  filler.link(directory, 'up', '../c/d');
  filler.link(root, 'out', '../secret');
  filler.link(directory, 'out', '/secret');
  filler.link(root, 'loop', 'loop');
  // The first mount lists the root, and is in the list.
  const mounted = model.mount(nameOf('mnt'), false);
  model.sortSlots(root);
  filler.file(mounted, 'b', Uint8Array.of(7, 7));
  const readOnly = model.mount(nameOf('fixed'), true);
  filler.file(readOnly, 'a', new Uint8Array(3000).fill(33));
  filler.file(filler.directory(readOnly, 'c'), 'b', Uint8Array.of(9));
  return {
    files,
    model,
    stores: {
      root: { fileSystem: files, directory: DIRECTORIES[1]! },
      mounts: {
        '/mnt': { fileSystem: files, directory: DIRECTORIES[2]! },
        '/fixed': { fileSystem: files, directory: READ_ONLY, access: 'read-only' },
      },
    },
    secret: SECRET,
    fileNames,
    pathOf: hostPathOf,
  };
};

const hostPathOf = (directory: ModelDirectory): string => {
  if (directory.store.root === directory) return DIRECTORIES[directory.store.device]!;
  const entry = directory.parent.slots.find((each) => each?.inode === directory);
  return `${hostPathOf(directory.parent)}/${textOf(entry!.name)}`;
};

const fileNames = (model: ModelFiles): { readonly file: ModelFile; readonly hostPath: string }[] => {
  const found = new Map<ModelFile, string>();
  const visit = (directory: ModelDirectory): void => {
    for (const entry of directory.slots) {
      if (entry?.inode.kind === 'directory') visit(entry.inode);
      if (entry?.inode.kind !== 'file') continue;
      found.set(entry.inode, `${hostPathOf(directory)}/${textOf(entry.name)}`);
    }
  };
  visit(model.root);
  return [...found].map(([file, hostPath]) => ({ file, hostPath }));
};
