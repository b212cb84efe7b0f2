/** Reports for people: the tree of clones that an object belongs to, and what each of its page ranges is. */
import { type FrameNumber, hex, PAGE_SIZE } from '../frame/index.js';
import { framesOf } from './attribution.js';
import type { Capability } from './capability.js';
import type { MemoryObject } from './memory-object.js';
import { openObject } from './memory-objects.js';
import { type PageSlot, SLOT_DIRTY, SLOT_SAVING, slotFrame } from './page-slot.js';
import { formatFrames, joinRanges, type StateRange } from './state-ranges.js';

/**
 * What a memory object is, and its family, as state tables: a line for each range of pages in the same state.
 *
 *      * heap (anonymous, 16384 bytes)
 *            0x0-0x1000 -> frame 0x12, shared by 2
 *            0x1000-0x4000 -> zeros
 *            snapshot 2 (snapshot, 16384 bytes)
 *                0x0-0x1000 -> frame 0x12, shared by 2
 *                0x1000-0x4000 -> zeros
 *
 * The object that was asked about is marked with a star.
 * @throws HolsteinError EBADF, ESTALE where the capability is not open.
 */
export const inspect = (vmo: Capability): string => {
  const object = openObject(vmo);
  let root = object;
  while (root.parent !== undefined) root = root.parent;
  const owners = new Map<FrameNumber, number>();
  for (const member of familyOf(root)) {
    for (const frame of framesOf(member)) owners.set(frame, (owners.get(frame) ?? 0) + 1);
  }
  return [...describe(root, object, owners, '')].join('\n');
};

function* familyOf(object: MemoryObject): Iterable<MemoryObject> {
  yield object;
  for (const child of object.children) yield* familyOf(child);
}

function* describe(
  object: MemoryObject,
  marked: MemoryObject,
  owners: ReadonlyMap<FrameNumber, number>,
  indent: string,
): Iterable<string> {
  const closed = object.isHidden ? ', closed' : '';
  yield `${object === marked ? '*' : ' '} ${indent}${object.name} (${object.kind}, ${object.sizeBytes} bytes${closed})`;
  for (const range of joinRanges(rangesOf(object, owners))) {
    const words = [formatFrames(range), range.state].filter((word) => word !== undefined);
    yield `      ${indent}${hex(range.first * PAGE_SIZE)}-${hex(range.end * PAGE_SIZE)} -> ${words.join(', ')}`;
  }
  for (const child of object.children) yield* describe(child, marked, owners, `${indent}    `);
}

function* rangesOf(object: MemoryObject, owners: ReadonlyMap<FrameNumber, number>): Iterable<StateRange> {
  const { pages, sizePages } = object;
  let at = 0;
  for (let page = pages.next(0, sizePages); page !== -1; page = pages.next(page + 1, sizePages)) {
    yield* beneath(object, at, page);
    yield slotRange(object, page, pages.get(page), owners);
    at = page + 1;
  }
  yield* beneath(object, at, sizePages);
}

const slotRange = (
  object: MemoryObject,
  page: number,
  slot: PageSlot,
  owners: ReadonlyMap<FrameNumber, number>,
): StateRange => {
  const frame = slotFrame(slot);
  const shared = owners.get(frame) ?? 1;
  const words = [
    frame === 0 ? 'zeros' : shared > 1 ? `shared by ${shared}` : 'own',
    ...(object.source === undefined ? [] : [writeState(slot)]),
    ...(object.isPagePinned(page) ? ['pinned'] : []),
  ];
  const range = { first: page, end: page + 1, state: words.join(', ') };
  return frame === 0 ? range : { ...range, frame };
};

const writeState = (slot: PageSlot): string => {
  if ((slot & SLOT_DIRTY) !== 0) return 'dirty';
  return (slot & SLOT_SAVING) !== 0 ? 'awaiting-clean' : 'clean';
};

/** What pages without slots are: of the base, of the pager, or zeros. */
function* beneath(object: MemoryObject, first: number, end: number): Iterable<StateRange> {
  const { base, source } = object;
  const limit = Math.min(Math.max(base?.limit ?? source?.pages ?? 0, first), end);
  if (first < limit) {
    const from = base === undefined ? 0 : (base.offset + first) * PAGE_SIZE;
    const seen = base?.frozen === true ? 'as it was' : 'live';
    const state = base === undefined ? 'pager' : `${base.object.name} from ${hex(from)}, ${seen}`;
    yield { first, end: limit, state };
  }
  if (limit < end) yield { first: limit, end, state: 'zeros' };
}
