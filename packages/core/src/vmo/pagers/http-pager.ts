/**
 * A pager over HTTP: it asks for byte ranges of a resource (RFC 9110, section 14). It answers later, and can only be
 * read.
 *
 * Every answer must be of the same resource: its size, ETag and Last-Modified are compared with those of the first.
 * `If-Range` is not sent: with it a browser asks another origin's leave first, and a server whose resource has
 * changed sends all of it.
 */
import { type ErrorCode, HolsteinError } from '../../frame/index.js';
import type { ByteRange } from '../pager.js';
import { cannotBeWritten, checkWithin, type SizedPager } from './sized-pager.js';

export interface HttpRequest {
  readonly method: 'GET';
  readonly headers: Record<string, string>;
  /** Aborts when the pager is closed. */
  readonly signal: AbortSignal;
}

/** As much of the host's `fetch` as is used. */
export type Fetch = (url: string, request: HttpRequest) => Promise<Response>;

export interface HttpPagerOptions {
  /** Default: `globalThis.fetch`. One of your own may add credentials, wait between requests, or try again. */
  readonly fetch?: Fetch;
  /** Sent with every request, beside `Range`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Opens a resource, with one request for its first byte. Nothing is tried twice: a failure is a `PagerError`, and
 * whoever reads again asks again.
 *
 * Another origin's server must allow its headers to be seen, with
 * `Access-Control-Expose-Headers: Content-Range, Content-Encoding, ETag`.
 * @throws HolsteinError, here and as the cause of a `PagerError`: ENOENT where there is no such resource, EACCES where it is
 *   refused, ENOTSUP where the server gives no ranges of it or compresses them, ESTALE where it has changed since it was
 *   opened, EIO for any other answer, and where `fetch` fails (its error is the `cause`).
 */
export const httpPager = async (url: string | URL, options: HttpPagerOptions = {}): Promise<HttpPager> => {
  const { fetch = (to, request) => globalThis.fetch(to, request), headers = {} } = options;
  const resource = new Resource(String(url), fetch, headers);
  return new HttpPager(resource, await open(resource));
};

/** What all answers must agree in. */
interface Version {
  readonly size: number;
  readonly etag: string | null;
  readonly lastModified: string | null;
}

export class HttpPager implements SizedPager {
  readonly #resource: Resource;
  readonly #version: Version;

  /** Use `httpPager`. @internal */
  constructor(resource: Resource, version: Version) {
    this.#resource = resource;
    this.#version = version;
  }

  get size(): number {
    return this.#version.size;
  }

  async commit(range: ByteRange): Promise<Uint8Array> {
    const resource = this.#resource;
    checkWithin(range, this.size, resource.url);
    const response = await resource.get(range.offset, range.offset + range.length - 1);
    const wrong = this.#wrongWith(response, range);
    if (wrong !== undefined) {
      discard(response);
      throw wrong;
    }
    return resource.bytesOf(response, range.length);
  }

  #wrongWith(response: Response, range: ByteRange): HolsteinError | undefined {
    const resource = this.#resource;
    const before = this.#version;
    // Beyond the end of what it is now.
    if (response.status === 416) return resource.error('ESTALE', 'has become shorter');
    if (response.ok) {
      const now = versionOf(response, before.size);
      if (now.etag !== before.etag) return resource.changed('ETag', before.etag, now.etag);
      if (now.lastModified !== before.lastModified) {
        return resource.changed('Last-Modified', before.lastModified, now.lastModified);
      }
    }
    const part = resource.partOf(response);
    if (part instanceof HolsteinError) return part;
    if (part.size !== before.size) return resource.changed('size', String(before.size), String(part.size));
    if (part.first === range.offset && part.last === range.offset + range.length - 1) return undefined;
    return resource.error(
      'EIO',
      `gave bytes ${part.first} to ${part.last} for ${range.length} bytes at ${range.offset}`,
    );
  }

