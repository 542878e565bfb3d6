import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, expect, test } from 'vitest';

let dist: string;
beforeEach(() => {
  dist = mkdtempSync(join(tmpdir(), 'stack-launcher-'));
});
afterEach(() => rmSync(dist, { recursive: true, force: true }));

/** As scripts/bundle.mjs does it. */
async function bundle(source: string, digest: string): Promise<void> {
  writeFileSync(join(dist, 'main.js'), source);
  await build({
    entryPoints: { stack: join(import.meta.dirname, 'launcher.ts') },
    outdir: dist,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    define: { bundle: JSON.stringify({ name: 'main', digest, commands: ['up', 'ps'] }) },
  });
}

function run(...args: string[]): string {
  const { stdout, stderr } = spawnSync(process.execPath, [join(dist, 'stack.js'), ...args], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout;
}

const cache = (command: string) => join(dist, '.code-cache', `main-${command}`);
const said = (word: string) => `function say() { console.log('${word}', process.argv.length); } say();`;

test('keeps what a command compiled for its next runs, for root alone', async () => {
  await bundle(said('first'), 'a');
  for (let count = 0; count < 5; count++) expect(run('-f', 'file', 'up')).toBe('first 5\n');
  expect(run('nonsense')).toBe('first 3\n');
  expect(readdirSync(join(dist, '.code-cache')).sort()).toEqual(['main-other', 'main-up']);
  expect(statSync(cache('up')).mode & 0o777).toBe(0o600);
});

test('a bundle of the same length is not run from the code of the one before', async () => {
  await bundle(said('first'), 'a');
  run('up');
  await bundle(said('later'), 'b');
  expect(run('up')).toBe('later 3\n');
  expect(run('up')).toBe('later 3\n');
});

test('a cache that was cut off, or that others can write, is made anew', async () => {
  await bundle(said('first'), 'a');
  run('up');
  truncateSync(cache('up'), 100);
  expect(run('up')).toBe('first 3\n');
  expect(statSync(cache('up')).size).toBeGreaterThan(100);
  const before = readFileSync(cache('up'));
  writeFileSync(cache('up'), Buffer.concat([Buffer.alloc(before.length - 64, 1), before.subarray(-64)]));
  chmodSync(cache('up'), 0o666);
  expect(run('up')).toBe('first 3\n');
  expect(statSync(cache('up')).mode & 0o777).toBe(0o600);
});

test('keeps nothing of a run that failed, or that asked for help', async () => {
  await bundle('process.exit(process.argv[2] === "ps" ? 1 : 0);', 'a');
  run('ps');
  run('up', '--help');
  expect(readdirSync(dist).sort()).toEqual(['main.js', 'stack.js']);
});

test('a bundle may import by name what is not part of it', async () => {
  await bundle('__import("node:os").then(({ EOL }) => console.log(JSON.stringify(EOL)));', 'a');
  expect(run('up')).toBe('"\\n"\n');
  expect(run('up')).toBe('"\\n"\n');
});
