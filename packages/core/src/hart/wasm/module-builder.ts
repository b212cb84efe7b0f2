/** Puts a WebAssembly binary module together: types, imports, functions and exports (core specification, section 5.5). */
import { InvalidArgument } from '../../frame/index.js';
import { ByteSink } from './byte-sink.js';
import { CodeBuilder, type FunctionIndex, type TypeIndex } from './code-builder.js';
import { VALUE_TYPES, type ValueType } from './opcodes.js';

export interface Signature {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

const MAGIC_AND_VERSION = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const KIND_FUNCTION = 0x00;
const KIND_TABLE = 0x01;
const KIND_MEMORY = 0x02;
const FUNCTION_REFERENCE = 0x70;
const FUNCTION_TYPE = 0x60;
const LIMITS_WITHOUT_MAXIMUM = 0x00;

export class ModuleBuilder {
  readonly #signatures: Signature[] = [];
  readonly #types = new Map<string, TypeIndex>();
  readonly #imports: ((sink: ByteSink) => void)[] = [];
  readonly #functions: { readonly type: number; readonly code: CodeBuilder }[] = [];
  readonly #exports: { readonly name: string; readonly index: number }[] = [];
  #importedFunctions = 0;

  /** Imports the one memory, of whatever size it is. */
  importMemory(module: string, name: string): void {
    this.#imports.push((sink) => {
      sink.name(module);
      sink.name(name);
      sink.byte(KIND_MEMORY);
      sink.byte(LIMITS_WITHOUT_MAXIMUM);
      sink.unsigned(1);
    });
  }

  /** Imports the one table, of functions, of whatever size it is. */
  importTable(module: string, name: string): void {
    this.#imports.push((sink) => {
      sink.name(module);
      sink.name(name);
      sink.byte(KIND_TABLE);
      sink.byte(FUNCTION_REFERENCE);
      sink.byte(LIMITS_WITHOUT_MAXIMUM);
      sink.unsigned(0);
    });
  }

  /** Imports a function. All imports come before the first `function`, for they share its numbering. */
  importFunction(module: string, name: string, signature: Signature): FunctionIndex {
    if (this.#functions.length > 0) throw new InvalidArgument('imports come before functions');
    const type = this.type(signature);
    this.#imports.push((sink) => {
      sink.name(module);
      sink.name(name);
      sink.byte(KIND_FUNCTION);
      sink.unsigned(type);
    });
    return this.#importedFunctions++ as FunctionIndex;
  }

  /**
   * Adds a function, to be written through the builder that is returned.
   * @param name under which it is exported; undefined where it is not.
   */
  function(name: string | undefined, signature: Signature): CodeBuilder {
    const index = (this.#importedFunctions + this.#functions.length) as FunctionIndex;
    const code = new CodeBuilder(signature.parameters.length, index);
    if (name !== undefined) this.#exports.push({ name, index });
    this.#functions.push({ type: this.type(signature), code });
    return code;
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    const module = new ByteSink();
    module.append(MAGIC_AND_VERSION);
    section(module, SECTION.type, this.#signatures, (sink, { parameters, results }) => {
      sink.byte(FUNCTION_TYPE);
      for (const types of [parameters, results]) {
        sink.unsigned(types.length);
        for (const type of types) sink.byte(VALUE_TYPES[type]);
      }
    });
    section(module, SECTION.import, this.#imports, (sink, write) => write(sink));
    section(module, SECTION.function, this.#functions, (sink, { type }) => sink.unsigned(type));
    section(module, SECTION.export, this.#exports, (sink, { name, index }) => {
      sink.name(name);
      sink.byte(KIND_FUNCTION);
      sink.unsigned(index);
    });
    section(module, SECTION.code, this.#functions, (sink, { code }) => sink.append(code.toBytes()));
    return module.toBytes();
  }

  type(signature: Signature): TypeIndex {
    const key = `${signature.parameters.join()}:${signature.results.join()}`;
    let index = this.#types.get(key);
    if (index === undefined) {
      index = (this.#signatures.push(signature) - 1) as TypeIndex;
      this.#types.set(key, index);
    }
    return index;
  }
}

const section = <T>(
  module: ByteSink,
  id: number,
  items: readonly T[],
  write: (sink: ByteSink, item: T) => void,
): void => {
  const content = new ByteSink();
  content.unsigned(items.length);
  for (const item of items) write(content, item);
  module.byte(id);
  module.unsigned(content.length);
  module.append(content.toBytes());
};
