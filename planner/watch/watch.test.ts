import { expect, test } from 'vitest';
import type { WatchChange, WatchRule } from '../../schemas/watch.ts';
import { loadText } from '../load/fixture.ts';
import { decide } from './decide.ts';
import { createWatchMatcher } from './matcher.ts';
import { watchRules } from './rules.ts';

const rule = (more: Partial<WatchRule>): WatchRule => ({
  service: 'a',
  index: 0,
  path: '/p/src',
  action: 'sync',
  ignore: [],
  hasInitialSync: false,
  ...more,
});
const changed = (...paths: string[]): WatchChange[] =>
  paths.map((path) => ({ path, type: 'change', isDirectory: false }));
const decided = (rules: WatchRule[], changes: WatchChange[]) =>
  decide(
    rules.map((one) => ({ rule: one, matcher: createWatchMatcher(one) })),
    changes,
  );

test('a matcher takes what lies below, is included and not ignored', () => {
  const takes = (more: Partial<WatchRule>, ...paths: string[]) => {
    const matcher = createWatchMatcher(rule(more));
    return paths.filter((path) => matcher.takes(`/p/${path}`));
  };
  const all = ['src', 'src/a.go', 'src/b/c.go', 'srcs/a.go', 'other'];
  expect(takes({}, ...all)).toEqual(['src', 'src/a.go', 'src/b/c.go']);
  expect(takes({ include: ['**/*.go'] }, ...all, 'src/x.ts')).toEqual(['src', 'src/a.go', 'src/b/c.go']);
  expect(takes({ ignore: [{ base: '/p/src', lines: ['b'] }] }, ...all)).toEqual(['src', 'src/a.go']);
  // .dockerignore counts from the build context, and its exceptions hold.
  expect(takes({ ignore: [{ base: '/p', lines: ['src/**', '!src/b'] }] }, ...all)).toEqual(['src', 'src/b/c.go']);
  const editors = ['src/a~', 'src/.a.swp', 'src/4913', 'src/.git/index', 'src/.#a', 'src/.gitignore', 'src/swp'];
  expect(takes({}, ...editors)).toEqual(['src/.gitignore', 'src/swp']);
});

test('a matcher enters directories on the way and those in which an exception may hold', () => {
  const { enters } = createWatchMatcher(
    rule({ ignore: [{ base: '/p', lines: ['src/lib', '!src/lib/keep', 'src/out'] }] }),
  );
  expect(['/', '/p', '/p/src', '/p/src/lib', '/p/src/lib/keep'].every(enters)).toBe(true);
  expect(['/q', '/p/other', '/p/src/out'].some(enters)).toBe(false);
});

test('several changes get the cheapest action that is enough for all of them', () => {
  const sync = rule({ target: '/app' });
  const restart = rule({ path: '/p/conf', action: 'sync+restart', target: '/conf', index: 1 });
  const exec = rule({ path: '/p/run', action: 'sync+exec', target: '/run', exec: { command: ['x'] }, index: 2 });
  const rebuild = rule({ path: '/p/lock', action: 'rebuild', index: 3 });
  const after = (...paths: string[]) => {
    const one = decided([sync, restart, exec, rebuild], changed(...paths));
    return one && [one.after, one.copies.length, one.because.map(({ path }) => path), one.execs.length];
  };
  expect(after('/p/other')).toBeUndefined();
  expect(after('/p/src/a', '/p/src/b')).toEqual(['nothing', 2, ['/p/src/a', '/p/src/b'], 0]);
  expect(after('/p/src/a', '/p/run/b')).toEqual(['exec', 2, ['/p/run/b'], 1]);
  expect(after('/p/conf/a', '/p/run/b')).toEqual(['restart', 2, ['/p/conf/a'], 0]);
  expect(after('/p/lock', '/p/conf/a')).toEqual(['rebuild', 1, ['/p/lock'], 0]);
});

test('what came and went asks for nothing, and leaves no copy', () => {
  const gone: WatchChange = { path: '/p/src/a', type: 'remove', isDirectory: false, isTransient: true };
  expect(decided([rule({ target: '/app', action: 'sync+restart' })], [gone])).toMatchObject({
    after: 'nothing',
    because: [],
    copies: [{ path: 'a' }],
  });
});

const load = (watch: string, more = '') => {
  const loaded = loadText(`services:\n  a:\n    image: x\n${more}    develop:\n      watch:\n${watch}`);
  const there = ['/p/src', '/p/src/b', '/p/other', '/p/b'];
  const around = {
    kind: (path: string) => (there.includes(path) ? ('directory' as const) : undefined),
    read: (path: string) => (path === '/p/.dockerignore' ? '# x\n/out\n' : undefined),
  };
  return watchRules(loaded, [], around);
};
const problems = (watch: string, more?: string) =>
  load(watch, more).errors.map(({ message, where }) => `${where?.line}: ${message}`);

test('rules are resolved, with the ignore file of the build context', () => {
  const { rules, errors } = load('        - {path: src, action: sync, target: /app/., ignore: x}\n', '    build: .\n');
  expect(errors).toEqual([]);
  expect(rules).toEqual([
    rule({
      target: '/app',
      ignore: [
        { base: '/p', lines: ['out'] },
        { base: '/p/src', lines: ['x'] },
      ],
    }),
  ]);
});

test('rules that mean nothing are refused with their line', () => {
  const one = (text: string) => problems(`        - {${text}}\n`);
  expect(one('path: gone, action: sync, target: /x')).toEqual([expect.stringMatching(/^6: .*gone does not exist/)]);
  expect(one('path: src, action: sync, target: x')).toEqual([expect.stringMatching(/^6: .*"x" is no absolute path/)]);
  expect(one('path: ../elsewhere, action: restart')).toEqual([expect.stringMatching(/^6: .*outside the project/)]);
  expect(one('path: src, action: rebuild')).toEqual([expect.stringMatching(/^6: .*no build section/)]);
  expect(one('path: src, action: sync+exec, target: /x')).toEqual([expect.stringMatching(/^6: .*needs a command/)]);
});

test('targets may lie in each other where that is no conflict', () => {
  const two = (a: string, b: string) => problems(`        - {${a}, action: sync}\n        - {${b}, action: sync}\n`);
  expect(two('path: src, target: /x', 'path: src/b, target: /x/b')).toEqual([]);
  expect(two('path: src, target: /x', 'path: other, target: /x/c')).toEqual([]);
  expect(two('path: src, target: /x, ignore: b', 'path: other, target: /x/b')).toEqual([]);
  expect(two('path: src, target: /x', 'path: other, target: /x/b')).toEqual([
    expect.stringMatching(/^7: .*\/x\/b comes from \/p\/other, and from \/p\/src\/b/),
  ]);
  expect(two('path: src, target: /x', 'path: other, target: /x')).toHaveLength(1);
});

test('what a bind mount brings is not copied onto itself', () => {
  const bound = '    volumes: [./src:/app]\n';
  const { rules, warnings } = load('        - {path: src, action: sync+restart, target: /app}\n', bound);
  expect(rules).toEqual([rule({ action: 'sync+restart' })]);
  expect(warnings.map(({ message }) => message)).toEqual([expect.stringMatching(/by the bind mount/)]);
  expect(load('        - {path: src/b, action: sync, target: /app/b}\n', bound).rules).toEqual([]);
});
