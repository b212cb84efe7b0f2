/** The memory report: what a run did with memory, and what an eager fork would have done. */
import type { PhysicalMemory } from '../frame/index.js';
import type { FaultName, SpaceStatistics, VirtualMemory } from '../space/index.js';
import { count, formatTable, type Row } from './report-table.js';

/** Frames and pages are 4096 bytes. */
export interface MemoryReport {
  readonly forks: number;
  /** Page faults by what became of them. */
  readonly faults: Readonly<Record<FaultName, number>>;
  /** Shared frames that were copied because they were written. */
  readonly framesCopied: number;
  /** Frames that had become their writer's alone, and were made writable without a copy. */
  readonly framesMadeWritable: number;
  /** Frames that forks shared and that were never copied after. */
  readonly framesNeverCopied: number;
  /** Frames that eager forks would have copied, each at its time. */
  readonly framesSharedByForks: number;
  /** Frames that eager forks did copy, where the machine was told to fork so. */
  readonly framesCopiedByForks: number;
  readonly framesInUseBefore: number;
  readonly framesInUseAfter: number;
}

/** What to measure a run against: made before it, by `snapshot`. */
export interface MemorySnapshot {
  readonly statistics: SpaceStatistics;
  readonly framesInUse: number;
}

export const snapshot = (memory: PhysicalMemory, virtualMemory: VirtualMemory): MemorySnapshot => ({
  statistics: virtualMemory.statistics(),
  framesInUse: memory.statistics().inUse,
});

/** The report on what happened between two snapshots. */
export const reportBetween = (before: MemorySnapshot, after: MemorySnapshot): MemoryReport => {
  const since = (count: (statistics: SpaceStatistics) => number): number =>
    count(after.statistics) - count(before.statistics);
  const framesCopied = since(({ framesCopied }) => framesCopied);
  const framesSharedByForks = since(({ framesSharedByForks }) => framesSharedByForks);
  const names = Object.keys(after.statistics.faults) as FaultName[];
  return {
    forks: since(({ forks }) => forks),
    faults: Object.fromEntries(names.map((name) => [name, since(({ faults }) => faults[name])])) as Record<
      FaultName,
      number
    >,
    framesCopied,
    framesMadeWritable: since(({ faults }) => faults.reused),
    framesNeverCopied: framesSharedByForks - framesCopied,
    framesSharedByForks,
    framesCopiedByForks: since(({ framesCopiedByForks }) => framesCopiedByForks),
    framesInUseBefore: before.framesInUse,
    framesInUseAfter: after.framesInUse,
  };
};

/** All of them. */
export const pageFaults = ({ faults }: Pick<MemoryReport, 'faults'>): number =>
  Object.values(faults).reduce((sum, number) => sum + number, 0);

const FAULT_LABELS: Readonly<Record<FaultName, string>> = {
  copied: 'copied a shared frame',
  reused: 'made the last owner’s frame writable',
  'zero-filled': 'filled with zeros',
  'zero-mapped': 'mapped the zero frame',
  mapped: 'mapped an object’s frame',
  present: 'nothing to do',
  waiting: 'waited for a pager',
  protection: 'refused: protection',
  unmapped: 'refused: nothing mapped',
  'beyond-end': 'refused: beyond the object’s end',
  revoked: 'refused: revoked',
  'pager-error': 'refused: the pager failed',
  'out-of-memory': 'refused: out of memory',
};

const FRAME_KIB = 4;

/** The report as lines of text. */
export const formatMemoryReport = (report: MemoryReport): string => {
  const rows: Row[] = [
    ['forks', count(report.forks)],
    ['page faults', count(pageFaults(report))],
  ];
  for (const [name, number] of Object.entries(report.faults) as [FaultName, number][]) {
    if (number > 0) rows.push([`  ${FAULT_LABELS[name]}`, count(number)]);
  }
  rows.push(
    ['frames copied on write', frames(report.framesCopied)],
    ['frames made writable in place', frames(report.framesMadeWritable)],
    ['frames never copied', frames(report.framesNeverCopied)],
    ['an eager fork would have copied', frames(report.framesSharedByForks)],
  );
  if (report.framesCopiedByForks > 0) rows.push(['eager forks copied', frames(report.framesCopiedByForks)]);
  rows.push(
    ['frames in use before', frames(report.framesInUseBefore)],
    ['frames in use after', frames(report.framesInUseAfter)],
  );
  return formatTable('memory report', rows);
};

/** A number of frames, with the memory that they are. */
const frames = (value: number): string => {
  const kib = value * FRAME_KIB;
  return `${count(value)} (${kib < 1024 ? `${kib} KiB` : `${(kib / 1024).toFixed(1)} MiB`})`;
};
