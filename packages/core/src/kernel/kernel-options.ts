/** What a kernel may be told when it is made, and what it takes where it is told nothing. */
import { InvalidArgument } from '../frame/index.js';
import { type Hart, MAX_BUDGET } from '../hart/index.js';
import type { ForkKind, VirtualMemory } from '../space/index.js';
import type { FileTree } from './files/file-tree.js';
import { type KernelLimits, xv6Limits } from './limits.js';

/**
 * When memory that sbrk gives takes frames.
 *
 *      by-argument   at once where the second argument is 1, when it is touched where it is 2: xv6 since 2025-08
 *      eager         at once: xv6 before, whose programs leave anything in the second argument
 *      lazy          when it is touched: the kernels of xv6's lazy allocation lab
 */
export type SbrkKind = 'by-argument' | 'eager' | 'lazy';

export interface KernelOptions {
  readonly virtualMemory: VirtualMemory;
  readonly hart: Hart;
  /** The files that there are, made with the same limits. */
  readonly files: FileTree;
  readonly limits?: Partial<KernelLimits>;
  /** How fork gives the child its memory. Default: 'tables', copy on write. */
  readonly fork?: ForkKind;
  /** Default 'by-argument'. */
  readonly sbrk?: SbrkKind;
  /** Instructions that a process runs before it is another's turn. Default 100,000. */
  readonly quantumInstructions?: number;
  /** Instructions to a tick of the clock. Default 1,000,000. */
  readonly instructionsPerTick?: number;
  /** Hears what befalls processes, a line at a time. */
  readonly log?: (line: string) => void;
}

export type KernelSettings = Omit<KernelOptions, 'limits'> &
  Required<Pick<KernelOptions, 'sbrk' | 'quantumInstructions' | 'instructionsPerTick'>> & {
    readonly limits: KernelLimits;
  };

/** @throws InvalidArgument for a quantum, tick or limit that is not a whole number from 1 up. */
export const kernelSettings = (options: KernelOptions): KernelSettings => {
  const { sbrk = 'by-argument', quantumInstructions = 100_000, instructionsPerTick = 1_000_000 } = options;
  checkPositive('quantumInstructions', quantumInstructions, MAX_BUDGET);
  checkPositive('instructionsPerTick', instructionsPerTick, Number.MAX_SAFE_INTEGER);
  return { ...options, limits: xv6Limits(options.limits), sbrk, quantumInstructions, instructionsPerTick };
};

const checkPositive = (name: string, value: number, most: number): void => {
  if (!Number.isSafeInteger(value) || value < 1 || value > most) {
    throw new InvalidArgument(`${name} of ${value}: give a whole number from 1 to ${most}`);
  }
};
