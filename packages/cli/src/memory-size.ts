/** Reads sizes as people write them: 128M, 1G, 64KiB, 1048576. */
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** @returns bytes, or undefined for what is no size. */
export const parseMemorySize = (text: string): number | undefined => {
  const match = /^(\d+)([KMG]?)(?:i?B)?$/i.exec(text.trim());
  if (match === null) return undefined;
  return Number(match[1]) * UNITS[match[2]!.toUpperCase()]!;
};
