// Builds the C++ tests with sanitizers and runs them: an assertion that fails, or a byte read too far, fails the test here.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const native = dirname(dirname(fileURLToPath(import.meta.url)));
const sanitizers = ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
const resolver = ['shim/dns.cc', 'shim/resolver.cc', 'shim/resolver_server.cc'];
const limit = 180_000;
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'stack-native-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Compiles `test/<name>.cc` with the sources it tests, all below native/, and returns the program's path. */
async function build(name: string, sources: string[], flags: string[]): Promise<string> {
  const program = join(directory, `${name}-${flags.length}`);
  const files = [`test/${name}.cc`, ...sources].map((file) => join(native, file));
  const warnings = ['-Wall', '-Wextra', '-Werror', '-Wno-missing-field-initializers'];
  await run('g++', ['-std=c++20', ...warnings, ...flags, `-I${native}`, ...files, '-o', program]);
  return program;
}

test('DNS messages and name tables', { timeout: limit }, async () => {
  await run(await build('dns_test', ['shim/dns.cc'], sanitizers));
});

test('the log writer', { timeout: limit }, async () => {
  await run(await build('log_test', ['shim/log.cc'], sanitizers), [directory]);
});

test('the resolver answers and forwards', { timeout: limit }, async () => {
  await run(await build('resolver_test', resolver, sanitizers));
});

const isRoot = process.getuid?.() === 0;
test.skipIf(!isRoot)(
  `the resolver is confined${isRoot ? '' : ' (skipped: needs root)'}`,
  { timeout: limit },
  async () => {
    const { stdout } = await run(await build('resolver_test', resolver, ['-O1', '-static']), ['confined']);
    const [, privateDirty] = /private (\d+) kB/.exec(stdout) ?? [];
    expect(Number(privateDirty)).toBeLessThan(256);
  },
);

test('a failed assertion fails the program', { timeout: limit }, async () => {
  // The log's test without its directory: its first assertion does not hold.
  const program = await build('log_test', ['shim/log.cc'], ['-O0']);
  await expect(run(program)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('not true: count == 2'),
  });
});
