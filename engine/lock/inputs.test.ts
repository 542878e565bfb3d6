import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildInputs } from './inputs.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-inputs-'));
  mkdirSync(join(folder, 'app/src'), { recursive: true });
  mkdirSync(join(folder, 'extra'));
  write('app/Dockerfile', 'FROM busybox\nCOPY . /\n');
  write('app/src/a.txt', 'a');
  write('extra/e.txt', 'e');
  symlinkSync('a.txt', join(folder, 'app/src/link'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (file: string, text: string, root = folder) => writeFileSync(join(root, file), text);

function relink(target: string): void {
  rmSync(join(folder, 'app/src/link'));
  symlinkSync(target, join(folder, 'app/src/link'));
}

const inputs = (build: object = {}, root = folder, more: object = {}) =>
  buildInputs(
    {
      web: {
        command: null,
        entrypoint: null,
        build: { context: join(root, 'app'), additional_contexts: { extra: join(root, 'extra') }, ...build },
        ...more,
      },
      other: { command: null, entrypoint: null, image: 'x' },
    },
    join(root, 'app/stack.lock'),
  ).web;

test.each<[string, () => void]>([
  ['content', () => write('app/src/a.txt', 'b')],
  ['a file more', () => write('app/src/b.txt', '')],
  ['an empty directory more', () => mkdirSync(join(folder, 'app/empty'))],
  ['the right to execute', () => chmodSync(join(folder, 'app/src/a.txt'), 0o755)],
  ['where a link leads', () => relink('b.txt')],
  ['a name', () => renameSync(join(folder, 'app/src/a.txt'), join(folder, 'app/src/c.txt'))],
  ['the Dockerfile', () => write('app/Dockerfile', 'FROM busybox\n')],
  ['another context', () => write('extra/e.txt', 'f')],
])('what changes it: %s', (_, change) => {
  const before = inputs();
  change();
  expect(inputs()).not.toBe(before);
});

test('what changes it: the section and the platform', () => {
  const all = [inputs(), inputs({ args: { A: '1' } }), inputs({ args: { A: '2' } }), inputs({ target: 'x' })];
  all.push(inputs({}, folder, { platform: 'linux/arm64' }), inputs({ additional_contexts: {} }));
  all.push(inputs({ context: 'https://example.com/a.git#v1' }), inputs({ context: 'https://example.com/a.git#v2' }));
  expect(new Set(all).size).toBe(all.length);
});

test('what does not: time, place, mode, how it is gone about, and the lock itself', () => {
  const before = inputs();
  expect(before).toMatch(/^sha256:[0-9a-f]{64}$/);
  utimesSync(join(folder, 'app/src/a.txt'), 1, 1);
  chmodSync(join(folder, 'app/src/a.txt'), 0o600);
  write('app/stack.lock', 'version: 1\n');
  const how = { no_cache: true, pull: true, tags: ['x'], cache_from: ['y'], ssh: ['default'] };
  expect(inputs(how)).toBe(before);
  const moved = mkdtempSync(join(tmpdir(), 'stack-inputs-'));
  try {
    cpSync(folder, moved, { recursive: true, verbatimSymlinks: true });
    expect(inputs({}, moved)).toBe(before);
  } finally {
    rmSync(moved, { recursive: true });
  }
});

test('what the ignore file leaves out does not count, the file itself does', () => {
  const before = inputs();
  write('app/.dockerignore', 'src\n.dockerignore\n');
  const ignoring = inputs();
  expect(ignoring).not.toBe(before);
  write('app/src/a.txt', 'secret');
  expect(inputs()).toBe(ignoring);
});

test('a name that is no text, and a context that is not there', () => {
  const before = inputs();
  writeFileSync(Buffer.concat([Buffer.from(join(folder, 'app/')), Buffer.from([0xff, 0xfe])]), 'x');
  expect(inputs()).not.toBe(before);
  expect(() => inputs({ context: join(folder, 'none') })).toThrow('The Dockerfile');
  expect(() => inputs({ context: join(folder, 'none'), dockerfile_inline: 'FROM x' })).toThrow('The build context');
});
