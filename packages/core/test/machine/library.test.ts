/** The machine as a library: its console as streams, its files, its limits, and looking in. */
import { describe, expect, test } from 'vitest';
import { Machine, type MachineOptions } from '../../src/machine/index.js';
import { encode, x } from '../support/riscv/assembler.js';
import { branch, CALL, call, DATA, guestFiles, label, li, MIB, program, runOn } from '../support/machine.js';

const encodeText = (text: string): Uint8Array => new TextEncoder().encode(text);
const boot = (options: MachineOptions = {}): Machine =>
  new Machine({ files: guestFiles, memoryBytes: 4 * MIB, ...options });

describe('a program that has been started', () => {
  test('reads what is written to its input, and its output is read as a stream', async () => {
    using machine = boot();
    const { input, output, result } = machine.start(['/cat']);
    const text = new Response(output).text();
    const writer = input.getWriter();
    await writer.write(encodeText('one\n'));
    await writer.write(encodeText('two\n'));
    await writer.close();
    expect(await text).toBe('one\ntwo\n');
    expect(await result).toMatchObject({ outcome: 'exited', exitStatus: 0 });
    expect(machine.audit()).toEqual([]);
  });

  test('does not keep whoever writes what it does not read', async () => {
    using machine = boot();
    const { input, output, result } = machine.start(['/echo', 'done']);
    const writer = input.getWriter();
    const written = Promise.all([writer.write(encodeText('nobody\n')), writer.write(encodeText('cares\n'))]);
    expect(await new Response(output).text()).toBe('done\n');
    await result;
    await written;
    await writer.close();
  });

  test('waits for a slow reader, and no byte is lost', async () => {
    using machine = boot();
    const bytes = new Uint8Array(200_000).map((_, index) => index % 251);
    machine.writeFile('/bytes', bytes);
    const { output, result } = machine.start(['/cat', '/bytes']);
    const read: number[] = [];
    for await (const piece of output as unknown as AsyncIterable<Uint8Array>) {
      read.push(...piece);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(read.length).toBe(bytes.length);
    expect(Uint8Array.from(read)).toEqual(bytes);
    expect((await result).exitStatus).toBe(0);
  });

  test('whose reader goes away is ended, and gives back what it had', async () => {
    using machine = boot();
    machine.writeFile('/bytes', new Uint8Array(200_000));
    const { output, result } = machine.start(['/cat', '/bytes']);
    const reader = output.getReader();
    await reader.read();
    await reader.cancel('enough');
    await expect(result).rejects.toBe('enough');
    expect(machine.processes).toEqual([]);
    expect(machine.audit()).toEqual([]);
  });

  test('that cannot be started says so to whoever awaits it and whoever reads it', async () => {
    using machine = boot();
    const { output, result } = machine.start(['/missing']);
    await expect(result).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(new Response(output).text()).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('an interrupt', () => {
  test('kills what a shell waits for at once, though nothing else happens, and the shell goes on', async () => {
    using machine = boot();
    const { input, output, result } = machine.start(['/init', '/sh', '-s']);
    const text = new Response(output).text();
    const writer = input.getWriter();
    expect(machine.interrupt()).toBe(false);
    await writer.write(encodeText('cat\n'));
    const isWaiting = (): boolean =>
      machine.processes.some(({ name, state }) => name === 'cat' && state === 'blocked');
    while (!isWaiting()) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(machine.interrupt()).toBe(true);
    while (machine.processes.some(({ name }) => name === 'cat')) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await writer.write(encodeText('echo on\n'));
    await writer.close();
    expect(await text).toBe('on\n');
    expect(await result).toMatchObject({ outcome: 'exited', exitStatus: 0 });
    expect(machine.interrupt()).toBe(false);
  });
});

describe('console input', () => {
  test.each([
    ['text', () => 'a\nb'],
    ['bytes', () => encodeText('a\nb')],
    ['a stream', () => new Blob(['a\nb']).stream()],
  ])('may be %s', async (_, input) => {
    using machine = boot();
    expect((await runOn(machine, ['/cat'], { input: input() })).text).toBe('a\nb');
  });

  test('from a stream leaves to the stream what was not asked for', async () => {
    using machine = boot();
    const pieces = ['first\n', 'second\n'].map(encodeText);
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
    });
    // Reads once, 100 bytes at most.
    const code = [call(CALL.read, 0, DATA, 100), li(x.a7, CALL.exit), encode('ecall')];
    machine.writeFile('/once', program(code));
    expect((await runOn(machine, ['/once'], { input: stream })).exitStatus).toBe(6);
    expect(await stream.getReader().read()).toEqual({ done: false, value: encodeText('second\n') });
  });
});

describe('a run that is limited', () => {
  const spin = program(label('top'), branch('jal', 'top'));

  test('runs exactly as many instructions as it may', async () => {
    using machine = boot({ files: { '/spin': spin } });
    for (const maxInstructions of [1, 2, 99_999, 100_001, 1_234_567]) {
      const run = await runOn(machine, ['/spin'], { maxInstructions });
      expect(run).toMatchObject({ outcome: 'limited', exitStatus: -1, instructions: maxInstructions });
    }
  });

  test('ends when its signal says so, at once or later', async () => {
    using machine = boot({ files: { '/spin': spin } });
    for (const signal of [AbortSignal.abort(), AbortSignal.timeout(20)]) {
      expect(await runOn(machine, ['/spin'], { signal })).toMatchObject({ outcome: 'aborted' });
    }
  });

  test('cannot have more address space than the limit', async () => {
    const grow = [call(CALL.sbrk, 64 * 1024), li(x.a7, CALL.exit), encode('ecall')];
    const files = { '/grow': program(grow) };
    using wide = boot({ files, limits: { processBytes: 96 * 1024 } });
    expect((await runOn(wide, ['/grow'])).exitStatus).toBeGreaterThan(0);
    using narrow = boot({ files, limits: { processBytes: 80 * 1024 } });
    expect((await runOn(narrow, ['/grow'])).exitStatus).toBe(-1);
    using tiny = boot({ files, limits: { processBytes: 16 * 1024 } });
    await expect(tiny.run(['/grow'])).rejects.toMatchObject({ code: 'ENOMEM' });
  });
});

describe('the files of a machine', () => {
  test('are written and read between runs, and programs see them', async () => {
    using machine = boot();
    machine.writeFile('/a/deep/directory/note', 'hello\n');
    expect((await runOn(machine, ['/cat', '/a/deep/directory/note'])).text).toBe('hello\n');
    await runOn(machine, ['/sh', '-c', 'echo more > /made; cat /a/deep/directory/note >> /made']);
    expect(new TextDecoder().decode(machine.readFile('/made'))).toBe('more\nhello\n');
    machine.writeFile('/made', 'x');
    expect(machine.readFile('/made')).toEqual(encodeText('x'));
  });

  test('show while a program has them open what it has written', async () => {
    using machine = boot();
    const { input, output, result } = machine.start(['/sh', '-c', 'cat > /log']);
    const writer = input.getWriter();
    await writer.write(encodeText('so far\n'));
    while (machine.processes.length < 2 || machine.processes.some(({ state }) => state === 'runnable')) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(machine.readFile('/log')).toEqual(encodeText('so far\n'));
    await writer.close();
    expect(await new Response(output).text()).toBe('');
    expect((await result).exitStatus).toBe(0);
  });

  test.each([
    ['/none/at/all', 'ENOENT'],
    ['/directory', 'EISDIR'],
    ['/note/below', 'ENOTDIR'],
  ])('%s cannot be read: %s', (path, code) => {
    using machine = boot({ files: { '/directory/file': '', '/note': '' } });
    expect(() => machine.readFile(path)).toThrow(expect.objectContaining({ code }) as Error);
  });

  test('that would be too large are refused, and what was there stays', () => {
    using machine = boot({ files: { '/note': 'old' }, limits: { fileBytes: 1000, diskBlocks: 4 } });
    expect(() => machine.writeFile('/note', new Uint8Array(1001))).toThrow('limit fileBytes');
    expect(() => machine.writeFile('/new', new Uint8Array(1001))).toThrow('limit fileBytes');
    machine.writeFile('/one', new Uint8Array(1000));
    machine.writeFile('/two', new Uint8Array(1000));
    expect(() => machine.writeFile('/three', new Uint8Array(1000))).toThrow('diskBlocks');
    expect(machine.readFile('/note')).toEqual(encodeText('old'));
    expect(() => machine.readFile('/new')).toThrow('it is not there');
    expect(() => machine.readFile('/three')).toThrow('it is not there');
    expect(machine.audit()).toEqual([]);
  });

  test('take no frames while nothing runs', () => {
    using machine = boot();
    const { freeFrames } = machine.memory;
    machine.readFile('/sh');
    machine.writeFile('/copy', machine.readFile('/sh'));
    expect(machine.memory.freeFrames).toBe(freeFrames);
  });
});

describe('looking into a machine', () => {
  test('shows its processes, their memory and their mappings while they wait', async () => {
    using machine = boot();
    expect(machine.processes).toEqual([]);
    const { input, output, result } = machine.start(['/sh', '-c', 'cat']);
    const text = new Response(output).text();
    const writer = input.getWriter();
    await writer.write(encodeText('needle\n'));
    while (machine.processes.length < 2 || machine.processes.some(({ state }) => state === 'runnable')) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(machine.processes).toMatchObject([
      { pid: 1, parent: undefined, name: 'sh', state: 'blocked' },
      { pid: 2, parent: 1, name: 'cat', state: 'blocked' },
    ]);
    const { sizeBytes, residentBytes } = machine.processes[1]!;
    expect(residentBytes).toBeGreaterThan(0);
    expect(residentBytes).toBeLessThanOrEqual(sizeBytes);
    expect(machine.inspect(2)).toContain('stack');
    const guard = machine.inspect(2).match(/0x([0-9a-f]+)-0x\w+ +-> ---/)!;
    const memory = machine.readMemory(2, 0, Number.parseInt(guard[1]!, 16));
    expect(new TextDecoder('latin1').decode(memory)).toContain('needle\n');
    await writer.close();
    expect(await text).toBe('needle\n');
    await result;
    expect(machine.processes).toEqual([]);
  });

  test('is refused for what is not there', async () => {
    using machine = boot();
    expect(() => machine.readMemory(1, 0, 1)).toThrow('there is no process 1');
    expect(() => machine.inspect(1)).toThrow('there is no process 1');
    const { input, result, output } = machine.start(['/cat']);
    const text = new Response(output).text();
    expect(() => machine.readMemory(1, 0x8000_0000, 4)).toThrow(
      expect.objectContaining({ code: 'EFAULT' }) as Error,
    );
    expect(() => machine.readMemory(7, 0, 1)).toThrow(expect.objectContaining({ code: 'ENOENT' }) as Error);
    await input.close();
    await Promise.all([result, text]);
  });
});
