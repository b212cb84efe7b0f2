/**
 * The first error of several steps all of which are to be taken, whatever the others throw: it is thrown when
 * the last is done. What gives memory back works so, for a usage's destructor may throw, and a frame
 * whose turn does not come is lost.
 */
export class FirstError {
  #error: { readonly thrown: unknown } | undefined;

  /** Keeps what a step has thrown, if it is the first. */
  note(thrown: unknown): void {
    this.#error ??= { thrown };
  }

  /** Throws what was kept; nothing where all steps went well. */
  rethrow(): void {
    if (this.#error !== undefined) throw this.#error.thrown;
  }
}
