/** Every command and every example in the documents does what the document says. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

interface Block {
  readonly document: string;
  readonly language: string;
  readonly text: string;
  /** The next block, where it is said to be output. */
  readonly output: string | undefined;
}

const blocksOf = (document: string): Block[] => {
  const found = [...read(document).matchAll(/^```(\w*)\n(.*?)^```$/gms)];
  return found.map(([, language, text], index) => {
    const next = found[index + 1];
    const output = next?.[1] === 'text' ? next[2]! : undefined;
    return { document, language: language!, text: text!, output };
  });
};

const blocks = documents.flatMap(blocksOf);

/** Runs a program in the checkout, as a user would who has just cloned it. */
const run = (command: string, args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  return { status, stdout, stderr };
};

describe('the examples', () => {
  const examples = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.mjs'));

  test.each(examples)('%s runs, and prints what the document that shows it says', (name) => {
    const source = read(join('examples', name)).replace('// @ts-check\n', '');
    const shown = blocks.find(({ language, text }) => language === 'js' && text === source);
    const { status, stdout, stderr } = run(process.execPath, [join('examples', name)]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(shown, `${name} is in no document, word for word`).toBeDefined();
    expect(stdout).toBe(shown!.output);
  });

  test('are all the code that the documents show', () => {
    expect(blocks.filter(({ language }) => language === 'js')).toHaveLength(examples.length);
  });
});

/** Commands that are not run here, because this is what they do, or because .ci/run runs them. */
const RUN_ELSEWHERE: ReadonlySet<string> = new Set(['npm test', 'npm test -- packages/core/test/space']);

describe('the commands', () => {
  const commands = [
    ...new Map(
      blocks
        .filter(({ language }) => language === 'sh')
        .flatMap(({ text, output }) =>
          text
            .trim()
            .split('\n')
            .map((command) => [command, output] as const),
        ),
    ),
  ];

  test.each(commands)('`%s` works', (command, output) => {
    if (RUN_ELSEWHERE.has(command)) return;
    const [program, ...args] = command.split(' ');
    if (program === 'npm' && args[0] === 'run') {
      expect(read('.ci/run').split('\n')).toContain(command);
      return;
    }
    const { status, stdout, stderr } = run(program!, args);
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    // Lines of output stand in the document in order; … stands for those left out.
    let at = 0;
    for (const line of output?.split('\n').filter((text) => text !== '…' && text !== '') ?? []) {
      const found = stdout.indexOf(`${line}\n`, at);
      expect(found, `${command} does not print: ${line}`).toBeGreaterThanOrEqual(0);
      at = found + line.length;
    }
  });
});

test('every word of the glossary is explained once, in order', () => {
  const words = [...read('GLOSSARY.md').matchAll(/^\| ([^|]+?) +\|/gm)].map(([, word]) => word!).slice(2);
  expect(words.length).toBeGreaterThan(30);
  expect(new Set(words).size).toBe(words.length);
  const folded = words.map((word) => word.toLowerCase());
  expect(folded).toEqual(folded.toSorted());
});

test('every decision is in the list of decisions', () => {
  const listed = [...read('docs/decisions/README.md').matchAll(/\]\((\d{4}-[\w-]+\.md)\)/g)].map(
    ([, file]) => file!,
  );
  const there = readdirSync(join(root, 'docs', 'decisions')).filter((name) => /^\d{4}/.test(name));
  expect(listed).toEqual(there.toSorted());
});

test('links between documents lead somewhere', () => {
  for (const document of documents) {
    for (const [, target] of read(document).matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      const path = join(root, document, '..', target!);
      expect(
        () => readFileSync(path.endsWith('decisions') ? join(path, 'README.md') : path),
        `${document}: ${target}`,
      ).not.toThrow();
    }
  }
});
