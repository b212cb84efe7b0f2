/** The audit of memory objects: every node, frame and link recounted from scratch. */
import {
  type FrameNumber,
  frameNumber,
  hex,
  METADATA_LISTS,
  type PhysicalMemory,
  Usage,
  usageName,
} from '../frame/index.js';
import type { MemoryObject } from './memory-object.js';
import { countsClean, countsFirst, isZeroNode, type PageNode } from './page-node.js';
import { EMPTY, type PageSlot, SLOT_DIRTY, SLOT_SAVING, SLOT_ZERO, slotFrame } from './page-slot.js';

/** What was found of one RAM. */
interface Recount {
  /** References to each node that were found. */
  readonly nodes: Map<PageNode, number>;
  /** By frame: slots of distinct leaves that name it. */
  readonly lists: Uint32Array;
  readonly problems: string[];
}

/** @returns a line for each thing that is wrong. */
export const auditObjects = (
  memory: PhysicalMemory,
  objects: readonly MemoryObject[],
  holders: Iterable<FrameNumber>,
): string[] => {
  const { problems, lists } = recountObjects(memory, objects);
  return [...memory.audit(), ...problems, ...auditFrames(memory, lists, holders)];
};

/** @returns a line for each thing that is wrong with the objects; and by frame, how many references their lists hold. */
export const recountObjects = (
  memory: PhysicalMemory,
  objects: readonly MemoryObject[],
): Pick<Recount, 'problems' | 'lists'> => {
  const recount: Recount = { nodes: new Map(), lists: new Uint32Array(memory.totalFrames), problems: [] };
  for (const object of objects) {
    recountTree(object, recount);
    recount.problems.push(...auditObject(object, objects).map((problem) => `${object.name}: ${problem}`));
  }
  for (const [node, found] of recount.nodes) {
    if (isZeroNode(node) || node.references === found) continue;
    recount.problems.push(`a node of page lists counts ${node.references} references, ${found} were found`);
  }
  recount.problems.push(...auditLists(memory, recount.lists));
  return recount;
};

const recountTree = (object: MemoryObject, recount: Recount): void => {
  const { root, level, origin } = object.pages.tree;
  if (root === undefined) return;
  countNode(root, level, recount);
  if (object.source !== undefined) countFirst(root, recount.problems);
  const width = 64 ** level;
  const outside = (page: number): boolean => page < origin || page >= origin + object.sizePages;
  visitSlots(root, width, 0, (page, slot) => {
    if (outside(page)) recount.problems.push(`${object.name}: has slot ${hex(slot)} outside of its pages`);
  });
};

/** Counts a reference to a node and, the first time, what is below it. */
const countNode = (node: PageNode, level: number, recount: Recount): void => {
  const found = recount.nodes.get(node) ?? 0;
  recount.nodes.set(node, found + 1);
  if (found > 0) return;
  let [used, clean] = [0, 0];
  for (const child of node.children) {
    if (child === undefined) continue;
    used++;
    countNode(child, level - 1, recount);
    clean += child.clean;
  }
  for (const slot of node.slots) {
    if (slot !== EMPTY) used++;
    if (slotFrame(slot) !== 0) recount.lists[slotFrame(slot)]!++;
    clean += countsClean(slot);
  }
  if (used !== node.used)
    recount.problems.push(`a node of page lists says that it has ${node.used} entries, and has ${used}`);
  if (clean !== node.clean)
    recount.problems.push(`a node of page lists counts ${node.clean} clean pages, ${clean} were found`);
};

/** Checks what the nodes of an object with a pager count of the pages that go first. @returns how many are below the node. */
const countFirst = (node: PageNode, problems: string[]): number => {
  let first = 0;
  for (const child of node.children) {
    if (child !== undefined && !isZeroNode(child)) first += countFirst(child, problems);
  }
  for (const slot of node.slots) first += countsFirst(slot);
  if (first !== node.first)
    problems.push(`a node of page lists counts ${node.first} pages that go first, ${first} were found`);
  return first;
};

