/**
 * The kernel's file layer over `MemoryFiles`, and the plain model of it (files-model.ts), side by side: each call is
 * made to both, and must come to the same. The calls are those of several processes, made as system calls make them;
 * a read or write of more than the kernel moves at a time is made in several tries, between which others may do
 * something.
 *
 * Where memory is short a call may fail that the model would let pass; it must have changed nothing then.
 */
import { expect } from 'vitest';
import { type FrameNumber, OutOfMemory, PAGE_SIZE, type VirtAddr, virtAddr } from '../../src/frame/index.js';
import { Console } from '../../src/kernel/console.js';
import { FileTable, type OpenFile } from '../../src/kernel/file.js';
import { type Directory } from '../../src/kernel/files/directory.js';
import { openPath } from '../../src/kernel/files/open.js';
import type { RegularFile } from '../../src/kernel/files/regular-file.js';
import { FileTree } from '../../src/kernel/index.js';
import { type AddressSpace, copyIn, copyOut } from '../../src/space/index.js';
import {
  checkFiles,
  expectSame,
  expectSameBytes,
  expectStat,
  type FilesTwinOptions,
  type FilesTwinState,
  TEXT,
  type TwinProcess as CheckedProcess,
  type TwinProgram,
} from './files-checks.js';
import { type FilesHost, makeHost } from './files-host.js';
import {
  bytesOf,
  FAILED,
  type ModelFile,
  type ModelFiles,
  type ModelInode,
  type ModelOpen,
  type ModelProcess,
  PIECE_BYTES,
} from './files-model.js';
import type { FilesStep } from './files-steps.js';
import { pathIn } from './files-paths.js';
import { World } from './world.js';

interface Call {
  readonly kind: 'read' | 'write';
  readonly descriptor: number;
  readonly step: FilesStep;
  done: number;
}

const MOST_PROCESSES = 6;
const MOST_PROGRAMS = 3;
/** Where a process has what it reads and writes. */
const BUFFER = 0x10_0000;
const ANY_USAGE = 2;
/** Where memory is short: frames for all files, programs and what is read into. */
const SHORT_FRAMES = 16;

interface TwinProcess extends CheckedProcess {
  workingDirectory: Directory;
  /** A read or write that is not done. */
  call: Call | undefined;
}

export class FilesTwin implements FilesTwinState, Disposable {
  /** How often calls came to what. */
  readonly results = new Map<string, number>();
  readonly world: World;
  readonly host: FilesHost;
  readonly model: ModelFiles;
  readonly tree: FileTree;
  readonly numbers = new Map<ModelInode, number>();
  readonly programs: TwinProgram[] = [];
  readonly options: FilesTwinOptions;
  readonly processes: TwinProcess[] = [];
  readonly #console = new Console(100, () => undefined);
  readonly #fileTable: FileTable;

  constructor(options: FilesTwinOptions) {
    this.options = options;
    this.world = new World(options.memoryBytes);
    if (options.memory === 'short') this.world.fill(SHORT_FRAMES);
    this.host = makeHost(options.limits);
    this.model = this.host.model;
    this.tree = new FileTree({
      objects: this.world.virtualMemory.objects,
      limits: options.limits,
      ...this.host.stores,
    });
    this.#fileTable = new FileTable(options.limits.openFiles);
    // Directorys are listed once, so that what is removed first leaves its hole too.
    this.check();
    this.#start();
  }

  [Symbol.dispose](): void {
    for (const { space } of this.programs) space.close();
    this.tree.inodes.close();
    this.world[Symbol.dispose]();
  }

  get fileTable(): FileTable {
    return this.#fileTable;
  }

  step(step: FilesStep): void {
    const process = this.processes[step.process % this.processes.length]!;
    if (process.call !== undefined) {
      // Only its end comes before the end of its call.
      if (step.operation === 'exit') this.#exit(process);
      else this.#transfer(process, process.call);
      return;
    }
    this.#do(process, step);
  }

