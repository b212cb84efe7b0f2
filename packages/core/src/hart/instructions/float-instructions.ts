/** What F and D have alike: the instructions of one format (unprivileged specification, chapters 11 and 12). */
import type { Opcode } from '../wasm/index.js';
import type { Emitter } from './emitter.js';
import { type FloatFormat, functionOf } from './float-format.js';
import { trapIfRoundingIsReserved, writeRounded } from './float-rounding.js';
import type { Format, Instruction } from './instruction.js';

const OPCODE = {
  load: 0x07,
  store: 0x27,
  fused: { fmadd: 0x43, fmsub: 0x47, fnmsub: 0x4b, fnmadd: 0x4f },
  operation: 0x53,
} as const;

const FUNCT3_MASK = 0x707f;
/** Of the fused operations: fmt and the opcode. */
const FUSED_MASK = 0x0600_007f;
/** Bits of an operation's word that are fixed: funct5 and fmt, rs2 where it selects, bits 14 … 12 where they are no rounding mode. */
const OPERATION_MASK = 0xfe00_007f | 0;
const RS2_MASK = 0x01f0_0000;
const ROUNDING_MASK = 0x7000;

interface Fields {
  readonly funct5: number;
  readonly rs2?: number;
  readonly funct3?: number;
}

/** An instruction of the major opcode OP-FP. */
export const floatOperation = (
  name: string,
  format: Format,
  fmt: number,
  { funct5, rs2, funct3 }: Fields,
  emit: (e: Emitter) => void,
): Instruction => ({
  name,
  format,
  match: OPCODE.operation | (funct5 << 27) | (fmt << 25) | ((rs2 ?? 0) << 20) | ((funct3 ?? 0) << 12),
  mask: OPERATION_MASK | (rs2 === undefined ? 0 : RS2_MASK) | (funct3 === undefined ? 0 : ROUNDING_MASK),
  emit,
});

export const floatInstructions = (format: FloatFormat): readonly Instruction[] => [
  ...memoryInstructions(format),
  ...arithmetic(format),
  ...fused(format),
  ...choices(format),
  ...comparisons(format),
  ...toIntegers(format),
  floatOperation(
    `fclass.${format.letter}`,
    'float-bits',
    format.fmt,
    { funct5: 0x1c, rs2: 0, funct3: 1 },
    (e) =>
      e.writeRd(() => {
        format.source(e, 1);
        e.callFloat(functionOf('class', format));
      }),
  ),
];

const memoryInstructions = ({ letter, width, load, ...format }: FloatFormat): readonly Instruction[] => {
  const suffix = letter === 's' ? 'w' : 'd';
  const funct3 = letter === 's' ? 2 : 3;
  const address = (e: Emitter) => (): void => {
    e.rs1();
    e.imm();
    e.code.op('i64.add');
  };
  return [
    {
      name: `fl${suffix}`,
      format: 'float-load',
      match: OPCODE.load | (funct3 << 12),
      mask: FUNCT3_MASK,
      emit: (e) => {
        const host = e.translate('read', width, address(e));
        format.write(e, () => e.readAt(load, host));
      },
    },
    {
      name: `fs${suffix}`,
      format: 'float-store',
      match: OPCODE.store | (funct3 << 12),
      mask: FUNCT3_MASK,
      emit: (e) => {
        const host = e.translate('write', width, address(e));
        // The low bits as they are, whatever is above them.
        if (letter === 's') e.writeAt('i64.store32', host, () => e.bs2());
        else e.writeAt('f64.store', host, () => e.fs2());
        e.written(host);
      },
    },
  ];
};

/** Pushes sources 1 to `count`. */
const sources = (e: Emitter, format: FloatFormat, count: 1 | 2): void => {
  format.source(e, 1);
  if (count === 2) format.source(e, 2);
};

const arithmetic = (format: FloatFormat): readonly Instruction[] => {
  const { type, letter, fmt } = format;
  const two = (
    name: 'add' | 'sub' | 'mul' | 'div',
    funct5: number,
    underflows: 'sometimes' | 'never',
  ): Instruction =>
    floatOperation(`f${name}.${letter}`, 'float', fmt, { funct5 }, (e) => {
      writeRounded(e, format, {
        natively: () => {
          sources(e, format, 2);
          e.code.op(`${type}.${name}`);
        },
        exactly: () => {
          sources(e, format, 2);
          // A difference is a sum with the other sign.
          if (name === 'sub') e.code.op(`${type}.neg`);
          e.roundingMode();
          e.callFloat(functionOf(name === 'sub' ? 'add' : name, format));
        },
        underflows,
      });
    });
  return [
    // A sum that is so small is exact.
    two('add', 0x00, 'never'),
    two('sub', 0x01, 'never'),
    two('mul', 0x02, 'sometimes'),
    two('div', 0x03, 'sometimes'),
    floatOperation(`fsqrt.${letter}`, 'float-unary', fmt, { funct5: 0x0b, rs2: 0 }, (e) => {
      writeRounded(e, format, {
        natively: () => {
          sources(e, format, 1);
          e.code.op(`${type}.sqrt`);
        },
        exactly: () => {
          sources(e, format, 1);
          e.roundingMode();
          e.callFloat(functionOf('sqrt', format));
        },
        underflows: 'never',
      });
    }),
  ];
};

