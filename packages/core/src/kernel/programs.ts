/**
 * The files of programs as memory objects, so that all processes which run a program share its text, and the pages of
 * its data until they write them. A page is read from the file when it is first used, and may go again when frames are
 * short. Those that were run last are kept; the objects of others last as long as a process has them mapped.
 */
import { bytesPager, type MemoryObjects, type Vmo } from '../vmo/index.js';

/** What a process may do with a program's object: nobody writes it. */
export type ProgramObject = Vmo<'read' | 'exec'>;

const MOST_KEPT = 32;

export class Programs {
  readonly #objects: MemoryObjects;
  /** By the file's bytes, the one that was run last at the end. */
  readonly #kept = new Map<Uint8Array, ProgramObject>();

  constructor(objects: MemoryObjects) {
    this.#objects = objects;
  }

  /** The object of a file. It is this cache's: whoever maps it has a hold of its own. */
  objectOf(file: Uint8Array, name: string): ProgramObject {
    const object = this.#kept.get(file) ?? this.#create(file, name);
    this.#kept.delete(file);
    this.#kept.set(file, object);
    for (const [oldest, unused] of this.#kept) {
      if (this.#kept.size <= MOST_KEPT) break;
      this.#kept.delete(oldest);
      unused.close();
    }
    return object;
  }

  /** Lets go of all. */
  close(): void {
    for (const object of this.#kept.values()) object.close();
    this.#kept.clear();
  }

  #create(file: Uint8Array, name: string): ProgramObject {
    return this.#objects.create({
      size: file.length,
      pager: bytesPager(file),
      rights: ['read', 'exec'],
      name,
    });
  }
}
