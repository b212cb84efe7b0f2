/** A device: a name in a directory for something of the kernel's, by a major and a minor number. It lasts as long as the machine. */
import { Inode } from './inode.js';
import type { Store } from './store.js';

/** xv6's number of the console. */
export const CONSOLE_MAJOR = 1;
/** Major numbers that xv6 has room for: a device of another can be made, and not be opened. */
export const MOST_MAJORS = 10;

export class Device extends Inode {
  override readonly kind = 'device';
  readonly major: number;
  readonly minor: number;

  constructor(store: Store, number: number, major: number, minor: number) {
    super(store, number);
    this.major = major;
    this.minor = minor;
  }
}
