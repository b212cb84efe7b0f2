/** Ranges of pages, each of which may have been added several times. There are few: a list is enough. */
export interface PageRange {
  readonly first: number;
  readonly end: number;
}

export class PageRanges {
  /** Made with the first range: most objects never have one. */
  #ranges: PageRange[] | undefined;

  get isEmpty(): boolean {
    return this.#ranges === undefined || this.#ranges.length === 0;
  }

  /** @returns the range as it was added, by which it is taken out. */
  add(first: number, end: number): PageRange {
    const range = { first, end };
    (this.#ranges ??= []).push(range);
    return range;
  }

  delete(range: PageRange): void {
    const index = this.#ranges?.indexOf(range) ?? -1;
    if (index !== -1) this.#ranges!.splice(index, 1);
  }

  has(page: number): boolean {
    return this.#ranges?.some(({ first, end }) => page >= first && page < end) ?? false;
  }

  /** Whether any page of `first … end - 1` is in some range. */
  touches(first: number, end: number): boolean {
    return this.#ranges?.some((range) => Math.max(range.first, first) < Math.min(range.end, end)) ?? false;
  }

  /** The pages of `first … end - 1` that are in some range, each once and in order. */
  *pages(first: number, end: number): Iterable<number> {
    const found = new Set<number>();
    for (const range of this.#ranges ?? []) {
      for (let page = Math.max(first, range.first); page < Math.min(end, range.end); page++) found.add(page);
    }
    yield* [...found].toSorted((one, other) => one - other);
  }
}
