/** What the kernel says of itself to a program that asks, as lines of text: processes, one's mappings, and frames. */
import { inspectSpace } from '../space/index.js';
import type { Kernel } from './kernel.js';
import type { Process } from './process.js';

const FRAME_KIB = 4;
const COLUMNS = ['PID', 'PPID', 'STATE', 'SIZE', 'RESIDENT', 'NAME'];

/**
 * A line for each process. Sizes are of its address space and of what it has in memory, which others may share; the
 * states are those of process.ts.
 */
export const reportProcesses = ({ processes }: Kernel): string => {
  const rows = [...processes.values()].toSorted((one, other) => one.pid - other.pid).map(processRow);
  const widths = COLUMNS.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => row[index]!.length)),
  );
  const lines = [COLUMNS, ...rows].map((row) =>
    row
      // Numbers stand right, words left.
      .map((cell, index) =>
        index === 2 || index === COLUMNS.length - 1
          ? cell.padEnd(widths[index]!)
          : cell.padStart(widths[index]!),
      )
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
};

/** The mappings of a process; undefined where there is no such process, or it has exited. */
export const reportMappings = ({ processes }: Kernel, pid: number): string | undefined => {
  const process = processes.get(pid);
  if (process === undefined || process.state === 'zombie') return undefined;
  return `${process}, ${inspectSpace(process.space, { depth: 'mappings' })}\n`;
};

/** Physical memory by what it is used for, and what copy on write has done so far. */
export const reportFrames = ({ virtualMemory }: Kernel): string => {
  const { forks, framesSharedByForks, framesCopied } = virtualMemory.statistics();
  const { total, byUsage } = virtualMemory.memory.statistics();
  const rows = [...Object.entries(byUsage), ['all', total] as const];
  const labelWidth = Math.max(...rows.map(([label]) => label.length));
  const numberWidth = String(total).length;
  const lines = rows.map(([label, frames]) => {
    const kib = String(frames * FRAME_KIB).padStart(numberWidth + 1);
    return `${label.padEnd(labelWidth)}  ${String(frames).padStart(numberWidth)} frames  ${kib}K`;
  });
  return [
    ...lines,
    `${forks} forks have shared ${framesSharedByForks} frames; ${framesCopied} frames were copied on write`,
    '',
  ].join('\n');
};

const processRow = (process: Process): string[] => {
  const { pid, parent, state, breakAddress, space, name } = process;
  const isGone = state === 'zombie';
  return [
    String(pid),
    String(parent?.pid ?? 0),
    state,
    isGone ? '0K' : `${Math.ceil(breakAddress / 1024)}K`,
    isGone ? '0K' : `${space.residentFrames * FRAME_KIB}K`,
    name,
  ];
};
