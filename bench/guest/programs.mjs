// @ts-check
/** The guest's programs (guest/bin), as benchmarks run them. */
import { readdirSync, readFileSync } from 'node:fs';

/** The programs, by the names that they have in a machine. */
export const guestPrograms = () => {
  const bin = new URL('../../guest/bin/', import.meta.url);
  return Object.fromEntries(readdirSync(bin).map((name) => [`/${name}`, readFileSync(new URL(name, bin))]));
};

/** Throws where a program has not said that all went well. @param {string} command @param {string} output */
export const checkOutput = (command, output) => {
  if (!/ ok$|^ALL (SELF|COW) TESTS PASSED$|^SELF TESTS PASSED: /m.test(output))
    throw new Error(`${command} has failed: ${output}`);
};
