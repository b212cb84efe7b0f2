/** The WebAssembly encoder: its integers, its blocks, and the interpreter that is written with it. */
import { describe, expect, test } from 'vitest';
import { FLOAT_FUNCTIONS } from '../../src/hart/float/index.js';
import { generateInterpreter } from '../../src/hart/interpreter.js';
import { ByteSink } from '../../src/hart/wasm/byte-sink.js';
import { type CodeBuilder, ModuleBuilder, type ValueType } from '../../src/hart/wasm/index.js';

const sunk = (write: (sink: ByteSink) => void): number[] => {
  const sink = new ByteSink();
  write(sink);
  return [...sink.toBytes()];
};

/** A module with one function, instantiated. */
const compile = (
  parameters: readonly ValueType[],
  results: readonly ValueType[],
  write: (code: CodeBuilder) => void,
): ((...values: readonly (number | bigint)[]) => number | bigint | undefined) => {
  const module = new ModuleBuilder();
  write(module.function('f', { parameters, results }));
  const bytes = module.toBytes();
  expect(WebAssembly.validate(bytes)).toBe(true);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  return exports['f'] as ReturnType<typeof compile>;
};

describe('LEB128', () => {
  test.each([
    [0, [0x00]],
    [1, [0x01]],
    [127, [0x7f]],
    [128, [0x80, 0x01]],
    [16_383, [0xff, 0x7f]],
    [16_384, [0x80, 0x80, 0x01]],
    [624_485, [0xe5, 0x8e, 0x26]],
    [2 ** 31, [0x80, 0x80, 0x80, 0x80, 0x08]],
    [2 ** 32 - 1, [0xff, 0xff, 0xff, 0xff, 0x0f]],
  ])('unsigned %d', (value, bytes) => {
    expect(sunk((sink) => sink.unsigned(value))).toEqual(bytes);
  });

  test.each([
    [0, [0x00]],
    [63, [0x3f]],
    [64, [0xc0, 0x00]],
    [-1, [0x7f]],
    [-64, [0x40]],
    [-65, [0xbf, 0x7f]],
    [127, [0xff, 0x00]],
    [128, [0x80, 0x01]],
    [-128, [0x80, 0x7f]],
    [-123_456, [0xc0, 0xbb, 0x78]],
    [2 ** 31 - 1, [0xff, 0xff, 0xff, 0xff, 0x07]],
    [-(2 ** 31), [0x80, 0x80, 0x80, 0x80, 0x78]],
  ])('signed %d, alike in 32 and in 64 bits', (value, bytes) => {
    expect(sunk((sink) => sink.signed(value))).toEqual(bytes);
    expect(sunk((sink) => sink.signed64(BigInt(value)))).toEqual(bytes);
  });

  test.each([
    [2n ** 63n - 1n, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]],
    [-(2n ** 63n), [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]],
    [2n ** 31n, [0x80, 0x80, 0x80, 0x80, 0x08]],
    [2n ** 64n - 1n, [0x7f]],
  ])('signed 64-bit %s', (value, bytes) => {
    expect(sunk((sink) => sink.signed64(value))).toEqual(bytes);
  });

  test('constants come out of compiled code as they went in', () => {
    for (let bit = 0n; bit < 64n; bit++) {
      for (const value of [2n ** bit - 1n, 2n ** bit, -(2n ** bit), -(2n ** bit) - 1n]) {
        const expected = BigInt.asIntN(64, value);
        expect(compile([], ['i64'], (code) => code.i64(value))()).toBe(expected);
        const word = Number(BigInt.asIntN(32, value));
        expect(compile([], ['i32'], (code) => code.i32(word))()).toBe(word);
      }
    }
  });
});

describe('the byte sink', () => {
  test('grows past its first size, and by more than double', () => {
    const large = Uint8Array.from({ length: 5000 }, (_, index) => index & 0xff);
    expect(sunk((sink) => [sink.byte(7), sink.append(large), sink.byte(9)])).toEqual([7, ...large, 9]);
  });

  test('writes names as UTF-8, with their length in bytes', () => {
    expect(sunk((sink) => sink.name('aé'))).toEqual([3, 0x61, 0xc3, 0xa9]);
  });
});

