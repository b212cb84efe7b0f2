/** The contract of host file systems, for those that there are: the one in memory, and Node's. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { describe } from 'vitest';
import { MemoryFiles } from '../../../src/kernel/files/memory-files.js';
import { hostFileSystemContract, type Workbench } from './host-file-system.contract.js';

describe('the contract of host file systems holds for MemoryFiles', () => {
  hostFileSystemContract(() => {
    const files = new MemoryFiles();
    files.mkdirSync('/some');
    return {
      files,
      directory: '/some',
      openDescriptors: () => files.openDescriptors,
      [Symbol.dispose]: () => undefined,
    };
  });
});

describe('the contract of host file systems holds for node:fs', () => {
  hostFileSystemContract((): Workbench => {
    const directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'holstein-files-')));
    return {
      files: fs,
      directory,
      openDescriptors: () => openUnder(directory),
      [Symbol.dispose]: () => fs.rmSync(directory, { recursive: true }),
    };
  });
});

/** Descriptors that this process has open for what lies in a directory, where the host says so. */
const openUnder = (directory: string): number =>
  fs.existsSync('/proc/self/fd')
    ? fs.readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory + sep);
        } catch {
          return false;
        }
      }).length
    : 0;
