/** The pager over HTTP, with a `fetch` that the test answers: what it asks, and every way in which an answer can be wrong. */
import { describe, expect, test } from 'vitest';
import { HolsteinError, PAGE_SIZE } from '../../src/frame/index.js';
import { type Fetch, httpPager, type HttpRequest, type PagerError } from '../../src/vmo/index.js';
import { expectBytes, expectPagerError, makeObjects, patternOf, readByte } from './paged.js';

const SIZE = 10 * PAGE_SIZE - 7;
const URL_OF = 'https://example.org/image.bin';

/** A resource as a good server has it, with what the test changes. */
class Server {
  readonly asked: string[] = [];
  readonly requests: HttpRequest[] = [];
  bytes = patternOf(0, SIZE);
  headers: Record<string, string | undefined> = {
    ETag: '"v1"',
    'Last-Modified': 'Mon, 02 Nov 2026 10:00:00 GMT',
  };
  /** What happens instead of the good answer. */
  instead: ((range: string) => Response | Promise<Response> | undefined) | undefined;

  readonly fetch: Fetch = async (url, request) => {
    const range = request.headers['Range'] ?? '';
    this.asked.push(range);
    this.requests.push(request);
    expect(url).toBe(URL_OF);
    await Promise.resolve();
    return (await this.instead?.(range)) ?? this.answer(range);
  };

  answer(range: string, changed: Record<string, string | undefined> = {}, status = 206): Response {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range)!;
    const [start, last] = [Number(from), Math.min(Number(to), this.bytes.length - 1)];
    if (start >= this.bytes.length) {
      return this.respond(undefined, 416, { 'Content-Range': `bytes */${this.bytes.length}`, ...changed });
    }
    const headers = { 'Content-Range': `bytes ${start}-${last}/${this.bytes.length}`, ...changed };
    return this.respond(this.bytes.slice(start, last + 1), status, headers);
  }

  respond(
    body: Uint8Array<ArrayBuffer> | string | undefined,
    status: number,
    changed: Record<string, string | undefined> = {},
  ): Response {
    const headers = new Headers();
    for (const [name, value] of Object.entries({ ...this.headers, ...changed })) {
      if (value !== undefined) headers.set(name, value);
    }
    return new Response(body ?? null, { status, headers });
  }
}

const open = async (server = new Server()) => {
  const pager = await httpPager(URL_OF, { fetch: server.fetch });
  server.asked.splice(0);
  const vmo = makeObjects().create({ size: pager.size, pager, name: 'image' });
  return { server, pager, vmo };
};

const failureOf = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
};

/** Fails where a read does not end with a PagerError whose cause has that code and message. */
const expectCause = async (
  read: Promise<unknown>,
  code: string,
  message: string | RegExp,
): Promise<HolsteinError> => {
  const error = await failureOf(read);
  expectPagerError(error, /the pager of image failed in commit/);
  const { cause } = error as PagerError;
  expect(cause).toBeInstanceOf(HolsteinError);
  expect(cause).toMatchObject({ code });
  expect((cause as Error).message).toMatch(message);
  return cause as HolsteinError;
};

