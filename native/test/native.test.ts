// Builds the C++ tests with sanitizers and runs them: an assertion that fails, or a byte read too far, fails the test here.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { writeNames } from '../../engine/network/names.ts';
import { code } from '../../engine/runtime/program/encoder.ts';
import { monitorSources } from './monitor-sources.fixture.ts';
import { codesIn, programSeeds, writeSeeds } from './program-seeds.fixture.ts';

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

const built = new Map<string, Promise<string>>();

/** Compiles `test/<name>.cc` with the sources it tests, all below native/, and returns the program's path. */
function build(name: string, sources: string[], flags: string[]): Promise<string> {
  const program = join(directory, `${name}-${flags.length}`);
  const known = built.get(program) ?? compile(program, name, sources, flags);
  built.set(program, known);
  return known;
}

async function compile(program: string, name: string, sources: string[], flags: string[]): Promise<string> {
  const files = [`test/${name}.cc`, ...sources].map((file) => join(native, file));
  const warnings = ['-Wall', '-Wextra', '-Werror', '-Wno-missing-field-initializers'];
  await run('g++', ['-std=c++20', ...warnings, ...flags, `-I${native}`, ...files, '-o', program]);
  return program;
}

test('DNS messages and name tables', { timeout: limit }, async () => {
  await run(await build('dns_test', ['shim/dns.cc'], sanitizers));
});

test('the decoder of programs', { timeout: limit }, async () => {
  await run(await build('program_test', ['shim/settings.cc'], sanitizers));
});

test('100,000 mutated programs are read without a byte too far', { timeout: limit }, async () => {
  const codes = codesIn((await programSeeds()).values());
  expect(Object.entries(code).filter(([, number]) => !codes.has(number))).toEqual([]);
  const program = await build('fuzz_program', ['test/fuzz_driver.cc'], sanitizers);
  const seeds = await writeSeeds(join(directory, 'seeds'));
  // STACK_FUZZ_NUMBER=… repeats a run, STACK_FUZZ_RUNS=… makes it longer (so does npm run fuzz:program).
  const number = process.env.STACK_FUZZ_NUMBER ?? '1';
  const runs = process.env.STACK_FUZZ_RUNS ?? '100000';
  console.log(`programs: ${runs} mutations, number ${number}`);
  const { stdout } = await run(program, [runs, number, ...seeds]);
  const { accepted, applied } = JSON.parse(stdout) as { accepted: number; applied: number };
  // They get past the door, and far.
  expect(accepted).toBeGreaterThan(Number(runs) / 4);
  expect(applied).toBeGreaterThan(Number(runs));
});

test('100,000 frames at the control socket are read without a byte too far', { timeout: limit }, async () => {
  const sources = monitorSources().map((file) => relative(native, file));
  const program = await build('fuzz_control', ['test/fuzz_control_driver.cc', ...sources], sanitizers);
  const seeds = (await writeSeeds(join(directory, 'seeds'))).filter((file) => /exec$/.test(file));
  const number = process.env.STACK_FUZZ_NUMBER ?? '1';
  console.log(`control frames: number ${number}`);
  const { stdout } = await run(program, ['100000', number, ...seeds]);
  const { answers, dropped, execs } = JSON.parse(stdout) as { answers: number; dropped: number; execs: number };
  // They are answered, refused, and carried out.
  expect(answers).toBeGreaterThan(50_000);
  expect(dropped).toBeGreaterThan(500);
  expect(execs).toBeGreaterThan(500);
});

test('the log writer', { timeout: limit }, async () => {
  await run(await build('log_test', ['shim/log.cc'], sanitizers), [directory]);
});

test('the resolver answers and forwards', { timeout: limit }, async () => {
  await run(await build('resolver_test', resolver, sanitizers));
});

test('the resolver reads the tables that the engine writes', { timeout: limit }, async () => {
  const program = await build('resolver_test', resolver, sanitizers);
  const file = join(directory, 'demo_default.names');
  const endpoint = (slot: number, address: string) => ({
    network: 'default',
    networkName: 'demo_default',
    interface: 'eth0',
    hostInterface: `veth${slot}`,
    bridge: 'br0',
    mac: '02:00:00:00:00:01',
    ipv4: { address, prefix: 16 },
    ipv6: { address: `fd00::${slot}`, prefix: 64 },
    aliases: ['Web'],
    slot,
    isDefaultRoute: true,
  });
  const containers = [1, 2, 3].map((slot) => ({
    name: `demo-web-${slot}`,
    endpoints: [endpoint(slot, `172.18.0.${slot}`)],
  }));
  const lookUp = async (name: string, type: number) =>
    (await run(program, ['lookup', file, name, `${type}`])).stdout.trim().split('\n').sort();
  // Twice: either buffer.
  for (let time = 0; time < 2; time++) {
    writeNames(file, 'demo_default', containers);
    // Slot 3 is not live.
    expect(await lookUp('WEB', 1)).toEqual(['ac120001', 'ac120002']);
  }
  expect(await lookUp('demo-web-2', 28)).toEqual([`fd00${'0'.repeat(27)}2`]);
  expect(await lookUp('demo-web-1.demo_default', 1)).toEqual(['ac120001']);
  const pointer = Buffer.from('\x0ademo-web-1\x0cdemo_default\x00').toString('hex');
  expect(await lookUp('1.0.18.172.in-addr.arpa', 12)).toEqual([pointer]);
  expect(await lookUp(`2.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`, 12)).toHaveLength(1);
  expect(await lookUp('demo-web-3', 1)).toEqual(['unknown']);
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
