/**
 * Floating-point arithmetic of RISC-V's F and D, every flag and rounding mode exact: a WebAssembly module of functions that the
 * interpreter and compiled code import, and software in JavaScript for what lies outside its range.
 */
import { generateFloatModule } from './float-module.js';
import { makeSoftFloat } from './soft-float.js';

export {
  DYNAMIC,
  FIRST_RESERVED_ROUNDING,
  FLAG,
  FRM_SHIFT,
  isLegalRounding,
  ROUND,
  standingBits,
} from './fcsr.js';
export { FLOAT_FUNCTIONS, type FloatFunction, type FloatImports, importFloatFunctions } from './functions.js';

export { SINGLE, SINGLE_BOX } from './number-format.js';

/** Made at first use, and the same for every hart. */
let floatModule: WebAssembly.Module | undefined;

/**
 * The functions for one hart's RAM: what a module that has `importFloatFunctions` is given as 'float'.
 * @param onSoftOperation is called for each operation that JavaScript does, which takes it microseconds.
 */
export const instantiateFloatFunctions = (
  memory: WebAssembly.Memory,
  onSoftOperation: () => void = () => {},
): WebAssembly.ModuleImports => {
  floatModule ??= new WebAssembly.Module(generateFloatModule());
  const soft = makeSoftFloat(memory);
  const instance = new WebAssembly.Instance(floatModule, {
    ram: { memory },
    soft: {
      float: (operation: number, mode: number) => {
        onSoftOperation();
        soft(operation, mode);
      },
    },
  });
  return instance.exports as WebAssembly.ModuleImports;
};
