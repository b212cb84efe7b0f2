/** The pager over HTTP with the host's own `fetch`, against a server that speaks HTTP. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/frame/index.js';
import { httpPager, PagerError } from '../../src/vmo/index.js';
import { expectBytes, makeObjects, patternOf, readByte } from './paged.js';

const bytes = patternOf(0, 50 * PAGE_SIZE + 123);
let server: Server;
let origin = '';
let etag = '"1"';
const asked: string[] = [];
/** What the server waits for before it answers. */
let gate: Promise<void> = Promise.resolve();

const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { range = '' } = request.headers;
  asked.push(`${request.method} ${request.url} ${range} ${request.headers['accept-encoding'] ?? ''}`);
  await gate;
  if (request.url === '/moved') {
    response.writeHead(302, { Location: '/image' }).end();
  } else if (request.url === '/whole') {
    response.writeHead(200, { 'Content-Length': bytes.length }).end(bytes);
  } else if (request.url === '/empty') {
    response.writeHead(416, { 'Content-Range': 'bytes */0' }).end();
  } else if (request.url === '/broken' && range !== 'bytes=0-0') {
    response.writeHead(206, {
      'Content-Range': `bytes 0-4095/${bytes.length}`,
      'Content-Length': 4096,
      ETag: etag,
    });
    response.write(bytes.subarray(0, 100));
    setTimeout(() => response.destroy(), 5);
  } else if (request.url === '/image' || request.url === '/broken') {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range)!;
    const [first, last] = [Number(from), Number(to)];
    response.writeHead(206, {
      'Content-Range': `bytes ${first}-${last}/${bytes.length}`,
      'Content-Length': last - first + 1,
      ETag: etag,
    });
    response.end(bytes.subarray(first, last + 1));
  } else {
    response.writeHead(404).end('no such thing');
  }
};

beforeAll(async () => {
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => void server.close(resolve));
});

beforeEach(() => {
  asked.splice(0);
  etag = '"1"';
  gate = Promise.resolve();
});

test('a resource is opened with one request, and read in as many as there are runs of missing pages', async () => {
  const pager = await httpPager(`${origin}/image`);
  expect(pager.size).toBe(bytes.length);
  const objects = makeObjects();
  const vmo = objects.create({ size: pager.size, pager });
  expectBytes(
    await vmo.read(20 * PAGE_SIZE - 1, new Uint8Array(2)),
    bytes.subarray(20 * PAGE_SIZE - 1, 20 * PAGE_SIZE + 1),
  );
  expect(objects.statistics().pagesSupplied).toBe(2);
  expectBytes(await vmo.read(0, new Uint8Array(bytes.length)), bytes);
  expect(asked.map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
    'GET /image bytes=0-0',
    `GET /image bytes=${19 * PAGE_SIZE}-${21 * PAGE_SIZE - 1}`,
    `GET /image bytes=0-${19 * PAGE_SIZE - 1}`,
    `GET /image bytes=${21 * PAGE_SIZE}-${bytes.length - 1}`,
  ]);
  // The host asks for bytes as they are, wherever it asks for a range.
  expect(asked.every((line) => line.endsWith(' identity'))).toBe(true);
});

test('it is larger than RAM, and every byte is right', async () => {
  const pager = await httpPager(new URL(`${origin}/image`));
  const vmo = makeObjects(32).create({ size: pager.size, pager });
  for (let turn = 0; turn < 2; turn++) {
    expectBytes(await vmo.read(0, new Uint8Array(bytes.length)), bytes);
  }
});

test('redirects are followed', async () => {
  const pager = await httpPager(`${origin}/moved`);
  const vmo = makeObjects().create({ size: pager.size, pager });
  await vmo.prefetch({ length: 1 });
  expect(readByte(vmo, 0)).toBe(bytes[0]);
});

test('what cannot be opened says why', async () => {
  await expect(httpPager(`${origin}/whole`)).rejects.toMatchObject({ code: 'ENOTSUP' });
  await expect(httpPager(`${origin}/nothing`)).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(httpPager('http://127.0.0.1:1/image')).rejects.toMatchObject({ code: 'EIO' });
  expect((await httpPager(`${origin}/empty`)).size).toBe(0);
});

test('a resource that has changed is found out', async () => {
  const pager = await httpPager(`${origin}/image`);
  const vmo = makeObjects().create({ size: pager.size, pager });
  etag = '"2"';
  const error: unknown = await vmo.read(0, new Uint8Array(1)).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(PagerError);
  expect((error as PagerError).cause).toMatchObject({ code: 'ESTALE' });
});

test('an answer that breaks off is an error, and the pages are asked for again', async () => {
  const pager = await httpPager(`${origin}/broken`);
  const vmo = makeObjects().create({ size: PAGE_SIZE, pager });
  for (let turn = 0; turn < 2; turn++) {
    const error: unknown = await vmo.read(0, new Uint8Array(1)).catch((reason: unknown) => reason);
    expect((error as PagerError).cause).toMatchObject({ code: 'EIO' });
  }
  expect(asked).toHaveLength(3);
});

test('closing the object ends the request that is under way', async () => {
  const pager = await httpPager(`${origin}/image`);
  const vmo = makeObjects().create({ size: pager.size, pager });
  let open!: () => void;
  gate = new Promise((resolve) => (open = resolve));
  const closed = new Promise<void>((resolve) => {
    server.once('request', (request: IncomingMessage) => void request.once('close', resolve));
  });
  const read = vmo.read(0, new Uint8Array(1));
  const failed = read.catch((error: unknown) => error);
  while (asked.length < 2) await new Promise((resolve) => void setTimeout(resolve, 1));
  vmo.close();
  expect(await failed).toMatchObject({ code: 'EBADF' });
  open();
  await closed;
});
