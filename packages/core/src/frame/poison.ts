/** The pattern that freed frames are filled with in checking mode, so that a write after the end is found. */
import { type FrameNumber, frameStart, hex, PAGE_SIZE } from './address.js';

const POISON_WORD = 0x5a5a_5a5a;

export const poison = (words: Uint32Array, frame: FrameNumber): void => {
  const start = frameStart(frame) >>> 2;
  words.fill(POISON_WORD, start, start + PAGE_SIZE / 4);
};

/** @returns what is wrong where the frame has been written since it was poisoned. */
export const checkPoison = (words: Uint32Array, frame: FrameNumber): string | undefined => {
  const start = frameStart(frame) >>> 2;
  for (let word = 0; word < PAGE_SIZE / 4; word++) {
    const found = words[start + word]!;
    if (found === POISON_WORD) continue;
    return `frame ${hex(frame)} was written at byte ${hex(word * 4)} after it was freed (${hex(found)} is there)`;
  }
  return undefined;
};
