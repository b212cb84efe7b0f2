// @ts-check
/**
 * Builds every program of programs/ into bin/, one ELF file each. A program is a file NAME.c, or
 * a folder NAME of such files.
 *
 *   node build.mjs          builds; bin/ then holds these programs and nothing else
 *   node build.mjs --check  builds elsewhere and says whether bin/ is what the sources give
 *
 * The same sources give the same bytes in any folder: sources are named relative to this one,
 * symbols (which hold names of temporary files) are stripped, and the environment variables that
 * change what the compiler reads are dropped.
 *
 * Ends with 0 when all is well, 1 when a program does not build or bin/ differs, 2 on bad usage,
 * 3 without the compiler.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMPILER = 'riscv64-unknown-elf-gcc';
const PACKAGE = 'gcc-riscv64-unknown-elf';
const FLAGS = [
  '-march=rv64imac',
  '-mabi=lp64',
  '-mcmodel=medany',
  '-std=gnu17',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-ffreestanding',
  '-fno-pic',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-fno-tree-loop-distribute-patterns',
  '-ffunction-sections',
  '-fdata-sections',
  // The stack is one page, and a date in a program would make every build differ.
  '-Wframe-larger-than=512',
  '-Wdate-time',
  // No small-data section: nothing sets up the register that it is addressed by.
  '-msmall-data-limit=0',
  '-Ilib',
  '-nostdlib',
  '-static',
  '-s',
  '-T',
  'link.ld',
  '-Wl,--gc-sections',
  '-Wl,--build-id=none',
  '-Wl,-z,max-page-size=4096',
  '-Wl,--fatal-warnings',
];
const guest = dirname(fileURLToPath(import.meta.url));
const bin = join(guest, 'bin');

/**
 * @param {number} code
 * @param {string} message
 * @returns {never}
 */
function stop(code, message) {
  process.stderr.write(`guest: ${message}\n`);
  process.exit(code);
}

/** The environment without what would let the caller's settings into the programs. */
function compilerEnvironment() {
  const environment = { ...process.env, LC_ALL: 'C' };
  for (const name of [
    'CPATH',
    'C_INCLUDE_PATH',
    'LIBRARY_PATH',
    'COMPILER_PATH',
    'GCC_EXEC_PREFIX',
    'DEPENDENCIES_OUTPUT',
  ]) {
    Reflect.deleteProperty(environment, name);
  }
  return environment;
}

/**
 * The sources of each program, relative to this folder.
 * @returns {Map<string, string[]>}
 */
