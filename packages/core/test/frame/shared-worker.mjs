// @ts-check
/**
 * One of several threads that use the same RAM (shared.test.ts). A worker runs plain JavaScript, so this is the
 * built library: `npm test` builds it before it tests (scripts/setup.mjs).
 */
import { parentPort, workerData } from 'node:worker_threads';
import { DynPage, FrameMeta, Page, PhysicalMemory, Segment, Usage } from '../../dist/frame/index.js';

/**
 * @typedef {object} Work what a worker is to do
 * @property {import('../../dist/frame/index.js').SharedRam} ram
 * @property {'pages' | 'frames' | 'race'} kind
 * @property {number} seed
 * @property {number} operations
 * @property {import('../../dist/frame/index.js').PhysAddr[]} raws one raw reference to each common page
 * @property {SharedArrayBuffer} destroyed for each frame, how often a destructor ran
 * @property {SharedArrayBuffer} owners for each frame, who has it
 * @property {SharedArrayBuffer} gate two words at which workers meet
 * @property {MessagePort[]} peers
 */
/** @type {Work} */
const { ram, kind, seed, operations, raws, destroyed, owners, gate, peers } = workerData;
const memory = new PhysicalMemory(ram);
const destructions = new Int32Array(destroyed);
const owner = new Int32Array(owners);
const words = new Int32Array(gate);
memory.setDestructor(Usage.Frame, (frame) => void Atomics.add(destructions, frame, 1));

let state = seed * 0x9e37_79b1 || 1;
const below = (/** @type {number} */ limit) => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % limit;
};

/** @param {unknown} error @param {...string} codes that are no surprise */
const expected = (error, ...codes) => {
  if (!(error instanceof Error) || !('code' in error) || !codes.includes(String(error.code))) throw error;
};

/** Frames that are this thread's: nobody else may think so. @param {number} first @param {number} count */
const own = (first, count) => {
  for (let frame = first; frame < first + count; frame++) {
    const other = Atomics.exchange(owner, frame, seed);
    if (other !== 0) throw new Error(`frame ${frame} is given to ${seed}, and ${other} has it`);
  }
};

/** @param {number} first @param {number} count */
const disown = (first, count) => {
  for (let frame = first; frame < first + count; frame++) {
    if (Atomics.exchange(owner, frame, 0) !== seed) throw new Error(`frame ${frame} was ${seed}'s`);
  }
};

