/** The numbers by which decoded records name the interpreter's handlers. */
import { COMPRESSED_INSTRUCTIONS, type Decoded, INSTRUCTIONS } from './instructions/index.js';

/** Nothing is decoded here yet: do it, then run it. Zero, so that a cleared slot is all of these. */
export const HANDLER_DECODE = 0;
/** The page ends here: go on at the next one. */
export const HANDLER_NEXT_PAGE = 1;
/** An instruction of 32 bits begins in the page's last halfword. */
export const HANDLER_CROSSING = 2;
export const HANDLER_ILLEGAL = 3;
/** A compiled region may be entered here. */
export const HANDLER_COMPILED = 4;
const FIRST_INSTRUCTION = 5;

const numberFor = (instruction: number, sizeBytes: 2 | 4): number =>
  FIRST_INSTRUCTION + instruction * 2 + (sizeBytes === 2 ? 1 : 0);

/** The handler that runs a decoded instruction. */
export const handlerOf = (decoded: Decoded): number => numberFor(decoded.number, decoded.sizeBytes);

export interface InstructionHandler {
  readonly handler: number;
  readonly instruction: number;
  readonly sizeBytes: 2 | 4;
}

const expansions = new Set(COMPRESSED_INSTRUCTIONS.map(({ expandsTo }) => expandsTo));

/** Every handler that an instruction needs: two where it has a compressed form. */
export const INSTRUCTION_HANDLERS: readonly InstructionHandler[] = INSTRUCTIONS.flatMap(
  ({ name }, instruction) =>
    (expansions.has(name) ? ([4, 2] as const) : ([4] as const)).map((sizeBytes) => ({
      handler: numberFor(instruction, sizeBytes),
      instruction,
      sizeBytes,
    })),
);

export const HANDLER_COUNT = FIRST_INSTRUCTION + INSTRUCTIONS.length * 2;