function findPrograms() {
  /** @type {Map<string, string[]>} */
  const sources = new Map();
  const entries = readdirSync(join(guest, 'programs'), { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = `programs/${entry.name}`;
    if (entry.isDirectory()) {
      const files = readdirSync(join(guest, path))
        .filter((file) => file.endsWith('.c'))
        .toSorted();
      sources.set(
        entry.name,
        files.map((file) => `${path}/${file}`),
      );
    } else if (entry.name.endsWith('.c')) {
      sources.set(entry.name.slice(0, -2), [path]);
    }
  }
  return sources;
}

/**
 * Builds all programs, checks each, and gives their bytes by name.
 * @returns {Map<string, Buffer>}
 */
function buildAll() {
  const library = readdirSync(join(guest, 'lib'))
    .filter((file) => /\.[cS]$/.test(file))
    .toSorted();
  const sourcesOf = findPrograms();
  const folder = mkdtempSync(join(tmpdir(), 'holstein-guest-'));
  /** @type {Map<string, Buffer>} */
  const programs = new Map();
  // process.exit() skips `finally`, so the folder is removed on the way out however that is.
  process.once('exit', () => {
    rmSync(folder, { recursive: true, force: true });
  });
  for (const [name, own] of sourcesOf) {
    const output = join(folder, name);
    const sources = [...library.map((file) => `lib/${file}`), ...own];
    const result = spawnSync(COMPILER, [...FLAGS, ...sources, '-o', output], {
      cwd: guest,
      encoding: 'utf8',
      env: compilerEnvironment(),
    });
    if (result.error !== undefined) {
      const missing = 'code' in result.error && result.error.code === 'ENOENT';
      if (missing) stop(3, `${COMPILER} is not installed; on Debian it is in the package ${PACKAGE}`);
      stop(1, `${COMPILER}: ${result.error.message}`);
    }
    if (result.status !== 0) stop(1, `${name} does not build\n${result.stderr.trimEnd()}`);
    const bytes = readFileSync(output);
    const problems = elfProblems(bytes);
    if (problems.length > 0) stop(1, `${name} is not laid out as a guest program: ${problems.join('; ')}`);
    programs.set(name, bytes);
  }
  return programs;
}

/**
 * What is wrong with a program's layout. Offsets are those of Elf64_Ehdr and Elf64_Phdr.
 * @param {Buffer} elf
 * @returns {string[]}
 */
function elfProblems(elf) {
  const RISCV = 243;
  const LOAD = 1;
  const EXECUTE = 1;
  const WRITE = 2;
  const PAGE = 4096n;
  /** @type {string[]} */
  const problems = [];
  if (elf.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return ['not a little-endian 64-bit ELF file'];
  if (elf.readUInt16LE(18) !== RISCV) problems.push('not for RISC-V');
  const entry = elf.readBigUInt64LE(24);
  const headers = Number(elf.readBigUInt64LE(32));
  const headerSize = elf.readUInt16LE(54);
  const headerCount = elf.readUInt16LE(56);

  let entryIsExecutable = false;
  let previousEnd = 0n;
  for (let i = 0; i < headerCount; i++) {
    const at = headers + i * headerSize;
    const type = elf.readUInt32LE(at);
    const flags = elf.readUInt32LE(at + 4);
    const offset = elf.readBigUInt64LE(at + 8);
    const address = elf.readBigUInt64LE(at + 16);
    const fileSize = elf.readBigUInt64LE(at + 32);
    const memorySize = elf.readBigUInt64LE(at + 40);
    const where = `segment ${i} at 0x${address.toString(16)}`;
    if (type !== LOAD) problems.push(`${where} is of type ${type}, not to be loaded`);
    if ((flags & WRITE) !== 0 && (flags & EXECUTE) !== 0)
      problems.push(`${where} is writable and executable`);
    if (address % PAGE !== 0n) problems.push(`${where} does not start on a page`);
    if (offset % PAGE !== 0n) problems.push(`${where} has file offset ${offset}, not of a page`);
    if (memorySize < fileSize || memorySize === 0n)
      problems.push(`${where} has file size ${fileSize}, memory size ${memorySize}`);
    if (offset + fileSize > BigInt(elf.length)) problems.push(`${where} ends after the file`);
    if (address < previousEnd) problems.push(`${where} shares a page with the one before`);
    previousEnd = ((address + memorySize + PAGE - 1n) / PAGE) * PAGE;
    if ((flags & EXECUTE) !== 0 && entry >= address && entry < address + fileSize) entryIsExecutable = true;
  }
  if (!entryIsExecutable) problems.push(`entry 0x${entry.toString(16)} is in no executable segment`);
  return problems;
}

/** @returns {string[]} */
function filesInBin() {
  mkdirSync(bin, { recursive: true });
  return readdirSync(bin).toSorted();
}

/** @param {Map<string, Buffer>} programs */
function check(programs) {
  const present = filesInBin();
  /** @type {string[]} */
  const differences = [];
  for (const [name, bytes] of programs) {
    if (!present.includes(name)) differences.push(`bin/${name} is missing`);
    else if (!bytes.equals(readFileSync(join(bin, name))))
      differences.push(`bin/${name} differs from what its sources give`);
  }
  for (const name of present) {
    if (!programs.has(name)) differences.push(`bin/${name} has no source`);
  }
  if (differences.length > 0) stop(1, `${differences.join('\nguest: ')}\nguest: run npm run guest`);
  process.stdout.write(`guest: bin/ holds the ${programs.size} programs that the sources give\n`);
}

/** @param {Map<string, Buffer>} programs */
function install(programs) {
  for (const name of filesInBin()) {
    if (!programs.has(name)) rmSync(join(bin, name), { recursive: true });
  }
  for (const [name, bytes] of programs) {
    writeFileSync(join(bin, name), bytes);
    process.stdout.write(`guest: bin/${name}, ${bytes.length} bytes\n`);
  }
}

const options = process.argv.slice(2);
if (options.length === 0) install(buildAll());
else if (options.length === 1 && options[0] === '--check') check(buildAll());
else stop(2, 'usage: node build.mjs [--check]');
