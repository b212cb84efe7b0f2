/** Reads sizes as people write them: 128M, 1G, 64KiB, 1048576; and counts: 500, 20M, 3G. */
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** @returns bytes, or undefined for what is no size. */
export const parseMemorySize = (text: string): number | undefined => {
  const match = /^(\d+)([KMG]?)(?:i?B)?$/i.exec(text.trim());
  if (match === null) return undefined;
  return Number(match[1]) * UNITS[match[2]!.toUpperCase()]!;
};

const MULTIPLES: Readonly<Record<string, number>> = { '': 1, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };

/** @returns a number, from 1 up; or undefined for what is none. */
export const parseCount = (text: string): number | undefined => {
  const match = /^(\d+)([KMGT]?)$/i.exec(text.trim());
  if (match === null) return undefined;
  const count = Number(match[1]) * MULTIPLES[match[2]!.toUpperCase()]!;
  return count >= 1 && Number.isSafeInteger(count) ? count : undefined;
};
