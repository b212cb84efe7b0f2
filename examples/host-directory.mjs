// @ts-check
import * as fileSystem from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machine, MemoryFiles } from '@holstein/core';

const directory = fileSystem.realpathSync(fileSystem.mkdtempSync(join(tmpdir(), 'holstein-')));
fileSystem.writeFileSync(join(directory, 'notes'), 'kept by the host\n');
fileSystem.symlinkSync('/etc', join(directory, 'way-out'));

// Programs are seen in /bin, and cannot be changed there; everything else is the host's directory.
const programs = new MemoryFiles();
for (const name of ['sh', 'cat', 'wc', 'ls']) {
  const path = new URL(import.meta.resolve(`@holstein/guest/bin/${name}`));
  programs.writeFileSync(`/${name}`, fileSystem.readFileSync(path));
}
const machine = new Machine({
  root: { fileSystem, directory },
  mounts: { '/bin': { fileSystem: programs, access: 'read-only' } },
  limits: { inodes: 2 ** 30, diskBlocks: 2 ** 30, fileBytes: 2 ** 30 },
});
await machine.run(['/bin/sh', '-c', 'cat notes | wc > counted; cat ../../way-out/passwd'], {
  output: { write: (bytes) => process.stdout.write(bytes) },
});
machine.close();

console.log(`the host has:${fileSystem.readFileSync(join(directory, 'counted'), 'utf8').trimEnd()}`);
fileSystem.rmSync(directory, { recursive: true });
