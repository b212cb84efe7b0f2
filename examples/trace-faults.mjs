// @ts-check
import { copyOut, EventLog, toChromeTrace, virtAddr, VirtualMemory } from '@holstein/core';

const virtualMemory = VirtualMemory.create({ memoryBytes: 2 ** 20 });
const parent = virtualMemory.createSpace();
const at = parent.map({ lengthBytes: 0x4000, protection: 'rw-', name: 'heap' });
copyOut(parent, at, new Uint8Array(0x4000).fill(1));

// Off unless it is set. `now: () => performance.now()` would give real times.
virtualMemory.log = new EventLog({ capacity: 1000 });
const child = parent.fork();
copyOut(child, at, Uint8Array.of(2));
copyOut(parent, at, Uint8Array.of(3));
copyOut(child, virtAddr(0), Uint8Array.of(4));
child.close();

for (const { kind, space } of virtualMemory.log) console.log(`space ${space}: ${kind}`);

// Save this as a file, and open it in ui.perfetto.dev or chrome://tracing.
const names = new Map([
  [parent.id, 'parent'],
  [child.id, 'child'],
]);
const { traceEvents } = JSON.parse(toChromeTrace(virtualMemory.log, { names }));
console.log(`a trace of ${traceEvents.length} events`);
virtualMemory.close();
