/** The parts of paths, as programs give them: bytes, of which the first `nameBytes` count. */

/** A part of a path. */
export interface Name {
  readonly bytes: Uint8Array;
  /** Undefined where the bytes are no UTF-8, as where a longer name was cut inside a character. */
  readonly text: string | undefined;
}

const SLASH = 0x2f;
const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

/** The parts of a path, each cut to what a name may have. */
export const namesIn = (path: Uint8Array, nameBytes: number): Name[] => {
  const names: Name[] = [];
  let start = 0;
  for (let at = 0; at <= path.length; at++) {
    if (at < path.length && path[at] !== SLASH) continue;
    if (at > start) names.push(nameOf(path.subarray(start, Math.min(at, start + nameBytes))));
    start = at + 1;
  }
  return names;
};

export const isAbsolute = (path: Uint8Array): boolean => path[0] === SLASH;

/** The parts of where a symbolic link leads: the host's own names, which are not cut, and are no cut ones. */
export const namesOfTarget = (target: string): Name[] =>
  target
    .split('/')
    .filter((part) => part !== '')
    .map(wholeName);

/** A name as the host has it. */
export const wholeName = (text: string): Name => ({ bytes: new Uint8Array(), text });

/** A name's bytes as a directory that is read has them: cut. */
export const cutName = (text: string, nameBytes: number): Uint8Array =>
  ENCODER.encode(text).subarray(0, nameBytes);

/** Whether something can have the name. */
export const isPossible = (text: string): boolean => text !== '' && text !== '.' && text !== '..';

const nameOf = (bytes: Uint8Array): Name => {
  try {
    return { bytes, text: STRICT.decode(bytes) };
  } catch {
    return { bytes, text: undefined };
  }
};
