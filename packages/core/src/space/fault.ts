/**
 * How address spaces count page faults: by what became of each. The outcomes themselves are paging/'s
 * (paging/fault.ts), for copy on write answers with them too.
 */
import type { FaultFailure, FaultOutcome, Resolution } from '../paging/index.js';

/** Names under which faults are counted: a failure's kind, or how it was resolved. */
export type FaultName = Resolution | FaultFailure['kind'] | 'waiting';

export const FAULT_NAMES = [
  'copied',
  'reused',
  'zero-filled',
  'zero-mapped',
  'mapped',
  'present',
  'waiting',
  'protection',
  'unmapped',
  'beyond-end',
  'revoked',
  'pager-error',
  'out-of-memory',
] as const satisfies readonly FaultName[];

export const faultName = (outcome: FaultOutcome): FaultName =>
  outcome.kind === 'resolved' ? outcome.by : outcome.kind;
