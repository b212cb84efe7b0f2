/**
 * An inode: a file, a directory or a device, however many names it has. It is held by open files, working directories and
 * programs that are being loaded, and outlives its last name until they let it go.
 */
import type { Store } from './store.js';

/** As `struct stat` has it. */
export const STAT_TYPE = { directory: 1, file: 2, device: 3 } as const;

export abstract class Inode {
  abstract readonly kind: keyof typeof STAT_TYPE;
  readonly store: Store;
  /** As `struct stat` and `struct dirent` have it: from 1 up. The root's is 1. */
  readonly number: number;
  /** What the host knows it by; undefined for what is not the host's. */
  readonly key: string | undefined;
  /** Names that it has. The tree counts them. */
  links = 1;
  /** How often it is held. The inode table counts it. */
  holders = 0;

  constructor(store: Store, number: number, key?: string) {
    this.store = store;
    this.number = number;
    this.key = key;
  }
}