describe('opening', () => {
  test('asks for one byte, and learns the size from it', async () => {
    const server = new Server();
    const pager = await httpPager(new URL(URL_OF), { fetch: server.fetch, headers: { Authorization: 'me' } });
    expect(pager.size).toBe(SIZE);
    expect(server.asked).toEqual(['bytes=0-0']);
    expect(server.requests[0]).toMatchObject({ method: 'GET', headers: { Authorization: 'me' } });
  });

  test.each([
    ['206 with ETag and all', (server: Server) => server.answer('bytes=0-0'), SIZE],
    [
      '416, for there is no first byte',
      (server: Server) => server.respond('', 416, { 'Content-Range': 'bytes */0' }),
      0,
    ],
    ['200 with nothing', (server: Server) => server.respond('', 200, { 'Content-Length': '0' }), 0],
  ])('%s', async (_, answer, size) => {
    const server = new Server();
    server.instead = () => answer(server);
    expect((await httpPager(URL_OF, { fetch: server.fetch })).size).toBe(size);
  });

  test.each([
    [404, 'ENOENT'],
    [410, 'ENOENT'],
    [401, 'EACCES'],
    [403, 'EACCES'],
    [500, 'EIO'],
    [503, 'EIO'],
    [416, 'EIO'],
    [204, 'EIO'],
  ])('status %d is %s', async (status, code) => {
    const server = new Server();
    server.instead = () => server.respond(undefined, status);
    const error = await failureOf(httpPager(URL_OF, { fetch: server.fetch }));
    expect(error).toBeInstanceOf(HolsteinError);
    expect(error).toMatchObject({ code, message: `${URL_OF} answers with status ${status}` });
    // Nothing is tried twice.
    expect(server.asked).toHaveLength(1);
  });

  test('a server that knows no ranges gives all of it: that is not read', async () => {
    const server = new Server();
    let cancelled = false;
    server.instead = () => {
      const body = new ReadableStream({ cancel: () => void (cancelled = true) });
      return new Response(body, { status: 200 });
    };
    expect(await failureOf(httpPager(URL_OF, { fetch: server.fetch }))).toMatchObject({
      code: 'ENOTSUP',
      message: `${URL_OF} is given as a whole only: its server knows no ranges`,
    });
    expect(cancelled).toBe(true);
  });

  test.each([
    ['no Content-Range', { 'Content-Range': undefined }, 'ENOTSUP', 'Access-Control-Expose-Headers'],
    ['no size', { 'Content-Range': 'bytes 0-0/*' }, 'ENOTSUP', 'its Content-Range is "bytes 0-0/*"'],
    ['another unit', { 'Content-Range': 'lines 0-0/5' }, 'ENOTSUP', 'its Content-Range is "lines 0-0/5"'],
    ['another range', { 'Content-Range': 'bytes 1-1/5' }, 'EIO', 'gave bytes 1 to 1 for the first'],
    ['compression', { 'Content-Encoding': 'gzip' }, 'ENOTSUP', 'Content-Encoding gzip'],
  ])('%s is refused', async (_, headers, code, message) => {
    const server = new Server();
    server.instead = (range) => server.answer(range, headers);
    expect(await failureOf(httpPager(URL_OF, { fetch: server.fetch }))).toMatchObject({
      code,
      message: expect.stringContaining(message) as unknown,
    });
  });

  test('Content-Encoding identity is none', async () => {
    const server = new Server();
    server.headers['Content-Encoding'] = 'identity';
    expect((await httpPager(URL_OF, { fetch: server.fetch })).size).toBe(SIZE);
  });

  test('a fetch that fails is its cause', async () => {
    const cause = new TypeError('fetch failed');
    const error = await failureOf(httpPager(URL_OF, { fetch: () => Promise.reject(cause) }));
    expect(error).toMatchObject({ code: 'EIO', message: `${URL_OF} cannot be reached: fetch failed` });
    expect((error as Error).cause).toBe(cause);
  });
});

