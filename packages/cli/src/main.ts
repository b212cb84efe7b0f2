/** The `holstein` command. Errors are one line on standard error, and an exit code that says what kind (exit-codes.ts). */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { CommandError, EXIT } from './exit-codes.js';
import { addMachineOptions, type MachineCommandOptions } from './options.js';
import { runCommand } from './run.js';
import { shellCommand, type ShellCommandOptions } from './shell.js';

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

const build = (finished: (exitCode: number) => void): Command => {
  const program = new Command('holstein')
    .description('Runs RISC-V programs on copy-on-write virtual memory.')
    .version(version(), '--version')
    .helpOption('-h, --help', 'display this help')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(asOneLine(text)) });
  addMachineOptions(
    program
      .command('run')
      .description('run a program: one of holstein’s own (cowtest, hello, selftest, …) or a RISC-V ELF file')
      .argument('<program>', 'its name, or a path')
      .argument('[args...]', 'its arguments'),
  )
    .helpOption('-h, --help', 'display this help')
    .passThroughOptions()
    .action(async (name: string, args: string[], options: MachineCommandOptions) => {
      finished(await runCommand(name, args, options));
    });
  addMachineOptions(
    program
      .command('sh')
      .description('run the shell: for its user at a terminal, else for the commands on standard input')
      .argument('[script]', 'a file of commands to run instead')
      .argument('[args...]', 'its arguments')
      .option('-c <commands>', 'run these commands instead'),
  )
    .helpOption('-h, --help', 'display this help')
    .passThroughOptions()
    .action(async (script: string | undefined, args: string[], options: ShellCommandOptions) => {
      finished(await shellCommand(script, args, options));
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
