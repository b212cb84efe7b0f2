/** Options that are one of some words. */
import { InvalidArgument } from '../frame/index.js';

/** @throws InvalidArgument where a word was given that is none of these. */
export const checkWord = (what: string, value: string | undefined, words: readonly string[]): void => {
  if (value === undefined || words.includes(value)) return;
  const [last, ...others] = words.toReversed();
  throw new InvalidArgument(`${what} '${String(value)}': give ${others.toReversed().join(', ')} or ${last}`);
};