/** WebAssembly has none of them: each is a call. */
const fused = (format: FloatFormat): readonly Instruction[] => {
  const one = (
    name: keyof typeof OPCODE.fused,
    product: 'positive' | 'negative',
    addend: 'positive' | 'negative',
  ): Instruction => ({
    name: `${name}.${format.letter}`,
    format: 'float-fused',
    match: OPCODE.fused[name] | (format.fmt << 25),
    mask: FUSED_MASK,
    emit: (e) => {
      trapIfRoundingIsReserved(e);
      format.write(e, () => {
        format.source(e, 1);
        if (product === 'negative') e.code.op(`${format.type}.neg`);
        format.source(e, 2);
        format.source(e, 3);
        if (addend === 'negative') e.code.op(`${format.type}.neg`);
        e.roundingMode();
        e.callFloat(functionOf('fma', format));
      });
    },
  });
  return [
    one('fmadd', 'positive', 'positive'),
    one('fmsub', 'positive', 'negative'),
    one('fnmsub', 'negative', 'positive'),
    one('fnmadd', 'negative', 'negative'),
  ];
};

/** Sign injection, minimum and maximum. */
const choices = (format: FloatFormat): readonly Instruction[] => {
  const { type, letter, fmt, bits } = format;
  const inject = (name: string, funct3: number, push: (e: Emitter) => void): Instruction =>
    floatOperation(`${name}.${letter}`, 'float-choice', fmt, { funct5: 0x04, funct3 }, (e) =>
      format.write(e, () => push(e)),
    );
  const extreme = (name: 'min' | 'max', funct3: number): Instruction =>
    floatOperation(`f${name}.${letter}`, 'float-choice', fmt, { funct5: 0x05, funct3 }, (e) => {
      const result = format.scratch(e, 0);
      // WebAssembly also has -0 below +0, but gives a NaN for one.
      sources(e, format, 2);
      e.code.op(`${type}.${name}`);
      e.code.tee(result);
      e.code.get(result);
      e.code.op(`${type}.ne`);
      e.code.if();
      sources(e, format, 2);
      e.callFloat(functionOf('minmax-nan', format));
      e.code.set(result);
      e.code.end();
      format.write(e, () => e.code.get(result));
    });
  return [
    inject('fsgnj', 0, (e) => {
      sources(e, format, 2);
      e.code.op(`${type}.copysign`);
    }),
    inject('fsgnjn', 1, (e) => {
      sources(e, format, 2);
      e.code.op(`${type}.neg`, `${type}.copysign`);
    }),
    inject('fsgnjx', 2, (e) => {
      format.source(e, 1);
      e.code.op(bits.fromFloat);
      format.source(e, 2);
      e.code.op(bits.fromFloat);
      e.code[bits.integer](bits.sign);
      e.code.op(`${bits.integer}.and`, `${bits.integer}.xor`, bits.toFloat);
    }),
    extreme('min', 0),
    extreme('max', 1),
  ];
};

const comparisons = (format: FloatFormat): readonly Instruction[] => {
  const { type, letter, fmt } = format;
  const compare = (name: 'eq' | 'lt' | 'le', funct3: number): Instruction =>
    floatOperation(`f${name}.${letter}`, 'float-compare', fmt, { funct5: 0x14, funct3 }, (e) => {
      const { code } = e;
      const [a, b] = [format.scratch(e, 0), format.scratch(e, 1)];
      format.source(e, 1);
      code.set(a);
      format.source(e, 2);
      code.set(b);
      const comparison = (operation: Opcode): void => {
        code.get(a);
        code.get(b);
        code.op(operation);
      };
      comparison(`${type}.lt`);
      comparison(`${type}.ge`);
      code.op('i32.or', 'i32.eqz');
      code.if();
      if (name === 'eq') {
        code.get(a);
        code.get(b);
        e.callFloat(functionOf('equal-nan', format));
      } else {
        e.callFloat('order-nan');
      }
      code.end();
      e.writeRd(() => {
        comparison(`${type}.${name}`);
        code.op('i64.extend_i32_u');
      });
    });
  return [compare('le', 0), compare('lt', 1), compare('eq', 2)];
};

const toIntegers = (format: FloatFormat): readonly Instruction[] =>
  (['w', 'wu', 'l', 'lu'] as const).map((to, rs2) =>
    floatOperation(
      `fcvt.${to}.${format.letter}`,
      'float-to-integer',
      format.fmt,
      { funct5: 0x18, rs2 },
      (e) => {
        trapIfRoundingIsReserved(e);
        e.writeRd(() => {
          format.source(e, 1);
          if (format.type === 'f32') e.code.op('f64.promote_f32');
          e.roundingMode();
          e.callFloat(`${to}.d`);
        });
      },
    ),
  );