const visitSlots = (
  node: PageNode,
  childWidth: number,
  first: number,
  visit: (page: number, slot: PageSlot) => void,
): void => {
  node.children.forEach((child, index) => {
    if (child !== undefined && !isZeroNode(child)) {
      visitSlots(child, childWidth / 64, first + index * childWidth, visit);
    }
  });
  node.slots.forEach((slot, index) => {
    if (slot !== EMPTY) visit(first + index, slot);
  });
};

/** Compares what frames say of the lists that hold them. */
const auditLists = (memory: PhysicalMemory, lists: Uint32Array): string[] => {
  const problems: string[] = [];
  for (let index = 0; index < memory.totalFrames; index++) {
    const frame = frameNumber(index);
    const usage = memory.usage(frame);
    const what = `frame ${hex(index)} (${usageName(usage)}) counts`;
    if (lists[index]! > 0 && usage !== Usage.Frame) problems.push(`${what} as a page of an object`);
    if (usage !== Usage.Frame) continue;
    const counted = memory.words[(memory.metadata(frame) + METADATA_LISTS) >>> 2]!;
    if (counted !== lists[index]!)
      problems.push(`${what} ${counted} slots of page lists, ${lists[index]} were found`);
  }
  return problems;
};

/** Compares the references of frames with those that lists, holders and handles have. */
const auditFrames = (
  memory: PhysicalMemory,
  lists: Uint32Array,
  holders: Iterable<FrameNumber>,
): string[] => {
  const problems: string[] = [];
  const held = new Uint32Array(memory.totalFrames);
  for (let frame = 0; frame < memory.firstAllocatable; frame++) held[frame] = 1;
  for (const frame of holders) held[frame]!++;
  for (let index = 0; index < memory.totalFrames; index++) {
    const frame = frameNumber(index);
    const count = memory.count(frame);
    const inHandles = count === 0 ? 0 : memory.slots.handles(frame) + memory.slots.raw(frame);
    const found = held[index]! + lists[index]! + inHandles;
    if (count === found) continue;
    const what = `frame ${hex(index)} (${usageName(memory.usage(frame))}) counts`;
    problems.push(`${what} ${count} references, ${found} were found`);
  }
  return problems;
};

const auditObject = (object: MemoryObject, objects: readonly MemoryObject[]): string[] => {
  const problems: string[] = [];
  const { base, source } = object;
  if (base !== undefined) {
    if (source !== undefined) problems.push('has a base and a pager');
    if (!base.object.views.has(object)) problems.push(`is not known to its base, ${base.object.name}`);
    if (!objects.includes(base.object)) problems.push(`has a base that is gone, ${base.object.name}`);
  }
  for (const view of object.views) {
    if (view.base?.object !== object) problems.push(`is the base of ${view.name}, which has another`);
  }
  if (object.isHidden && object.views.size === 0) problems.push('is reached by nobody, and there');
  const { pages, sizePages } = object;
  for (let page = pages.next(0, sizePages); page !== -1; page = pages.next(page + 1, sizePages)) {
    problems.push(...auditPage(object, page));
  }
  for (const page of object.pins.pages(0, sizePages)) {
    if (slotFrame(object.pages.own(page)) === 0) problems.push(`page ${page} is pinned, and not its own`);
  }
  return problems;
};

const auditPage = (object: MemoryObject, page: number): string[] => {
  const problems: string[] = [];
  const slot = object.pages.get(page);
  const what = `page ${page} (slot ${hex(slot)})`;
  if ((slotFrame(slot) === 0) !== ((slot & SLOT_ZERO) !== 0))
    problems.push(`${what}: is neither a frame nor zeros, or both`);
  if ((slot & SLOT_DIRTY) !== 0 && (slot & SLOT_SAVING) !== 0)
    problems.push(`${what}: is dirty and awaiting-clean`);
  if (object.isPinned && slotFrame(object.pages.own(page)) === 0)
    problems.push(`${what}: is a device's, and shared`);
  if (!object.isPinned && !object.isReached(page)) problems.push(`${what}: is reached by nobody`);
  return problems;
};