  /** @param how 'all' compares what is in open files too. */
  check(how: 'all' | 'outside' = 'all'): void {
    checkFiles(this, how);
  }

  /** Ends all processes and programs, saves everything, and sees that nothing is left. */
  finish(): void {
    this.#setHost('good');
    for (const process of [...this.processes]) this.#end(process);
    for (const { space } of this.programs.splice(0)) space.close();
    expect(this.tree.inodes.sync()).toEqual([]);
    this.#allSaved();
    this.check();
    expect(this.tree.inodes.close()).toEqual([]);
    this.check();
    expect(this.host.files.openDescriptors).toBe(0);
    expect(this.host.files.readFileSync('/secret')).toEqual(this.host.secret);
  }

  // ------------------------------------------------------------------ calls

  #do(process: TwinProcess, step: FilesStep): void {
    const { model } = process;
    const [path, other] = [step.path, step.other].map((chosen) => pathIn(this.model, chosen));
    const descriptor = descriptorIn(model, step.descriptor);
    const { operation, value } = step;
    switch (operation) {
      case 'open':
        return this.#open(process, path!, step.flags);
      case 'close':
        return this.#close(process, descriptor);
      case 'dup':
        return this.#dup(process, descriptor);
      case 'stat':
        return this.#stat(process, descriptor);
      case 'read':
      case 'write':
        process.call = { kind: operation, descriptor, step, done: 0 };
        return this.#transfer(process, process.call);
      case 'makeDirectory':
        return this.#change(
          operation,
          () => this.tree.makeDirectory(bytesOf(path!), process.workingDirectory),
          () => this.model.makeDirectory(model, path!),
        );
      case 'makeDevice': {
        const major = (value % 12) - 1;
        return this.#change(
          operation,
          () => this.tree.makeDevice(bytesOf(path!), process.workingDirectory, major, 0),
          () => this.model.makeDevice(model, path!, major),
        );
      }
      case 'link':
        return this.#change(
          operation,
          () => this.tree.link(bytesOf(path!), bytesOf(other!), process.workingDirectory),
          () => this.model.link(model, path!, other!),
        );
      case 'unlink':
        return this.#change(
          operation,
          () => this.tree.unlink(bytesOf(path!), process.workingDirectory),
          () => this.model.unlink(model, path!),
        );
      case 'changeDirectory':
        return this.#changeDirectory(process, path!);
      case 'list':
        return this.#list(process, path!, step);
      case 'fork':
        return this.#fork(process);
      case 'exit':
        return this.#exit(process);
      case 'run':
        return this.#run(process, path!);
      case 'stop':
        return this.#stop(value);
      case 'sync':
        return this.#sync();
      case 'squeeze':
        return this.#squeeze();
      case 'changeOnHost':
        return this.#changeOnHost(step);
      case 'failHost':
        if (this.options.host === 'failing') this.#setHost(value % 2 === 0 ? 'failing' : 'good');
        return undefined;
      case 'restart':
        return this.#restart();
    }
  }

  #open(process: TwinProcess, path: string, flags: number): void {
    const descriptor = process.files.indexOf(undefined);
    let problem = 'no descriptor';
    let opened: OpenFile | undefined;
    if (descriptor !== -1 && this.#fileTable.hasRoomFor(1)) {
      const result = this.#withFailures(
        () => openPath(this.tree, this.#console, bytesOf(path), process.workingDirectory, flags),
        (outcome) => outcome === 'ENOMEM',
      );
      if (typeof result === 'string') problem = result;
      else opened = this.#fileTable.open(result.operations, result.mode);
    }
    this.#note('open', opened === undefined ? problem : 'done');
    if (problem === 'ENOMEM' && this.#mayFail()) return;
    const inode = this.model.resolve(path, process.model.workingDirectory);
    if (isTheHosts(problem) && this.#cannotSave(inode)) return;
    const expected = this.model.open(process.model, path, flags);
    expectSame(opened === undefined ? FAILED : descriptor, expected, `open ${path}: ${problem}`);
    if (opened !== undefined) process.files[descriptor] = opened;
  }

  #close(process: TwinProcess, descriptor: number): void {
    const file = process.files[descriptor];
    const open = process.model.files[descriptor];
    this.model.close(process.model, descriptor);
    process.files[descriptor] = undefined;
    if (file === undefined) return;
    const problem = this.#withFailures(
      () => this.#fileTable.release(file),
      () => false,
    );
    this.#note('close', problem ?? 'done');
    this.#afterRelease(open!.inode, problem);
  }

  /** A file that nobody holds any more is saved, or the host would not have it. */
  #afterRelease(inode: ModelInode, problem: string | undefined): void {
    const isLast = inode.kind === 'file' && !this.model.holders().has(inode) && this.model.linksOf(inode) > 0;
    if (problem !== undefined) {
      expect([isLast, this.host.files.failing, (inode as ModelFile).changed], `close: ${problem}`).toEqual([
        true,
        true,
        true,
      ]);
      (inode as ModelFile).unsaved = true;
    } else if (isLast) {
      inode.changed = false;
      inode.unsaved = false;
    }
  }

  #dup(process: TwinProcess, descriptor: number): void {
    const file = process.files[descriptor];
    const free = process.files.indexOf(undefined);
    const expected = this.model.dup(process.model, descriptor);
    this.#note('dup', expected === FAILED ? 'refused' : 'done');
    if (expected === FAILED) return;
    expect(free).toBe(expected);
    file!.references++;
    process.files[free] = file;
  }

  #stat(process: TwinProcess, descriptor: number): void {
    const open = process.model.files[descriptor];
    if (open === undefined) return;
    const { inode } = open;
    const stat = process.files[descriptor]!.operations.stat!();
    expectStat(stat, this.model, inode, 'an open file');
    this.#note('stat', inode.kind);
  }

  #change(name: string, change: () => string | undefined, changeModel: () => number): void {
    const problem = this.#withFailures(change, (outcome) => outcome === 'ENOMEM');
    this.#note(name, problem ?? 'done');
    if (problem === 'ENOMEM' && this.#mayFail()) return;
    expectSame(problem === undefined ? 0 : FAILED, changeModel(), `${name}: ${problem}`);
  }

  #changeDirectory(process: TwinProcess, path: string): void {
    const found = this.tree.find(bytesOf(path), process.workingDirectory);
    const isDirectory = typeof found !== 'string' && found.kind === 'directory';
    const problem = isDirectory ? this.tree.inodes.hold(found) : 'no directory';
    if (isDirectory && problem === undefined) {
      expectSame(this.tree.inodes.release(process.workingDirectory), undefined, 'a working directory');
      process.workingDirectory = found;
    }
    this.#note('changeDirectory', problem ?? 'done');
    const expected = this.model.changeDirectory(process.model, path);
    expectSame(problem === undefined ? 0 : FAILED, expected, `changeDirectory ${path}: ${problem}`);
  }

  #fork(process: TwinProcess): void {
    if (this.processes.length >= MOST_PROCESSES) return;
    expectSame(this.tree.inodes.hold(process.workingDirectory), undefined, 'a working directory');
    const files = [...process.files];
    for (const file of files) if (file !== undefined) file.references++;
    const model = this.model.fork(process.model);
    this.processes.push({ model, workingDirectory: process.workingDirectory, files, call: undefined });
    this.#note('fork', 'done');
  }

  #exit(process: TwinProcess): void {
    if (this.processes.length === 1) return;
    this.#end(process);
    this.#note('exit', 'done');
  }

  #end(process: TwinProcess): void {
    for (const descriptor of process.files.keys()) this.#close(process, descriptor);
    expectSame(this.tree.inodes.release(process.workingDirectory), undefined, 'a working directory');
    this.model.exit(process.model);
    this.processes.splice(this.processes.indexOf(process), 1);
  }

  #start(): void {
    expectSame(this.tree.inodes.hold(this.tree.root), undefined, 'a working directory');
    const files = Array.from<undefined>({ length: this.options.limits.filesPerProcess });
    this.processes.push({
      model: this.model.startProcess(),
      workingDirectory: this.tree.root,
      files,
      call: undefined,
    });
  }

  /** The run ends, and the machine begins another. */
  #restart(): void {
    this.#setHost('good');
    for (const process of [...this.processes]) this.#end(process);
    for (const { space } of this.programs.splice(0)) space.close();
    expect(this.tree.inodes.close()).toEqual([]);
    expect(this.host.files.openDescriptors).toBe(0);
    this.#allSaved();
    this.#start();
    this.#note('restart', 'done');
  }

  // ------------------------------------------------------------------ reading and writing

  /** One try. */
  #transfer(process: TwinProcess, call: Call): void {
    const file = process.files[call.descriptor];
    const open = process.model.files[call.descriptor];
    const { kind } = call;
    process.call = undefined;
    // The console would make it wait; what may not be read or written does not come so far.
    if (file === undefined || open === undefined) return;
    if (kind === 'read' ? !file.readable : !file.writable) return;
    if (open.inode.kind === 'device' && open.inode.major === 1) return;
    const buffer = this.#makeBuffer(call);
    if (buffer === undefined) return;
    const again = kind === 'read' ? this.#read(process, call, buffer) : this.#write(process, call, buffer);
    buffer.space.close();
    if (again === undefined) return;
    call.done = again;
    process.call = call;
  }

  /** @returns how much has been read where there is more. */
  #read(process: TwinProcess, { descriptor, step, done }: Call, buffer: Buffer): number | undefined {
    const { operations } = process.files[descriptor]!;
    const { count } = step;
    this.#learnNumbers(process.model.files[descriptor]!.inode);
    const reading = this.model.peek(process.model, descriptor, count, done);
    const length = reading?.bytes.length ?? 0;
    const refused = done > 0 ? done : FAILED;
    const reached = done + length <= buffer.length;
    const expected = reading === undefined ? FAILED : reached || length === 0 ? reading.result : refused;
    const isRefused = expected === refused && length > 0;
    const result = this.#withFailures(
      () => operations.read(buffer.space, buffer.at, count, done),
      (outcome) => outcome === refused && !isRefused,
    );
    const [amount, isAll] = asAmount(result);
    this.#note('read', amount === FAILED ? 'refused' : isAll ? 'done' : 'a part');
    if (amount === refused && length > 0 && !isRefused && this.#mayFail()) {
      this.#note('read', 'out of memory');
      return undefined;
    }
    expectSame(amount, expected, `read of ${count}`);
    expectSame(isAll, isRefused || (reading?.isAll ?? true), `read of ${count}: that is all`);
    if (reading === undefined || isRefused || length === 0) return undefined;
    const found = new Uint8Array(length);
    if (copyIn(buffer.space, virtAddr(buffer.at + done), found) === 'ok') {
      const open = process.model.files[descriptor]!;
      expectSameBytes(found, this.#withNumbers(open, reading.bytes), 'what was read');
    }
    process.model.files[descriptor]!.offset += length;
    return isAll ? undefined : amount;
  }

  /** @returns how much has been written where there is more. */
  #write(process: TwinProcess, { descriptor, step, done }: Call, buffer: Buffer): number | undefined {
    const { operations } = process.files[descriptor]!;
    const { count } = step;
    const open = process.model.files[descriptor]!;
    const piece = Math.min(count - done, PIECE_BYTES);
    const bytes = patternOf(step.value + done, piece);
    const refused = done > 0 ? done : FAILED;
    const fits =
      this.model.canWrite(process.model, descriptor, piece) &&
      (done > 0 || this.model.hasRoomFor(open.inode as ModelFile, open.offset + count));
    const reached = done + piece <= buffer.length;
    const isRefused = !fits || !reached;
    const result = this.#withFailures(
      () => operations.write(buffer.space, buffer.at, count, done),
      (outcome) => outcome === refused && !isRefused,
    );
    const [amount, isAll] = asAmount(result);
    this.#note('write', amount === FAILED ? (fits ? 'refused' : 'no room') : isAll ? 'done' : 'a part');
    if (amount === refused && !isRefused && (this.#mayFail() || this.#cannotSave(open.inode))) {
      this.#note('write', this.#mayFail() ? 'out of memory' : 'not saved');
      return undefined;
    }
    if (isRefused) {
      // Of what is not all there, the beginning is written.
      const isBroken = !reached && (done > 0 || fits);
      if (isBroken) this.#writeReachable(process.model, descriptor, bytes, buffer, done);
      expectSame(amount, isBroken ? FAILED : refused, `refused write of ${count}`);
      expectSame(isAll, true, `refused write of ${count}: that is all`);
      return undefined;
    }
    expectSame(amount, done + piece, `write of ${count}`);
    expectSame(isAll, done + piece === count, `write of ${count}: that is all`);
    this.model.write(process.model, descriptor, bytes);
    return isAll ? undefined : amount;
  }

  /** What a program runs is saved before it is changed, so that the program goes on with what it has. */
  #cannotSave(inode: ModelInode | undefined): boolean {
    return inode?.kind === 'file' && inode.changed && this.host.files.failing;
  }

  /** What comes of a write from memory that ends too soon: page by page, as far as it goes. */
  #writeReachable(
    model: ModelProcess,
    descriptor: number,
    bytes: Uint8Array,
    buffer: Buffer,
    done: number,
  ): void {
    let start = 0;
    while (done + start < buffer.length) {
      const page = PAGE_SIZE - ((buffer.at + done + start) % PAGE_SIZE);
      const end = Math.min(bytes.length, start + page);
      if (done + end > buffer.length || !this.model.canWrite(model, descriptor, end - start)) return;
      this.model.write(model, descriptor, bytes.subarray(start, end));
      start = end;
    }
  }

  /** Memory of a process with what is written in it. The bytes that are missing are beyond its end. */
  #makeBuffer({ step, done, kind }: Call): Buffer | undefined {
    const { count, offset } = step;
    // Where memory is short nobody could tell how much of a broken write was made.
    const missing = this.options.memory === 'ample' ? Math.min(step.missing, count) : 0;
    // What is missing is beyond the end of a page.
    const at =
      missing === 0 ? BUFFER + offset : BUFFER + ((PAGE_SIZE - ((count - missing) % PAGE_SIZE)) % PAGE_SIZE);
    const length = count - missing;
    let space: AddressSpace | undefined;
    try {
      space = this.world.space();
      const lengthBytes = Math.ceil((at + length - BUFFER) / PAGE_SIZE) * PAGE_SIZE;
      if (lengthBytes > 0) space.map({ at: virtAddr(BUFFER), lengthBytes, protection: 'rw-' });
    } catch (error) {
      space?.close();
      if (error instanceof OutOfMemory) return undefined;
      throw error;
    }
    if (kind === 'write') {
      const piece = patternOf(step.value + done, Math.max(0, Math.min(length - done, PIECE_BYTES)));
      if (copyOut(space, virtAddr(at + done), piece) !== 'ok') {
        space.close();
        return undefined;
      }
    }
    return { space, at: virtAddr(at), length };
  }

  // ------------------------------------------------------------------ directories

  /** Opens a directory, reads all of it, and closes it. */
  #list(process: TwinProcess, path: string, step: FilesStep): void {
    const directory = this.model.resolve(path, process.model.workingDirectory);
    if (directory?.kind !== 'directory') return;
    const descriptor = process.files.indexOf(undefined);
    this.#open(process, path, 0);
    if (process.model.files[descriptor] === undefined) return;
    const count = 70_000;
    for (
      let call: Call | undefined = {
        kind: 'read',
        descriptor,
        step: { ...step, count, missing: 0 },
        done: 0,
      };
      call;
    ) {
      this.#transfer(process, call);
      call = process.call;
    }
    process.call = undefined;
    this.#close(process, descriptor);
    this.#note('list', 'done');
  }

  /** Puts the numbers of inodes into what the model has as 1. */
  #withNumbers({ inode, offset }: ModelOpen, bytes: Uint8Array): Uint8Array {
    if (inode.kind !== 'directory') return bytes;
    const all = this.model.listing(inode);
    const view = new DataView(all.buffer);
    const entryBytes = this.tree.entryBytes;
    for (let at = 0, slot = -2; at < all.length; at += entryBytes, slot++) {
      if (view.getUint16(at, true) === 0) continue;
      view.setUint16(at, this.#entryNumber(inode, slot), true);
    }
    return all.subarray(offset, offset + bytes.length);
  }

  #entryNumber(directory: ModelInode & { kind: 'directory' }, slot: number): number {
    if (slot === -2) return this.numbers.get(directory)!;
    if (slot === -1) return directory.parent.removed ? 0 : this.numbers.get(directory.parent)!;
    const { inode } = directory.slots[slot]!;
    return this.numbers.get(inode.kind === 'link' ? directory : inode)!;
  }

  #learnNumbers(inode: ModelInode): void {
    if (inode.kind === 'directory') this.check('outside');
  }

  // ------------------------------------------------------------------ programs

  /** Begins to run a file: maps it, as exec does. */
  #run(process: TwinProcess, path: string): void {
    if (this.programs.length >= MOST_PROGRAMS) return;
    const found = this.tree.find(bytesOf(path), process.workingDirectory);
    const inode = this.model.resolve(path, process.model.workingDirectory);
    expectSame(typeof found === 'string' ? undefined : found.kind, inode?.kind, `what ${path} is`);
    if (typeof found === 'string' || found.kind !== 'file' || inode?.kind !== 'file') return;
    const expected = !this.model.isHeld(inode) && this.model.isTableFull() ? 'ENFILE' : undefined;
    const loaded = this.#withFailures(
      () => this.#load(found),
      ({ result }) => result === 'ENOMEM',
    );
    const { result } = loaded;
    this.#note('run', typeof result === 'object' ? 'done' : result);
    if (result !== 'ENFILE') this.#afterRelease(inode, loaded.unsaved);
    if (result === 'ENOMEM' && this.#mayFail()) return;
    if (typeof result === 'string' && isTheHosts(result) && this.#cannotSave(inode)) return;
    const problem = typeof result === 'object' || result === 'empty' ? undefined : result;
    expectSame(problem, expected, `running ${path}`);
    if (typeof result === 'object') this.programs.push({ space: result, bytes: inode.bytes.slice() });
  }

  /** Maps a file as exec does, while it is held. @returns also why it could not be saved when it was let go. */
  #load(file: RegularFile): {
    readonly result: AddressSpace | string;
    readonly unsaved?: string | undefined;
  } {
    const held = this.tree.inodes.hold(file);
    if (held !== undefined) return { result: held };
    const result = this.#mapProgram(file);
    return { result, unsaved: this.tree.inodes.release(file) };
  }

  #mapProgram(file: RegularFile): AddressSpace | string {
    const vmo = file.program();
    if (typeof vmo === 'string') return vmo;
    const { sizeBytes } = file;
    if (sizeBytes === 0) return 'empty';
    const at = virtAddr(TEXT);
    const lengthBytes = Math.ceil(sizeBytes / PAGE_SIZE) * PAGE_SIZE;
    let space: AddressSpace | undefined;
    try {
      space = this.world.space();
      space.map({ at, lengthBytes, protection: 'r-x', vmo, eviction: 'refused' });
    } catch (error) {
      space?.close();
      if (error instanceof OutOfMemory) return 'ENOMEM';
      throw error;
    }
    const problem = space.prefault(at, lengthBytes, 'read');
    if (problem === undefined) return space;
    space.close();
    expect(problem.kind).toBe('out-of-memory');
    return 'ENOMEM';
  }

  #stop(which: number): void {
    if (this.programs.length === 0) return;
    const [program] = this.programs.splice(which % this.programs.length, 1);
    program!.space.close();
    this.#note('stop', 'done');
  }

  // ------------------------------------------------------------------ what the host and the kernel do

  #setHost(state: 'good' | 'failing'): void {
    this.host.files.failing = state === 'failing';
    this.model.hostTakes = state === 'good';
  }

  #sync(): void {
    const problems = this.tree.inodes.sync();
    this.#note('sync', problems.length === 0 ? 'done' : 'refused');
    if (problems.length === 0) this.#allSaved();
    else expect(this.host.files.failing).toBe(true);
  }

  /** All that has a name is with the host. */
  #allSaved(): void {
    for (const store of this.model.stores) {
      for (const inode of this.model.inodesOf(store)) {
        if (inode.kind !== 'file' || this.model.linksOf(inode) === 0) continue;
        inode.changed = false;
        inode.unsaved = false;
      }
    }
  }

  /** Somebody wants all memory, so that all pages go that can be brought again, and gives it back. */
  #squeeze(): void {
    const { memory } = this.world;
    const taken: FrameNumber[] = [];
    try {
      for (;;) taken.push(memory.allocate(ANY_USAGE));
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error;
    }
    for (const frame of taken) memory.release(frame);
    this.#note('squeeze', 'done');
  }

  /** Somebody else changes a file that nobody has open. */
  #changeOnHost({ value, count }: FilesStep): void {
    const files = this.host
      .fileNames(this.model)
      .filter(({ file }) => !this.model.isHeld(file) && !file.changed && !file.store.isReadOnly);
    const chosen = files[value % Math.max(1, files.length)];
    if (chosen === undefined || this.host.files.failing) return;
    const { file, hostPath } = chosen;
    // Where the disk is counted, the kernel counts its own changes alone.
    const length = this.model.isUnlimited ? count : file.bytes.length;
    file.bytes = patternOf(value, length);
    this.host.files.writeFileSync(hostPath, file.bytes);
    this.#note('changeOnHost', 'done');
  }

  // ------------------------------------------------------------------ failures

  #mayFail(): boolean {
    return this.options.memory === 'short';
  }

  /**
   * Does something, where allocations are to fail once for each of them before: it must change nothing then.
   * @param isFailure whether it has failed for want of memory.
   */
  #withFailures<T>(work: () => T, isFailure: (outcome: T) => boolean): T {
    const { memory } = this.world;
    if (this.options.memory !== 'failing') return work();
    for (let n = 1; ; n++) {
      const before = memory.allocations;
      memory.failAllocation(n);
      let outcome: T;
      try {
        outcome = work();
      } finally {
        memory.failAllocation(0);
      }
      if (memory.allocations - before < n || !isFailure(outcome)) return outcome;
      this.#note('allocation', 'failed');
      this.check();
    }
  }

  #note(what: string, result: string): void {
    const key = `${what} ${result}`;
    this.results.set(key, (this.results.get(key) ?? 0) + 1);
  }
}

/** Memory that is read into or written from. */
interface Buffer {
  readonly space: AddressSpace;
  readonly at: VirtAddr;
  /** Bytes of it that are there. */
  readonly length: number;
}

/** Whether a problem may be the host's, which refuses to take what is changed. */
const isTheHosts = (problem: string): boolean => problem === 'EIO' || problem === 'ENOSPC';

/** One that is open mostly, or any. */
const descriptorIn = ({ files }: ModelProcess, which: number): number => {
  const open = [...files.keys()].filter((descriptor) => files[descriptor] !== undefined);
  return which % 8 === 0 || open.length === 0 ? which % files.length : open[which % open.length]!;
};

/** What a try comes to: bytes or -1, and whether that is all. */
const asAmount = (transfer: ReturnType<OpenFile['operations']['read']>): [number, boolean] => {
  if (typeof transfer === 'number') return [transfer, true];
  if ('again' in transfer) return [transfer.again, false];
  throw new Error('it waits');
};

/** Bytes that tell places and writes apart. */
const patternOf = (value: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = value * 7 + index * 31 + (index >> 8);
  return bytes;
};
