/** What a terminal shows of the bytes that it was sent: as much of one as the command makes use of. */

const ESCAPE = '\u{1b}[';
const CONTROL = /([\d;?]*)([A-Za-z])/y;
/** The beginning of an escape sequence of which the end is still to come. */
const BEGINNING = /^(\[[\d;?]*)?$/;

export class VirtualScreen {
  readonly #columns: number;
  readonly #rows: string[][] = [[]];
  #row = 0;
  #column = 0;
  #beginning = '';

  constructor(columns: number) {
    this.#columns = columns;
  }

  /** All rows that there have been, those that were scrolled away too, without the empty ones at the end. */
  get lines(): string[] {
    const lines = this.#rows.map((row) =>
      Array.from(row, (cell) => cell ?? ' ')
        .join('')
        .trimEnd(),
    );
    while (lines.at(-1) === '') lines.pop();
    return lines;
  }

  get cursor(): { readonly row: number; readonly column: number } {
    return { row: this.#row, column: this.#column };
  }

  write(more: string): void {
    const all = this.#beginning + more;
    const last = all.lastIndexOf('\u{1b}');
    const end = last !== -1 && BEGINNING.test(all.slice(last + 1)) ? last : all.length;
    this.#beginning = all.slice(end);
    const text = all.slice(0, end);
    for (let at = 0; at < text.length;) {
      CONTROL.lastIndex = at + ESCAPE.length;
      const control = text.startsWith(ESCAPE, at) ? CONTROL.exec(text) : null;
      if (control === null) {
        this.#put(text[at++]!);
      } else {
        this.#control(control[2]!, control[1]!.split(';').map(Number));
        at = CONTROL.lastIndex;
      }
    }
  }

  #put(character: string): void {
    switch (character) {
      case '\r':
        this.#column = 0;
        return;
      case '\n':
        this.#down(1);
        return;
      case '\b':
        this.#column = Math.max(0, this.#column - 1);
        return;
      case '\u{7}':
        return;
      default:
        if (character < ' ') throw new Error(`control character ${character.charCodeAt(0)}`);
    }
    // A full row goes on with the next character only.
    if (this.#column === this.#columns) {
      this.#column = 0;
      this.#down(1);
    }
    this.#rows[this.#row]![this.#column++] = character;
  }

  #control(command: string, [first = 0]: readonly number[]): void {
    const row = this.#rows[this.#row]!;
    const count = first || 1;
    switch (command) {
      case 'A':
        this.#row = Math.max(0, this.#row - count);
        return;
      case 'B':
        this.#down(count);
        return;
      case 'C':
        this.#column = Math.min(this.#columns - 1, this.#column + count);
        return;
      case 'D':
        this.#column = Math.max(0, this.#column - count);
        return;
      case 'G':
        this.#column = count - 1;
        return;
      case 'K':
        row.length = Math.min(row.length, this.#column);
        return;
      case 'J':
        row.length = Math.min(row.length, this.#column);
        this.#rows.length = this.#row + 1;
        return;
      // Colours, and modes of the keyboard.
      case 'm':
      case 'h':
      case 'l':
        return;
      default:
        throw new Error(`escape sequence ${command}`);
    }
  }

  #down(count: number): void {
    this.#row += count;
    while (this.#rows.length <= this.#row) this.#rows.push([]);
  }
}
