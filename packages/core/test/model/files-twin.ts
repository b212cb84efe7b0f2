/**
 * The kernel's file layer over `MemoryFiles`, and the plain model of it (files-model.ts), side by side: each call is
 * made to both, and must come to the same. The calls are those of several processes, made as system calls make them;
 * a read or write of more than the kernel moves at a time is made in several tries, between which others may do
 * something.
 *
 * Where memory is short a call may fail that the model would let pass; it must have changed nothing then.
 */
import { expect } from 'vitest';
import { type FrameNumber, OutOfMemory } from '../../src/frame/index.js';
import { Console } from '../../src/kernel/console.js';
import { FileTable, type OpenFile } from '../../src/kernel/file.js';
import { openPath } from '../../src/kernel/files/open.js';
import { FileTree } from '../../src/kernel/index.js';
import { checkFiles } from './files-checks.js';
import { expectSame, expectStat } from './files-expect.js';
import { type FilesHost, makeHost } from './files-host.js';
import {
  bytesOf,
  FAILED,
  type ModelFile,
  type ModelFiles,
  type ModelInode,
  type ModelProcess,
} from './files-model.js';
import { pathIn } from './files-paths.js';
import { runProgram } from './files-programs.js';
import { aimed, type FilesStep } from './files-steps.js';
import { type Call, type CallingProcess, transfer } from './files-transfers.js';
import {
  type FilesTwinCalls,
  type FilesTwinOptions,
  patternOf,
  type TwinProgram,
} from './files-twin-state.js';
import { World } from './world.js';

const MOST_PROCESSES = 6;
const ANY_USAGE = 2;
/** More bytes than any file or directory has. */
const EVERYTHING = 2_000_000;
/** Where memory is short: frames for all files, programs and what is read into. */
const SHORT_FRAMES = 12;

