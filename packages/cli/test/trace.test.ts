/** `--trace FILE`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { TestDirectory, holstein, inShell } from './support/holstein.js';

interface Trace {
  readonly traceEvents: readonly {
    readonly name: string;
    readonly ph: string;
    readonly pid: number;
    readonly ts: number;
    readonly args?: { readonly name?: string };
  }[];
}

const readTrace = (path: string): Trace => JSON.parse(readFileSync(path, 'utf8')) as Trace;
const spaceNames = ({ traceEvents }: Trace): (string | undefined)[] =>
  traceEvents.filter(({ name }) => name === 'process_name').map(({ args }) => args?.name);

describe('a trace', () => {
  test('has the faults and forks of all processes, by their names', () => {
    using directory = new TestDirectory();
    const path = directory.file('trace.json');
    expect(holstein(['run', '--trace', path, 'hello']).status).toBe(0);
    const trace = readTrace(path);
    // The child of init was init before it was hello: another address space, of the same process.
    expect(spaceNames(trace).toSorted()).toEqual(['1 init', '2 hello', '2 init']);
    const names = trace.traceEvents.map(({ name }) => name);
    expect(names.filter((name) => name === 'fork (tables)')).toHaveLength(1);
    for (const name of ['read fault: mapped', 'write fault: copied', 'frame copied'])
      expect(names).toContain(name);
    const times = trace.traceEvents.filter(({ ph }) => ph === 'i').map(({ ts }) => ts);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
  });

  test('takes the place of what the file held, all of it', () => {
    using directory = new TestDirectory();
    const path = directory.file('trace.json');
    writeFileSync(path, '#'.repeat(1_000_000));
    expect(holstein(['run', '--trace', path, 'hello']).status).toBe(0);
    expect(spaceNames(readTrace(path))).toHaveLength(3);
  });

  test('does not touch the file where nothing is run', () => {
    using directory = new TestDirectory();
    const path = directory.file('trace.json');
    writeFileSync(path, 'precious');
    expect(holstein(['run', '--trace', path, '--memory', '5000', 'hello']).status).toBe(2);
    expect(holstein(['run', '--trace', path, 'nonesuch']).status).toBe(127);
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  test('is written where the run is ended early, too', () => {
    using directory = new TestDirectory();
    const path = directory.file('trace.json');
    expect(holstein(['run', '--limit-instructions', '1M', '--trace', path, 'spin']).status).toBe(124);
    expect(spaceNames(readTrace(path))).toContain('2 spin');
  });

  test('goes into a pipe as well as into a file', () => {
    const { status, stdout } = inShell('"$@" | tail -n 1', 'run', '--trace', '/dev/stdout', 'hello');
    expect({ status, stdout }).toEqual({ status: 0, stdout: ']}\n' });
  });

  test.skipIf(process.platform !== 'linux')('that finds no room is told of in one line', () => {
    const { status, stdout, stderr } = holstein(['run', '--trace', '/dev/full', 'hello']);
    expect({ status, stdout }).toEqual({ status: 125, stdout: 'hello from holstein: pid 2\n' });
    expect(stderr).toMatch(/^holstein: cannot write the trace to \/dev\/full: ENOSPC.*\n$/);
  });
});
