/** What a run took of the host, and what the hart compiled for it. Unlike the memory report it differs from run to run. */
import type { Compilation, ThrownAwayFor } from '../hart/index.js';
import type { RunResult } from './machine.js';
import { pageFaults } from './memory-report.js';
import { count, formatTable, type Row } from './report-table.js';

export interface RunStatistics extends Pick<RunResult, 'instructions' | 'memory'> {
  /** Milliseconds of the host's clock from the start to the end, all waiting included. */
  readonly hostMs: number;
  /** Of the machine's hart, after the run. */
  readonly compilation: Compilation;
}

const REASONS: Readonly<Record<ThrownAwayFor, string>> = {
  written: 'their code was written',
  freed: 'their frame was freed',
  'decoded-code': 'their decoded code made room',
  replaced: 'a larger region took their place',
  room: 'they made room themselves',
};

/** The statistics as lines of text. */
export const formatRunStatistics = (statistics: RunStatistics): string => {
  const { instructions, hostMs, memory, compilation } = statistics;
  const { thrownAway } = compilation;
  const reasons = Object.entries(thrownAway) as [ThrownAwayFor, number][];
  const rows: Row[] = [
    ['instructions', count(instructions)],
    ['host time', `${(hostMs / 1000).toFixed(3)} s`],
    ['speed', `${(instructions / hostMs / 1000).toFixed(1)} million instructions a second`],
    ['page faults', count(pageFaults(memory))],
    ['regions compiled', count(compilation.compiledRegions)],
    ['  in modules', count(compilation.compiledModules)],
    ['  WebAssembly', kib(compilation.compiledBytes)],
    ['regions thrown away', count(reasons.reduce((sum, [, number]) => sum + number, 0))],
  ];
  for (const [reason, number] of reasons) if (number > 0) rows.push([`  ${REASONS[reason]}`, count(number)]);
  return formatTable('statistics', rows);
};

const kib = (bytes: number): string => `${count(Math.ceil(bytes / 1024))} KiB`;
