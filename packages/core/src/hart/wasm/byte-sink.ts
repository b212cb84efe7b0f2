/** A growing array of bytes, with the two LEB128 encodings that WebAssembly writes its integers in (section 5.2.2). */
export class ByteSink {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** An unsigned integer under 2^32. */
  unsigned(value: number): void {
    if (value < 0x80 && value >= 0) {
      this.byte(value);
      return;
    }
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** A signed integer that fits 32 bits. */
  signed(value: number): void {
    let rest = value | 0;
    for (;;) {
      const group = rest & 0x7f;
      rest >>= 7;
      const done = (rest === 0 && (group & 0x40) === 0) || (rest === -1 && (group & 0x40) !== 0);
      this.byte(done ? group : group | 0x80);
      if (done) return;
    }
  }

  /** A signed integer that fits 64 bits. */
  signed64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const group = Number(rest & 0x7fn);
      rest >>= 7n;
      const done = (rest === 0n && (group & 0x40) === 0) || (rest === -1n && (group & 0x40) !== 0);
      this.byte(done ? group : group | 0x80);
      if (done) return;
    }
  }

  /** A name: its UTF-8 length, then its bytes. */
  name(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.unsigned(bytes.length);
    this.append(bytes);
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
