/** What a hart may be told when it is made, and what it takes where it is told nothing. */
import { InvalidArgument } from '../frame/index.js';
import { DEFAULT_CODE_SLOTS } from './layout.js';

/**
 * Which code is compiled: 'auto' what runs often; 'off' none; 'eager' all, before it runs for the first time, which is slow
 * and meant for tests. Programs cannot tell these apart.
 */
export type Jit = 'auto' | 'off' | 'eager';

export interface HartOptions {
  /** Frames of decoded code to keep, 1 … 4096: 32 KiB of reserved RAM each. */
  readonly codeSlots?: number;
  /** 'on' compares every hit of the TLB with a fresh walk, and throws at the first that differs. Default 'off'. */
  readonly checking?: 'on' | 'off';
  /** Default 'auto'. */
  readonly jit?: Jit;
  /** Jumps to an instruction after which code is compiled there, or about ('auto' only), 1 … 65535. Default 32,000. */
  readonly jitThreshold?: number;
  /** Bytes of compiled WebAssembly to keep, 64 KiB and up; the oldest goes first. Default 32 MiB. */
  readonly jitBytes?: number;
}

const DEFAULT_THRESHOLD = 32_000;
const MOST_JUMPS = 0xffff;
const DEFAULT_JIT_BYTES = 32 * 2 ** 20;
const LEAST_JIT_BYTES = 64 * 2 ** 10;
const JITS: readonly Jit[] = ['auto', 'off', 'eager'];

/** @throws InvalidArgument where an option makes no sense. */
export const hartSettings = (options: HartOptions): Required<HartOptions> => {
  const { checking = 'off', jit = 'auto' } = options;
  const { codeSlots = DEFAULT_CODE_SLOTS, jitBytes = DEFAULT_JIT_BYTES } = options;
  const { jitThreshold = DEFAULT_THRESHOLD } = options;
  if (!JITS.includes(jit)) {
    throw new InvalidArgument(`jit '${String(jit)}': give one of ${JITS.join(', ')}`);
  }
  checkWhole('code slots', codeSlots, 1, 4096);
  checkWhole('jumps for the jit threshold', jitThreshold, 1, MOST_JUMPS);
  checkWhole('bytes of compiled code', jitBytes, LEAST_JIT_BYTES, Number.MAX_SAFE_INTEGER);
  return { checking, jit, codeSlots, jitThreshold, jitBytes };
};

const checkWhole = (what: string, value: number, least: number, most: number): void => {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new InvalidArgument(`${value} ${what}: give a whole number from ${least} to ${most}`);
  }
};
