/** Putting files into a store before a machine runs. */
import type { HostFileSystem, StoreOptions } from '../kernel/index.js';

/** The contents of files by their paths on the machine, such as `/cowtest`. Text is UTF-8. */
export type MachineFiles = Readonly<Record<string, Uint8Array | string>>;

/** Puts files into a store, as its host does. */
export const putFiles = ({ fileSystem, directory = '/' }: StoreOptions, files: MachineFiles): void => {
  for (const [path, content] of Object.entries(files)) {
    const names = path.split('/').filter((name) => name !== '');
    let at = directory === '/' ? '' : directory;
    for (const name of names.slice(0, -1)) {
      at += `/${name}`;
      if (!isThere(fileSystem, at)) fileSystem.mkdirSync(at);
    }
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    putFile(fileSystem, `${at}/${names.at(-1) ?? ''}`, bytes);
  }
};

const isThere = (fileSystem: HostFileSystem, path: string): boolean => {
  try {
    fileSystem.lstatSync(path, { bigint: true });
    return true;
  } catch {
    return false;
  }
};

const putFile = (fileSystem: HostFileSystem, path: string, bytes: Uint8Array): void => {
  const { O_RDWR, O_CREAT } = fileSystem.constants;
  const fd = fileSystem.openSync(path, O_RDWR | O_CREAT, 0o777);
  try {
    fileSystem.ftruncateSync(fd, 0);
    for (let done = 0; done < bytes.length;) {
      done += fileSystem.writeSync(fd, bytes, done, bytes.length - done, done);
    }
  } finally {
    fileSystem.closeSync(fd);
  }
};