export class FilesTwin implements FilesTwinCalls, Disposable {
  /** How often calls came to what. */
  readonly results = new Map<string, number>();
  readonly world: World;
  readonly host: FilesHost;
  readonly model: ModelFiles;
  readonly tree: FileTree;
  readonly numbers = new Map<ModelInode, number>();
  readonly programs: TwinProgram[] = [];
  readonly options: FilesTwinOptions;
  readonly fileTable: FileTable;
  readonly processes: CallingProcess[] = [];
  readonly #console = new Console(100, () => undefined);

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
    this.fileTable = new FileTable(options.limits.openFiles);
    // Directories are listed once, so that what is removed first leaves its hole too.
    this.check();
    this.#start();
  }

  [Symbol.dispose](): void {
    for (const { space } of this.programs) space.close();
    this.tree.inodes.close();
    this.world[Symbol.dispose]();
  }

  step(step: FilesStep): void {
    const process = this.processes[step.process % this.processes.length]!;
    if (process.call !== undefined) {
      // Only its end comes before the end of its call.
      if (step.operation === 'exit') this.#exit(process);
      else transfer(this, process, process.call);
      return;
    }
    this.#do(process, aimed(step));
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

  #do(process: CallingProcess, step: FilesStep): void {
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
        process.call = {
          kind: operation,
          descriptor,
          step: readsAll(step) ? { ...step, count: EVERYTHING } : step,
          done: 0,
        };
        return transfer(this, process, process.call);
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
        return runProgram(this, process, path!);
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

  #open(process: CallingProcess, path: string, flags: number): void {
    const descriptor = process.files.indexOf(undefined);
    let problem = 'no descriptor';
    let opened: OpenFile | undefined;
    if (descriptor !== -1 && this.fileTable.hasRoomFor(1)) {
      const result = this.withFailures(
        () => openPath(this.tree, this.#console, bytesOf(path), process.workingDirectory, flags),
        (outcome) => outcome === 'ENOMEM',
      );
      if (typeof result === 'string') problem = result;
      else opened = this.fileTable.open(result.operations, result.mode);
    }
    this.note('open', opened === undefined ? problem : 'done');
    if (problem === 'ENOMEM' && this.mayRunOut) return;
    const expected = this.model.open(process.model, path, flags);
    expectSame(opened === undefined ? FAILED : descriptor, expected, `open ${path}: ${problem}`);
    if (opened !== undefined) process.files[descriptor] = opened;
  }

  #close(process: CallingProcess, descriptor: number): void {
    const file = process.files[descriptor];
    const open = process.model.files[descriptor];
    this.model.close(process.model, descriptor);
    process.files[descriptor] = undefined;
    if (file === undefined) return;
    const problem = this.withFailures(
      () => this.fileTable.release(file),
      () => false,
    );
    this.note('close', problem ?? 'done');
    this.released(open!.inode, problem);
  }

  /** A file that nobody holds any more is saved, or the host would not have it. */
  released(inode: ModelInode, problem: string | undefined): void {
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

  #dup(process: CallingProcess, descriptor: number): void {
    const file = process.files[descriptor];
    const free = process.files.indexOf(undefined);
    const expected = this.model.dup(process.model, descriptor);
    this.note('dup', expected === FAILED ? 'refused' : 'done');
    if (expected === FAILED) return;
    expect(free).toBe(expected);
    file!.references++;
    process.files[free] = file;
  }

  #stat(process: CallingProcess, descriptor: number): void {
    const open = process.model.files[descriptor];
    if (open === undefined) return;
    const { inode } = open;
    const stat = process.files[descriptor]!.operations.stat!();
    expectStat(stat, this.model, inode, 'an open file');
    this.note('stat', inode.kind);
  }

  #change(name: string, change: () => string | undefined, changeModel: () => number): void {
    const problem = this.withFailures(change, (outcome) => outcome === 'ENOMEM');
    this.note(name, problem ?? 'done');
    if (problem === 'ENOMEM' && this.mayRunOut) return;
    expectSame(problem === undefined ? 0 : FAILED, changeModel(), `${name}: ${problem}`);
  }

  #changeDirectory(process: CallingProcess, path: string): void {
    const found = this.tree.find(bytesOf(path), process.workingDirectory);
    const isDirectory = typeof found !== 'string' && found.kind === 'directory';
    const problem = isDirectory ? this.tree.inodes.hold(found) : 'no directory';
    if (isDirectory && problem === undefined) {
      expectSame(this.tree.inodes.release(process.workingDirectory), undefined, 'a working directory');
      process.workingDirectory = found;
    }
    this.note('changeDirectory', problem ?? 'done');
    const expected = this.model.changeDirectory(process.model, path);
    expectSame(problem === undefined ? 0 : FAILED, expected, `changeDirectory ${path}: ${problem}`);
  }

  #fork(process: CallingProcess): void {
    if (this.processes.length >= MOST_PROCESSES) return;
    expectSame(this.tree.inodes.hold(process.workingDirectory), undefined, 'a working directory');
    const files = [...process.files];
    for (const file of files) if (file !== undefined) file.references++;
    const model = this.model.fork(process.model);
    this.processes.push({ model, workingDirectory: process.workingDirectory, files, call: undefined });
    this.note('fork', 'done');
  }

  #exit(process: CallingProcess): void {
    if (this.processes.length === 1) return;
    this.#end(process);
    this.note('exit', 'done');
  }

  #end(process: CallingProcess): void {
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
    this.note('restart', 'done');
  }

  // ------------------------------------------------------------------ directories

  /** Opens a directory, reads all of it, and closes it. */
  #list(process: CallingProcess, path: string, step: FilesStep): void {
    const directory = this.model.resolve(path, process.model.workingDirectory);
    if (directory?.kind !== 'directory') return;
    const descriptor = process.files.indexOf(undefined);
    this.#open(process, path, 0);
    if (process.model.files[descriptor] === undefined) return;
    for (
      let call: Call | undefined = {
        kind: 'read',
        descriptor,
        step: { ...step, count: EVERYTHING, missing: 0 },
        done: 0,
      };
      call;
    ) {
      transfer(this, process, call);
      call = process.call;
    }
    process.call = undefined;
    this.#close(process, descriptor);
    this.note('list', 'done');
  }

  // ------------------------------------------------------------------ what the host and the kernel do

  #stop(which: number): void {
    if (this.programs.length === 0) return;
    const [program] = this.programs.splice(which % this.programs.length, 1);
    program!.space.close();
    this.note('stop', 'done');
  }

  #setHost(state: 'good' | 'failing'): void {
    this.host.files.failing = state === 'failing';
    this.model.hostTakes = state === 'good';
  }

  #sync(): void {
    const problems = this.tree.inodes.sync();
    this.note('sync', problems.length === 0 ? 'done' : 'refused');
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
    this.note('squeeze', 'done');
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
    this.note('changeOnHost', 'done');
  }

  // ------------------------------------------------------------------ failures

  get mayRunOut(): boolean {
    return this.options.memory === 'short';
  }

  /**
   * Does something, where allocations are to fail once for each of them before: it must change nothing then.
   * @param isFailure whether it has failed for want of memory.
   */
  withFailures<T>(work: () => T, isFailure: (outcome: T) => boolean): T {
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
      this.note('allocation', 'failed');
      this.check();
    }
  }

  note(what: string, result: string): void {
    const key = `${what} ${result}`;
    this.results.set(key, (this.results.get(key) ?? 0) + 1);
  }
}

/** Some reads want all that there is. */
const readsAll = ({ operation, value }: FilesStep): boolean => operation === 'read' && value % 3 === 0;

/** One that is open mostly, or any. */
const descriptorIn = ({ files }: ModelProcess, which: number): number => {
  const open = [...files.keys()].filter((descriptor) => files[descriptor] !== undefined);
  return which % 8 === 0 || open.length === 0 ? which % files.length : open[which % open.length]!;
};
