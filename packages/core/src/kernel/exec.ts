/** Finding a program and loading it: what spawn and exec have in common. */
import { HolsteinError, OutOfMemory } from '../frame/index.js';
import type { VirtualMemory } from '../space/index.js';
import type { Again } from './file.js';
import type { FileTree } from './files/file-tree.js';
import type { Directory } from './files/directory.js';
import type { RegularFile } from './files/regular-file.js';
import type { FileProblem } from './files/store.js';
import type { KernelLimits } from './limits.js';
import { type ImageFailure, loadImage, type ProgramFile, type ProgramImage } from './image.js';

/** Bytes of a program that are brought into memory before others have their turn. */
const LOADED_AT_ONCE = 2 ** 20;

export interface ExecRequest {
  readonly path: Uint8Array;
  readonly from: Directory;
  readonly argv: readonly Uint8Array[];
  /** Bytes of the file that earlier tries have brought in. */
  readonly loaded: number;
}

export class Loader {
  readonly #virtualMemory: VirtualMemory;
  readonly #files: FileTree;
  readonly #limits: KernelLimits;

  constructor(virtualMemory: VirtualMemory, files: FileTree, limits: KernelLimits) {
    this.#virtualMemory = virtualMemory;
    this.#files = files;
    this.#limits = limits;
  }

  /** Makes a program's memory, in several tries where the file is large. @returns why not, where there is none. */
  load({ path, from, argv, loaded }: ExecRequest): ProgramImage | ImageFailure | FileProblem | Again {
    const file = this.#files.find(path, from);
    if (typeof file === 'string') return file;
    if (file.kind !== 'file') return file.kind === 'directory' ? 'EISDIR' : 'EACCES';
    const { programBytes, processBytes } = this.#limits;
    if (file.sizeBytes > programBytes) {
      const problem = `has ${file.sizeBytes} bytes, and programs may have ${programBytes} (limit programBytes)`;
      return { kind: 'failure', code: 'ENOEXEC', problem };
    }
    const held = this.#files.inodes.hold(file);
    if (held !== undefined) return held;
    try {
      const left = file.sizeBytes - loaded;
      if (left > LOADED_AT_ONCE) {
        const problem = file.load(loaded, LOADED_AT_ONCE);
        return problem ?? { again: loaded + LOADED_AT_ONCE };
      }
      const program = programFile(file, lastName(path));
      if (typeof program === 'string') return program;
      return loadImage(this.#virtualMemory, program, argv, processBytes);
    } finally {
      this.#files.inodes.release(file);
    }
  }

  /** As `load`, in one go. @throws what `Kernel.spawn` does. */
  loadNow(argv: readonly [path: string, ...rest: string[]], from: Directory): ProgramImage {
    const [path] = argv;
    const encoder = new TextEncoder();
    const bytes = argv.map((argument) => encoder.encode(argument));
    for (let loaded = 0; ;) {
      const image = this.load({ path: bytes[0]!, from, argv: bytes, loaded });
      if (typeof image === 'object' && 'again' in image) {
        loaded = image.again;
        continue;
      }
      if (typeof image === 'object' && image.kind === 'program') return image;
      this.#files.inodes.close();
      throw typeof image === 'string' ? pathError(path, image) : imageError(path, image);
    }
  }
}

/** A byte order mark is part of a path. */
const PATH_DECODER = new TextDecoder('utf-8', { ignoreBOM: true });

/** A path as text, for people. */
export const pathText = (path: Uint8Array): string => PATH_DECODER.decode(path);

/** A path's last name, for people. */
const lastName = (path: Uint8Array): string => {
  const text = pathText(path);
  return text.slice(text.lastIndexOf('/') + 1);
};

/** As an exception, for whoever spawns. */
const pathError = (path: string, problem: FileProblem): HolsteinError => {
  if (problem === 'ENOMEM') return new OutOfMemory(`${path} does not fit into memory`);
  const what = problem === 'ENOENT' ? `there is no program ${path}` : `${path} cannot be run: ${problem}`;
  return new HolsteinError(problem, what);
};

const imageError = (path: string, { code, problem }: ImageFailure): HolsteinError => {
  if (code === 'ENOMEM') return new OutOfMemory(`${path} ${problem}`);
  return new HolsteinError(code === 'E2BIG' ? 'EINVAL' : code, `${path} ${problem}`);
};

const programFile = (file: RegularFile, name: string): ProgramFile | FileProblem => {
  const object = file.program();
  if (typeof object === 'string') return object;
  const read = (offset: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    const problem = file.read(offset, bytes);
    if (problem === 'ENOMEM') throw new OutOfMemory(`reading ${name}`);
    if (problem !== undefined) throw new HolsteinError('EIO', problem);
    return bytes;
  };
  return { name, object, sizeBytes: file.sizeBytes, read };
};