/** Clones and drops handles of the common pages, and posts raw references to the other workers. */
const pages = async () => {
  /** @type {DynPage[]} */
  const handles = raws.map((raw) => DynPage.fromRaw(memory, raw));
  let posted = 0;
  let received = 0;
  let ended = 0;
  const done = new Promise((resolve) => {
    for (const peer of peers) {
      peer.on('message', (raw) => {
        if (raw === 'end') {
          if (++ended === peers.length) resolve(undefined);
          return;
        }
        received++;
        DynPage.fromRaw(memory, raw).close();
      });
    }
  });
  for (let step = 0; step < operations; step++) {
    const handle = /** @type {DynPage} */ (handles[below(handles.length)]);
    switch (below(8)) {
      case 0:
        if (handles.length < 500) handles.push(handle.clone());
        break;
      case 1: {
        const raw = handle.clone().intoRaw();
        const { page } = DynPage.fromRaw(memory, raw).into(FrameMeta);
        page.close();
        break;
      }
      case 2:
        if (step % 16 === 0) {
          peers[below(peers.length)]?.postMessage(handle.clone().intoRaw(), []);
          posted++;
        }
        break;
      case 3:
        if (handles.length > 50) handles.splice(below(handles.length), 1)[0]?.close();
        break;
      default: {
        const clone = handle.clone();
        if (clone.referenceCount < 2) throw new Error('a reference is lost');
        clone.close();
      }
    }
    // Messages are heard between turns.
    if (step % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  for (const peer of peers) peer.postMessage('end', []);
  await done;
  for (const handle of handles) handle.close();
  for (const peer of peers) peer.close();
  return { posted, received };
};

/** Allocates and frees single frames, pages at places and rows, from a RAM that they nearly fill. */
const frames = () => {
  /** @type {{ first: number, count: number, close: () => void }[]} */
  const held = [];
  let refused = 0;
  for (let step = 0; step < operations; step++) {
    try {
      const what = below(16);
      if (what < 8 || held.length > 60) {
        const [gone] = held.length === 0 ? [] : held.splice(below(held.length), 1);
        if (gone === undefined) continue;
        disown(gone.first, gone.count);
        gone.close();
      } else if (what < 12) {
        const frame = memory.allocate(Usage.Frame);
        held.push({ first: frame, count: 1, close: () => memory.release(frame) });
        own(frame, 1);
      } else if (what < 13) {
        const page = Page.allocate(memory, FrameMeta, { owner: seed });
        held.push({ first: page.frame, count: 1, close: () => page.close() });
        own(page.frame, 1);
        if (page.metadata.owner !== seed) throw new Error('its metadata is another’s');
      } else {
        const count = 1 + below(20);
        const at = memory.firstAllocatable + below(memory.totalFrames - memory.firstAllocatable - count);
        const place = what === 13 ? { at: /** @type {any} */ (at) } : {};
        const segment = Segment.allocate(memory, FrameMeta, { frames: count, ...place }, (owner) => ({
          owner,
        }));
        const first = segment.address / 4096;
        held.push({ first, count, close: () => segment.close() });
        own(first, count);
        const last = segment.page(count - 1);
        if (last.metadata.owner !== count - 1) throw new Error('its metadata is another’s');
        last.close();
      }
    } catch (error) {
      expected(error, 'ENOMEM', 'EBUSY');
      refused++;
    }
  }
  for (const { first, count, close } of held) {
    disown(first, count);
    close();
  }
  return { refused };
};

/**
 * Two workers meet at each round: one drops the last reference to a frame, the other retains it meanwhile. It gets
 * the frame or a refusal, never a frame that is being freed.
 */
const race = () => {
  const frame = /** @type {import('../../dist/frame/index.js').FrameNumber} */ (raws[0]);
  let got = 0;
  for (let round = 1; round <= operations; round++) {
    if (seed === 1) memory.allocateRange({ frames: 1, usage: Usage.Frame, at: frame });
    meet(0, 3 * round - 2);
    for (let spin = below(40); spin > 0; spin--);
    if (seed === 1) memory.release(frame);
    else {
      try {
        memory.retain(frame);
        got++;
        if (memory.usage(frame) !== Usage.Frame) throw new Error('a freed frame was retained');
        meet(0, 3 * round - 1);
        if (memory.count(frame) !== 1) throw new Error(`the count is ${memory.count(frame)}`);
        memory.release(frame);
      } catch (error) {
        expected(error, 'EINVAL');
        meet(0, 3 * round - 1);
      }
    }
    if (seed === 1) meet(0, 3 * round - 1);
    meet(0, 3 * round);
    if (memory.count(frame) !== 0) throw new Error('the frame is lost');
    if (Atomics.load(destructions, frame) !== round) throw new Error(`round ${round}: not destroyed once`);
    meet(1, round);
  }
  return { got };
};

/**
 * Waits until both workers are here. Spins at first, so that they leave together; then sleeps, for the other may
 * have no processor to run on.
 * @param {number} place which of the gate's words
 * @param {number} times how often they have met there, this time included
 */
const meet = (place, times) => {
  Atomics.add(words, place, 1);
  Atomics.notify(words, place);
  for (let spin = 0; spin < 5000; spin++) if (Atomics.load(words, place) >= 2 * times) return;
  for (;;) {
    const here = Atomics.load(words, place);
    if (here >= 2 * times) return;
    Atomics.wait(words, place, here, 10);
  }
};

parentPort?.postMessage(kind === 'pages' ? await pages() : kind === 'frames' ? frames() : race(), []);
