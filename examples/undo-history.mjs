// @ts-check
import { MemoryObjects } from '@holstein/core/vmo';

const MIB = 2 ** 20;

/** @typedef {import('@holstein/core/vmo').Vmo<'dup' | 'read' | 'write'>} Bytes */

/** The versions of a document, each a memory object. */
class History {
  #versions;
  #at = 0;

  /** @param {Bytes} document */
  constructor(document) {
    this.#versions = [document];
  }

  get document() {
    return /** @type {Bytes} */ (this.#versions[this.#at]);
  }

  /** Keeps the document as it is, and goes on with a new version. What was undone is gone. */
  checkpoint() {
    for (const undone of this.#versions.splice(this.#at + 1)) undone.close();
    this.#at = this.#versions.push(this.document.createChild({ kind: 'snapshot' })) - 1;
  }

  undo() {
    this.#at = Math.max(this.#at - 1, 0);
  }

  redo() {
    this.#at = Math.min(this.#at + 1, this.#versions.length - 1);
  }

  close() {
    for (const version of this.#versions) version.close();
  }
}

const objects = MemoryObjects.create({ memoryBytes: 48 * MIB });
const framesInUse = () => objects.memory.statistics().byUsage.Frame;

// A document of 32 MiB: a second copy would not fit.
const document = objects.create({ size: 32 * MIB });
document.writeSync(0, new Uint8Array(32 * MIB).fill('.'.charCodeAt(0)));
const history = new History(document);

/** @param {string} what */
const show = (what) => {
  const text = new TextDecoder().decode(history.document.readSync(0, new Uint8Array(13)));
  console.log(`${what.padEnd(14)} ${text}  ${framesInUse()} frames`);
};

/** @param {number} at @param {string} word */
const type = (at, word) => {
  history.checkpoint();
  history.document.writeSync(at, new TextEncoder().encode(word));
  show(`typed ${word}`);
};

show('opened');
type(0, 'one');
type(4, 'two');
type(8, 'four');
history.undo();
history.undo();
show('undid 2');
history.redo();
show('redid 1');
type(8, 'three');

history.close();
console.log(`closed: ${framesInUse()} frames, ${objects.audit().length} problems`);
