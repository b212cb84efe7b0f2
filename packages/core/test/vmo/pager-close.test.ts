/** The end of an object with changed pages: what is refused, what is written back, what is lost. */
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/frame/index.js';
import { errorOf, first, makePaged, readByte, settle, stateOf, writeByte } from './paged.js';

const page = (count = 1): Uint8Array => new Uint8Array(count * PAGE_SIZE);

describe('an object with changed pages', () => {
  test('the last capability that could write them back is not closed, unless they are to be lost', () => {
    const { pager, vmo } = makePaged(2);
    writeByte(vmo, 1, 7);
    const error = errorOf(() => vmo.close());
    expect(error).toMatchObject({
      code: 'EBUSY',
      message: expect.stringMatching(/page 1 of file/) as unknown,
    });
    expect(vmo.state).toBe('open');
    expect(readByte(vmo, 1)).toBe(7);
    vmo.close({ unwritten: 'discard' });
    expect(vmo.state).toBe('closed');
    expect(pager.heard().filter((call) => call.startsWith('writeBack'))).toEqual([]);
    expect(pager.bytes[PAGE_SIZE]).toBe(first(1));
  });

  test('others may be closed before', () => {
    const { vmo } = makePaged(2);
    const [other, slice] = [vmo.duplicate(), vmo.createChild({ kind: 'slice' })];
    writeByte(vmo, 1, 7);
    other.close();
    slice.close();
    expect(() => vmo.close()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    vmo.syncSync();
    vmo.close();
  });

  test('a slice is enough for the pages that it reaches, and not for others', () => {
    const { vmo } = makePaged(4);
    const slice = vmo.createChild({ kind: 'slice', offset: 2 * PAGE_SIZE });
    writeByte(vmo, 0, 7);
    writeByte(vmo, 3, 7);
    expect(() => vmo.close()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    vmo.syncSync({ offset: 0, length: 1 });
    vmo.close();
    slice.syncSync();
    slice.close();
  });

  test('revoke refuses in the same way', () => {
    const { vmo } = makePaged(1);
    writeByte(vmo, 0, 7);
    expect(() => vmo.revoke()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    expect(vmo.state).toBe('open');
    vmo.revoke({ unwritten: 'discard' });
    expect(vmo.state).toBe('stale');
  });

  test('all memory objects together do, too', () => {
    const { objects, vmo } = makePaged(1);
    writeByte(vmo, 0, 7);
    expect(() => objects.close()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    expect(vmo.state).toBe('open');
  });

  test('pages that are being written back are not lost by a close', async () => {
    const { pager, vmo } = makePaged(1);
    writeByte(vmo, 0, 7);
    pager.answers = 'held';
    const sync = vmo.sync();
    await settle();
    expect(() => vmo.close()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    pager.finishNext();
    await sync;
    vmo.close();
  });

  test('`await using` writes back, and closes', async () => {
    const { pager, vmo } = makePaged(2);
    pager.answers = 'later';
    {
      await using disposed = vmo;
      await disposed.write(5, Uint8Array.of(7));
    }
    expect(pager.heard()).toEqual(['commit 0+1', 'update 0+1', 'writeBack 0+1', 'close']);
    expect(pager.bytes[5]).toBe(7);
    expect(vmo.state).toBe('closed');
  });

  test('where that fails, it throws, and the object is there still', async () => {
    const { pager, vmo } = makePaged(1);
    writeByte(vmo, 0, 7);
    pager.failures.set('writeBack', new Error('disk full'));
    await expect(vmo[Symbol.asyncDispose]()).rejects.toThrow('disk full');
    expect(vmo.state).toBe('open');
    pager.failures.clear();
    await vmo[Symbol.asyncDispose]();
    expect(pager.bytes[0]).toBe(7);
    await vmo[Symbol.asyncDispose]();
  });

  test('where the pager takes nothing back, `await using` closes as close does', async () => {
    const { objects, vmo } = makePaged(1);
    vmo.close();
    const reading = objects.create({ size: PAGE_SIZE, pager: { commit: () => page() } });
    {
      await using disposed = reading;
      writeByte(disposed, 0, 7);
    }
    expect(reading.state).toBe('closed');
  });

  test('a capability that may only read closes by `await using` as by close', async () => {
    const { pager, vmo } = makePaged(1);
    const reader = vmo.duplicate().restrict('read');
    writeByte(vmo, 0, 7);
    await reader[Symbol.asyncDispose]();
    expect(reader.state).toBe('closed');
    expect(pager.bytes[0]).toBe(first(0));
  });

  test('`await using` waits for a sync that is under way', async () => {
    const { pager, vmo } = makePaged(1);
    writeByte(vmo, 0, 7);
    pager.answers = 'held';
    const sync = vmo.sync();
    const disposed = vmo[Symbol.asyncDispose]();
    expect(await stateOf(disposed)).toBe('waiting');
    pager.finishNext();
    await sync;
    await disposed;
    expect(vmo.state).toBe('closed');
  });
});
