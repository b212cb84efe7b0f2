// @ts-check
import { readFileSync } from 'node:fs';
import { Machine } from '@holstein/core';

const hello = readFileSync(new URL(import.meta.resolve('@holstein/guest/bin/hello')));
const machine = new Machine({ memoryBytes: 4 * 2 ** 20, files: { '/hello': hello } });

const { exitStatus, memory } = await machine.run(['/hello', 'reader'], {
  output: { write: (bytes) => process.stdout.write(bytes) },
});
console.log(`exit status ${exitStatus}, ${memory.framesInUseAfter - memory.framesInUseBefore} frames lost`);

machine.close();