describe('the code builder', () => {
  test('a loop with a label counts down', () => {
    const sum = compile(['i32'], ['i32'], (code) => {
      const left = code.parameter(0);
      const total = code.local('i32');
      const done = code.block();
      const again = code.loop();
      code.get(left);
      code.op('i32.eqz');
      code.brIf(done);
      code.get(total);
      code.get(left);
      code.op('i32.add');
      code.set(total);
      code.get(left);
      code.i32(-1);
      code.op('i32.add');
      code.set(left);
      code.br(again);
      code.end();
      code.end();
      code.get(total);
    });
    expect(sum(100)).toBe(5050);
  });

  test('br and br_table find their blocks from any depth', () => {
    const choose = compile(['i32'], ['i32'], (code) => {
      const result = code.local('i32');
      const outer = code.block();
      const [a, b, c] = [code.block(), code.block(), code.block()];
      code.get(code.parameter(0));
      code.brTable([c, b, a], outer);
      for (const value of [10, 20, 30]) {
        code.end();
        code.i32(value);
        code.set(result);
        code.i32(1);
        code.if();
        code.br(outer);
        code.end();
      }
      code.end();
      code.get(result);
    });
    expect([0, 1, 2, 3, -1].map((index) => choose(index))).toEqual([10, 20, 30, 0, 0]);
  });

  test('if and else give a value', () => {
    const magnitude = compile(['i64'], ['i64'], (code) => {
      code.get(code.parameter(0));
      code.i64(0);
      code.op('i64.lt_s');
      code.if('i64');
      code.i64(0);
      code.get(code.parameter(0));
      code.op('i64.sub');
      code.else();
      code.get(code.parameter(0));
      code.end();
    });
    expect([5n, -5n, 0n].map((value) => magnitude(value))).toEqual([5n, 5n, 0n]);
  });

  test('more than 127 locals are numbered right', () => {
    const last = compile(['i32'], ['i32'], (code) => {
      const locals = Array.from({ length: 200 }, () => code.local('i32'));
      code.get(code.parameter(0));
      code.set(locals.at(-1)!);
      code.get(locals[198]!);
      code.get(locals[199]!);
      code.op('i32.add');
    });
    expect(last(42)).toBe(42);
  });

  test('blocks that do not match are refused', () => {
    const builder = (): CodeBuilder => new ModuleBuilder().function('f', { parameters: [], results: [] });
    expect(() => builder().end()).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    const open = builder();
    open.block();
    expect(() => open.toBytes()).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    const closed = builder();
    const label = closed.block();
    closed.end();
    expect(() => closed.br(label)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});

describe('the module builder', () => {
  test('imports share the numbering of functions, and memory is the one imported', () => {
    const module = new ModuleBuilder();
    module.importMemory('ram', 'memory');
    const double = module.importFunction('host', 'double', { parameters: ['i32'], results: ['i32'] });
    for (const [name, offset] of [
      ['first', 0],
      ['second', 4],
    ] as const) {
      const code = module.function(name, { parameters: [], results: ['i32'] });
      code.i32(0);
      code.memory('i32.load', offset);
      code.call(double);
    }
    const memory = new WebAssembly.Memory({ initial: 1 });
    new Uint32Array(memory.buffer).set([21, 50]);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), {
      ram: { memory },
      host: { double: (value: number) => value * 2 },
    });
    const call = (name: string): number => (exports[name] as () => number)();
    expect([call('first'), call('second')]).toEqual([42, 100]);
  });

  test('an import after a function is refused', () => {
    const module = new ModuleBuilder();
    module.function('f', { parameters: [], results: [] });
    expect(() => module.importFunction('host', 'late', { parameters: [], results: [] })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });
});

const OPTIONS = { hits: 'trusted', compiles: 'hot' } as const;

describe('the interpreter', () => {
  const bytes = generateInterpreter(OPTIONS);

  test('is a valid module of less than 64 KiB, the same each time', () => {
    expect(WebAssembly.validate(bytes)).toBe(true);
    expect(bytes.length).toBeLessThan(64 * 1024);
    expect(generateInterpreter(OPTIONS)).toEqual(bytes);
  });

  test('imports RAM and what the hart does for it, and exports run', () => {
    const module = new WebAssembly.Module(bytes);
    expect(WebAssembly.Module.imports(module).map(({ name }) => name)).toEqual([
      'memory',
      'regions',
      'readMiss',
      'writeMiss',
      'writeDone',
      'fetchMiss',
      'decode',
      'decodeCrossing',
      'hot',
      'checkHit',
      ...Object.keys(FLOAT_FUNCTIONS),
    ]);
    expect(WebAssembly.Module.exports(module)).toEqual([{ name: 'run', kind: 'function' }]);
  });
});
