/** The audit of processes: their states, spaces and open files, recounted. */
import type { OpenFile } from './file.js';
import type { AnyInode } from './files/inode-table.js';
import type { Kernel } from './kernel.js';

/** @returns a line for each thing about processes and files that is wrong. */
export const auditProcesses = ({ processes, virtualMemory, fileTable, files }: Kernel): string[] => {
  const problems: string[] = [];
  const references = new Map<OpenFile, number>();
  const holders = new Map<AnyInode, number>();
  const hold = (inode: AnyInode): unknown => holders.set(inode, (holders.get(inode) ?? 0) + 1);
  const spaces = new Set(virtualMemory.spaces);
  for (const process of processes.values()) {
    for (const file of process.files) {
      if (file !== undefined) references.set(file, (references.get(file) ?? 0) + 1);
    }
    if (process.state !== 'zombie') hold(process.workingDirectory);
    const open = spaces.delete(process.space);
    if (open === (process.state === 'zombie')) {
      problems.push(`${process} is ${process.state}, and its address space is ${open ? 'open' : 'closed'}`);
    }
    if ((process.state === 'blocked') !== (process.channel !== undefined)) {
      problems.push(`${process} is ${process.state}, and has ${process.channel ? 'a' : 'no'} channel`);
    }
  }
  if (spaces.size > 0) problems.push(`${spaces.size} address spaces belong to no process`);
  for (const file of new Set([...fileTable.files, ...references.keys()])) {
    const found = references.get(file) ?? 0;
    if (found !== file.references || !fileTable.files.has(file)) {
      problems.push(`an open file counts ${file.references} references, ${found} descriptors were found`);
    }
  }
  for (const { operations } of fileTable.files) if (operations.inode !== undefined) hold(operations.inode);
  return [...problems, ...files.inodes.audit(holders)];
};