describe('reading', () => {
  test('asks for the pages that are wanted, once, and has the right bytes', async () => {
    const { server, vmo } = await open();
    const reads = await Promise.all([
      vmo.read(3 * PAGE_SIZE - 1, new Uint8Array(2)),
      vmo.read(3 * PAGE_SIZE + 5, new Uint8Array(9)),
    ]);
    expectBytes(reads[0], patternOf(3 * PAGE_SIZE - 1, 2));
    expectBytes(reads[1], patternOf(3 * PAGE_SIZE + 5, 9));
    expect(server.asked).toEqual([`bytes=${2 * PAGE_SIZE}-${4 * PAGE_SIZE - 1}`]);
  });

  test('the last page is asked for to the byte', async () => {
    const { server, vmo } = await open();
    expectBytes(await vmo.read(0, new Uint8Array(SIZE)), patternOf(0, SIZE));
    expect(server.asked).toEqual([`bytes=0-${SIZE - 1}`]);
  });

  test('a server that names neither ETag nor Last-Modified is believed', async () => {
    const server = new Server();
    server.headers = {};
    const { vmo } = await open(server);
    expectBytes(await vmo.read(0, new Uint8Array(SIZE)), patternOf(0, SIZE));
  });

  test.each([
    ['ETag', { ETag: '"v2"' }, 'its ETag was "v1", and is "v2"'],
    ['ETag, and that is gone', { ETag: undefined }, 'its ETag was "v1", and is none'],
    [
      'Last-Modified',
      { 'Last-Modified': 'Tue, 03 Nov 2026 10:00:00 GMT' },
      /its Last-Modified was Mon.*, and is Tue/,
    ],
    [
      'size',
      { 'Content-Range': `bytes 0-${PAGE_SIZE - 1}/${SIZE + 1}` },
      `its size was ${SIZE}, and is ${SIZE + 1}`,
    ],
  ])('a resource that has changed is found out by its %s', async (_, headers, message) => {
    const { server, vmo } = await open();
    server.instead = (range) => server.answer(range, headers);
    await expectCause(vmo.read(0, new Uint8Array(1)), 'ESTALE', message);
    expect(vmo.committedBytes).toBe(0);
    // A later read asks again; what was read before stays.
    server.instead = undefined;
    await vmo.read(0, new Uint8Array(1));
    server.instead = (range) => server.answer(range, headers);
    await expectCause(vmo.read(PAGE_SIZE, new Uint8Array(1)), 'ESTALE', /has changed/);
    expect(readByte(vmo, 0)).toBe(patternOf(0, 1)[0]);
  });

  test('a resource that has become shorter', async () => {
    const { server, vmo } = await open();
    server.bytes = server.bytes.slice(0, PAGE_SIZE);
    await expectCause(vmo.read(5 * PAGE_SIZE, new Uint8Array(1)), 'ESTALE', 'has become shorter');
  });

  test.each([
    ['all of it', 200, {}, 'ENOTSUP', 'knows no ranges'],
    ['all of something else', 200, { ETag: '"v2"' }, 'ESTALE', 'its ETag was "v1", and is "v2"'],
    ['a refusal', 403, {}, 'EACCES', 'answers with status 403'],
    ['that it is gone', 404, {}, 'ENOENT', 'answers with status 404'],
    ['that it is busy', 503, {}, 'EIO', 'answers with status 503'],
    ['no Content-Range', 206, { 'Content-Range': undefined }, 'ENOTSUP', 'no Content-Range'],
    ['compression', 206, { 'Content-Encoding': 'br' }, 'ENOTSUP', 'Content-Encoding br'],
    [
      'another part',
      206,
      { 'Content-Range': `bytes 1-4096/${SIZE}` },
      'EIO',
      /gave bytes 1 to 4096 for 4096 bytes at 0/,
    ],
    ['less', 206, { 'Content-Range': `bytes 0-99/${SIZE}` }, 'EIO', /gave bytes 0 to 99 for 4096 bytes at 0/],
  ] as const)('an answer with %s', async (_, status, headers, code, message) => {
    const { server, vmo } = await open();
    server.instead = (range) => server.answer(range, headers, status);
    await expectCause(vmo.read(0, new Uint8Array(1)), code, message);
    expect(server.asked).toHaveLength(1);
    expect(vmo.committedBytes).toBe(0);
  });

  test.each([0, 4095, 4097])('a body of %d bytes for 4096', async (length) => {
    const { server, vmo } = await open();
    server.instead = () =>
      server.respond(new Uint8Array(length), 206, { 'Content-Range': `bytes 0-4095/${SIZE}` });
    await expectCause(vmo.read(0, new Uint8Array(1)), 'EIO', `gave ${length} bytes where it promised 4096`);
  });

  test('a body that breaks off, and a network that fails: a later read asks again', async () => {
    const { server, vmo } = await open();
    const cause = new TypeError('terminated');
    server.instead = () =>
      new Response(new ReadableStream({ pull: (controller) => controller.error(cause) }), {
        status: 206,
        headers: { 'Content-Range': `bytes 0-4095/${SIZE}`, ...(server.headers as Record<string, string>) },
      });
    const broken = await expectCause(vmo.read(0, new Uint8Array(1)), 'EIO', 'broke off: ');
    // A browser has an error of its own for it.
    expect(broken.cause).toBeInstanceOf(TypeError);
    server.instead = () => Promise.reject(cause);
    const failed = await expectCause(vmo.read(0, new Uint8Array(1)), 'EIO', 'cannot be reached: terminated');
    expect(failed.cause).toBe(cause);
    server.instead = undefined;
    expectBytes(await vmo.read(0, new Uint8Array(5)), patternOf(0, 5));
    expect(server.asked).toHaveLength(3);
  });

  test('it cannot be written; a snapshot can', async () => {
    const { vmo } = await open();
    const error = await failureOf(vmo.write(0, Uint8Array.of(1)));
    expectPagerError(error, `${URL_OF} cannot be written: write to a snapshot of the object`);
    expect((error as PagerError).cause).toMatchObject({ code: 'ENOTSUP' });
    const own = vmo.createChild({ kind: 'snapshot' });
    await own.write(0, Uint8Array.of(1));
    expect(readByte(own, 0)).toBe(1);
  });

  test('closing the object aborts what is under way', async () => {
    const { server, vmo } = await open();
    let aborted: unknown;
    server.instead = () =>
      new Promise((_, reject) => {
        const { signal } = server.requests.at(-1)!;
        signal.addEventListener('abort', () => {
          aborted = signal.reason;
          reject(signal.reason as Error);
        });
      });
    const read = vmo.read(0, new Uint8Array(1));
    await Promise.resolve();
    vmo.close();
    await expect(read).rejects.toMatchObject({ code: 'EBADF' });
    expect(aborted).toMatchObject({ code: 'EBADF', message: `the pager of ${URL_OF} is closed` });
  });

  test('closed by itself, it asks no more', async () => {
    const { pager, server, vmo } = await open();
    pager.close();
    pager.close();
    await expectCause(vmo.read(0, new Uint8Array(1)), 'EBADF', 'is closed');
    expect(server.asked).toEqual([]);
  });
});
