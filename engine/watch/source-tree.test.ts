import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchProblem } from './problem.ts';
import { SourceTree } from './source-tree.ts';

let top: string;
let tree: SourceTree;
const problems: Error[] = [];
let hinted = new Set<string>();

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'stack-watch-'));
  problems.length = 0;
  hinted = new Set();
  tree = new SourceTree(
    { takes: (path) => path !== top && !path.includes('ignored'), enters: (path) => !path.includes('ignored') },
    { onHint: (path) => void hinted.add(path), onProblem: (error) => void problems.push(error) },
  );
});
afterEach(() => {
  tree[Symbol.dispose]();
  rmSync(top, { recursive: true, force: true });
});

const at = (path: string) => join(top, path);
const looked = (path: string) =>
  tree.update(at(path)).map(({ type, path: where, isTransient }) => {
    return `${isTransient ? 'transient ' : ''}${type} ${where.slice(top.length + 1)}`;
  });

test('a look answers what is other than at the last one', () => {
  mkdirSync(at('d'));
  writeFileSync(at('d/a'), 'one');
  tree.add(top);
  expect(looked('d/a')).toEqual([]);
  chmodSync(at('d/a'), 0o600);
  expect(looked('d/a')).toEqual(['change d/a']);
  rmSync(at('d/a'));
  mkdirSync(at('d/a/b'), { recursive: true });
  expect(looked('d/a')).toEqual(['remove d/a', 'add d/a', 'add d/a/b']);
  renameSync(at('d'), at('e'));
  expect(looked('e')).toEqual(['add e', 'add e/a', 'add e/a/b']);
  expect(looked('d')).toEqual(['remove d/a/b', 'remove d/a', 'remove d']);
  expect(looked('never')).toEqual(['transient remove never']);
  writeFileSync(at('ignored'), '');
  expect(looked('ignored')).toEqual([]);
});

test('a directory in place of another is watched anew', async () => {
  mkdirSync(at('d'));
  writeFileSync(at('d/a'), '');
  tree.add(top);
  rmSync(at('d'), { recursive: true });
  mkdirSync(at('d'));
  writeFileSync(at('d/b'), '');
  expect(looked('d')).toEqual(expect.arrayContaining(['remove d/a', 'add d/b']));
  hinted.clear();
  writeFileSync(at('d/c'), '');
  await expect.poll(() => [...hinted]).toContain(at('d/c'));
});

test('a circle of links is no matter, and links are entries of their own', () => {
  symlinkSync('.', at('self'));
  symlinkSync('b', at('a'));
  symlinkSync('a', at('b'));
  tree.add(top);
  expect([...tree.entries(top)].map(([path, { kind }]) => `${path.slice(top.length + 1)} ${kind}`).sort()).toEqual([
    'a symlink',
    'b symlink',
    'self symlink',
  ]);
  expect(problems).toEqual([]);
});

test('each problem names the way out', () => {
  const told = (code: string) => watchProblem(Object.assign(new Error(code), { code }), '/p/src');
  expect(told('ENOSPC').hint).toMatch(/max_user_watches/);
  expect(told('EMFILE').hint).toMatch(/max_user_instances/);
  expect(told('EACCES').hint).toMatch(/chmod/);
  expect(told('ENOSPC').message).toMatch(/\/p\/src/);
});