  /** @throws HolsteinError ENOTSUP */
  update(): void {
    throw cannotBeWritten('ENOTSUP', this.#resource.url);
  }

  /** Aborts the requests that are under way. */
  close(): void {
    this.#resource.abort();
  }
}

const open = async (resource: Resource): Promise<Version> => {
  const response = await resource.get(0, 0);
  try {
    // A resource of no bytes has no first one.
    if (response.status === 416 && response.headers.get('content-range') === 'bytes */0') {
      return versionOf(response, 0);
    }
    if (response.status === 200 && response.headers.get('content-length') === '0') {
      return versionOf(response, 0);
    }
    const part = resource.partOf(response);
    if (part instanceof HolsteinError) throw part;
    if (part.first !== 0 || part.last !== 0) {
      throw resource.error('EIO', `gave bytes ${part.first} to ${part.last} for the first`);
    }
    return versionOf(response, part.size);
  } finally {
    discard(response);
  }
};

const versionOf = ({ headers }: Response, size: number): Version => ({
  size,
  etag: headers.get('etag'),
  lastModified: headers.get('last-modified'),
});

/** Lets go of an answer's body, which nobody will read. */
const discard = (response: Response): void => {
  response.body?.cancel().catch(() => {});
};

/** Bytes `first … last` of `size`, as Content-Range says them. */
interface Part {
  readonly first: number;
  readonly last: number;
  readonly size: number;
}

/** A resource, and how it is asked for. */
class Resource {
  readonly url: string;
  readonly #fetch: Fetch;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #abort = new AbortController();

  constructor(url: string, fetch: Fetch, headers: Readonly<Record<string, string>>) {
    this.url = url;
    this.#fetch = fetch;
    this.#headers = headers;
  }

  abort(): void {
    this.#abort.abort(new HolsteinError('EBADF', `the pager of ${this.url} is closed`));
  }

  /** Asks for bytes `first … last`. @throws HolsteinError EIO where no answer comes, EBADF where it is closed. */
  async get(first: number, last: number): Promise<Response> {
    const { signal } = this.#abort;
    const headers = { ...this.#headers, Range: `bytes=${first}-${last}` };
    signal.throwIfAborted();
    try {
      return await this.#fetch(this.url, { method: 'GET', headers, signal });
    } catch (cause) {
      throw this.error('EIO', `cannot be reached: ${messageOf(cause)}`, cause);
    }
  }

  async bytesOf(response: Response, length: number): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(await response.arrayBuffer());
    } catch (cause) {
      throw this.error('EIO', `broke off: ${messageOf(cause)}`, cause);
    }
    if (bytes.length === length) return bytes;
    throw this.error('EIO', `gave ${bytes.length} bytes where it promised ${length}`);
  }

  /** The part that a 206 gives, or what is wrong with the answer. */
  partOf({ status, headers }: Response): Part | HolsteinError {
    if (status === 200) return this.error('ENOTSUP', 'is given as a whole only: its server knows no ranges');
    if (status !== 206) return this.error(codeOf(status), `answers with status ${status}`);
    const encoding = headers.get('content-encoding') ?? 'identity';
    if (encoding !== 'identity') {
      return this.error('ENOTSUP', `comes with Content-Encoding ${encoding}: its ranges are not its bytes`);
    }
    const said = headers.get('content-range');
    if (said === null) {
      return this.error(
        'ENOTSUP',
        'gives a part and does not say which: it has no Content-Range, or does not list it in Access-Control-Expose-Headers',
      );
    }
    const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(said);
    if (found === null) {
      return this.error('ENOTSUP', `gives no size: its Content-Range is ${JSON.stringify(said)}`);
    }
    return { first: Number(found[1]), last: Number(found[2]), size: Number(found[3]) };
  }

  changed(what: string, before: string | null, now: string | null): HolsteinError {
    return this.error('ESTALE', `has changed: its ${what} was ${before ?? 'none'}, and is ${now ?? 'none'}`);
  }

  error(code: ErrorCode, what: string, cause?: unknown): HolsteinError {
    return new HolsteinError(code, `${this.url} ${what}`, { cause });
  }
}

const codeOf = (status: number): ErrorCode => {
  if (status === 404 || status === 410) return 'ENOENT';
  return status === 401 || status === 403 ? 'EACCES' : 'EIO';
};

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
