/** The `holstein` command. Errors are one line on standard error, and an exit code that says what kind (exit-codes.ts). */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { CommandError, EXIT } from './exit-codes.js';
import { parseMemorySize } from './memory-size.js';
import { runCommand, type RunCommandOptions } from './run.js';

const version = (): string => {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
};

/** commander's errors, as holstein's own are told. */
const asOneLine = (text: string): string =>
  `holstein: ${text
    .trim()
    .replace(/^error: /, '')
    .replaceAll(/\s*\n\s*/g, ' ')} (holstein --help tells more)\n`;

const memorySize = (text: string): number => {
  const bytes = parseMemorySize(text);
  if (bytes === undefined) throw new InvalidArgumentError('give a size such as 128M, 1G or 1048576.');
  return bytes;
};

const build = (finished: (exitCode: number) => void): Command => {
  const program = new Command('holstein')
    .description('Runs RISC-V programs on copy-on-write virtual memory.')
    .version(version(), '--version')
    .helpOption('-h, --help', 'display this help')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(asOneLine(text)) });
  program
    .command('run')
    .description('run a program: one of holstein’s own (cowtest, hello, selftest, …) or a RISC-V ELF file')
    .argument('<program>', 'its name, or a path')
    .argument('[args...]', 'its arguments')
    .addOption(
      new Option('--memory <size>', 'RAM, such as 64M or 1G')
        .argParser(memorySize)
        .default(128 * 2 ** 20, '128M'),
    )
    .addOption(
      new Option('--fork <kind>', 'how fork copies memory: on write, by table or by page, or all at once')
        .choices(['tables', 'pages', 'eager'])
        .default('tables'),
    )
    .option('--report', 'print a memory report at the end')
    .option('--quiet', 'say nothing of processes that are killed')
    .helpOption('-h, --help', 'display this help')
    .addHelpText(
      'after',
      '\nA machine has one console: what a program writes to descriptor 2 is on standard output too.',
    )
    .passThroughOptions()
    .action(async (name: string, args: string[], options: RunCommandOptions) => {
      finished(await runCommand(name, args, options));
    });
  return program;
};

const main = async (): Promise<number> => {
  let exitCode: number = EXIT.ok;
  try {
    await build((code) => (exitCode = code)).parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!(error instanceof CommandError)) throw error;
    // With nobody left to read, there is nobody to tell.
    if (error.exitCode !== EXIT.brokenPipe) process.stderr.write(`holstein: ${error.message}\n`);
    return error.exitCode;
  }
  return exitCode;
};

process.exitCode = await main();
