/** How often a space, or all of them, have faulted: by what was wanted, and by what became of it. */
import {
  type Access,
  COPIED,
  type FaultOutcome,
  MAPPED,
  REUSED,
  ZERO_FILLED,
  ZERO_MAPPED,
} from '../paging/index.js';
import { FAULT_NAMES, type FaultName, faultName } from './fault.js';

export type FaultsByAccess = Readonly<Record<Access, Readonly<Record<FaultName, number>>>>;

export class FaultCounts {
  /** A row for each access, with an item for each name. Doubles count to 2^53. */
  readonly #counts = new Float64Array(3 * FAULT_NAMES.length);

  count(access: Access, outcome: FaultOutcome): void {
    this.#counts[rowOf(access) + indexOf(outcome)]!++;
  }

  /** Adds what another has counted. */
  add(other: FaultCounts): void {
    for (const [place, count] of other.#counts.entries()) this.#counts[place]! += count;
  }

  /** What it has counted until now. */
  byAccess(): FaultsByAccess {
    return {
      read: byName((name) => this.#counts[placeOf('read', name)]!),
      write: byName((name) => this.#counts[placeOf('write', name)]!),
      execute: byName((name) => this.#counts[placeOf('execute', name)]!),
    };
  }

  /** The same, whatever was wanted. */
  byName(): Readonly<Record<FaultName, number>> {
    const { read, write, execute } = this.byAccess();
    return byName((name) => read[name] + write[name] + execute[name]);
  }
}

const placeOf = (access: Access, name: FaultName): number => rowOf(access) + FAULT_NAMES.indexOf(name);

const rowOf = (access: Access): number =>
  access === 'write' ? FAULT_NAMES.length : access === 'read' ? 0 : 2 * FAULT_NAMES.length;

/** The usual outcomes are known without a search: faults are counted in the midst of what is to be fast. */
const indexOf = (outcome: FaultOutcome): number => {
  switch (outcome) {
    case COPIED:
      return 0;
    case REUSED:
      return 1;
    case ZERO_FILLED:
      return 2;
    case ZERO_MAPPED:
      return 3;
    case MAPPED:
      return 4;
    default:
      return FAULT_NAMES.indexOf(faultName(outcome));
  }
};

for (const [index, outcome] of [COPIED, REUSED, ZERO_FILLED, ZERO_MAPPED, MAPPED].entries()) {
  if (FAULT_NAMES[index] !== faultName(outcome))
    throw new Error(`${faultName(outcome)} is not fault ${index}`);
}

const byName = (count: (name: FaultName) => number): Readonly<Record<FaultName, number>> =>
  Object.fromEntries(FAULT_NAMES.map((name) => [name, count(name)])) as Record<FaultName, number>;
