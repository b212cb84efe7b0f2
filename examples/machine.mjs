// @ts-check
import { readFileSync } from 'node:fs';
import { Machine } from '@holstein/core';

/** @param {string} name */
const program = (name) => readFileSync(new URL(import.meta.resolve(`@holstein/guest/bin/${name}`)));
const machine = new Machine({
  memoryBytes: 8 * 2 ** 20,
  files: { '/sh': program('sh'), '/cat': program('cat'), '/grep': program('grep') },
});
machine.writeFile('/breeds', 'angus\nholstein\njersey\n');

// It may run for ten seconds, and 100 million instructions.
const { input, output, result } = machine.start(['/sh', '-c', 'grep -n e breeds; cat > note'], {
  signal: AbortSignal.timeout(10_000),
  maxInstructions: 100_000_000,
});
const writer = input.getWriter();
await writer.write(new TextEncoder().encode('from the host\n'));

// cat has asked for its input, so it is there to be looked at.
for (const { pid, parent, name, residentBytes } of machine.processes) {
  console.log(`process ${pid} of ${parent ?? 'nobody'}: ${name}, ${residentBytes} bytes in memory`);
}
console.log(`cat's text begins with ${machine.readMemory(3, 0, 8).join(' ')}`);

await writer.close();
console.log(await new Response(output).text());
const { exitStatus, outcome, memory } = await result;
console.log(`${outcome} with ${exitStatus}, after ${memory.forks} forks`);
console.log(new TextDecoder().decode(machine.readFile('/note')));
machine.close();
