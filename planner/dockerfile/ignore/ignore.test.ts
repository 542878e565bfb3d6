import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createContextFilter } from './context.ts';
import { globTokens, matchGlob } from './glob.ts';
import { createIgnoreMatcher, readIgnoreFile } from './ignore.ts';
import { cleanPath } from './pattern.ts';

const ignores = (patterns: string, path: string) => createIgnoreMatcher(readIgnoreFile(patterns)).ignores(path);

describe('ignore file', () => {
  it('drops comments and blank lines, cleans paths, takes a leading slash off', () => {
    const text = '\uFEFF# comment\n\n  a/./b//c/  \n/abs\n!/kept\r\n ! spaced \n #not a comment\n..\n/\n!\n';
    expect(readIgnoreFile(text)).toEqual(['a/b/c', 'abs', '!kept', '!spaced', '#not a comment', '..', '/', '!']);
  });

  it.each([
    ['a', 'a', true],
    ['a', 'a/b', true],
    ['a', 'b/a', false],
    ['a', 'ab', false],
    ['*', 'a/b', true],
    ['*/b', 'a/b', true],
    ['*/b', 'b', false],
    ['*.md', 'x.md', true],
    ['*.md', 'd/x.md', false],
    ['**/*.md', 'x.md', true],
    ['**/*.md', 'd/e/x.md', true],
    ['**', 'any/thing', true],
    ['a/**', 'a', false],
    ['a/**', 'a/b/c', true],
    ['a/**/c', 'a/c', true],
    ['a/**/c', 'a/b/b/c', true],
    ['a/**/c', 'a/bc', false],
    ['**c', 'a/bc', true],
    ['**/c', 'a/bc', false],
    ['**/c', 'c', true],
    ['a**', 'abc/d', true],
    ['?', 'é', true],
    ['?', '/', false],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a.b', 'aXb', false],
    ['a+(b)|{c}$', 'a+(b)|{c}$', true],
    ['*^', 'a^', false],
    ['x^', 'x^', true],
    ['*\n!keep', 'keep', false],
    ['*\n!keep', 'keep/below', false],
    ['dir\n!dir/keep', 'dir/keep', false],
    ['dir\n!dir/keep', 'dir/other', true],
    ['!a\na', 'a', true],
    ['a\n!a\na/b', 'a/b', true],
    ['a\n!a\na/b', 'a/c', false],
    ['*.md\n!README*.md\nREADME-secret.md', 'README-secret.md', true],
    ['*.md\n!README*.md\nREADME-secret.md', 'README.md', false],
  ])('%j: %s ignored: %s', (patterns, path, expected) => {
    expect(ignores(patterns, path)).toBe(expected);
  });

  it('names malformed patterns', () => {
    expect(createIgnoreMatcher(['[', 'a[', '[]a]', '[a-]', '!', 'ok\\', '[a', 'fine']).malformed).toHaveLength(7);
  });

  it('matches as the regular expressions of moby do', () => {
    const element = fc.stringMatching(/^[ab.*?^-]{1,3}$/);
    const pattern = fc.array(element, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const path = fc.array(fc.stringMatching(/^[ab.^-]{1,3}$/), { minLength: 1, maxLength: 4 }).map((x) => x.join('/'));
    fc.assert(
      fc.property(pattern, path, (text, name) => {
        const clean = cleanPath(text);
        const [compiled] = createIgnoreMatcher([text]).patterns;
        expect(compiled!.matches(name), `${text} on ${name}`).toBe(mobyMatch(clean, name));
      }),
      { numRuns: 20_000 },
    );
  });

  it('goes into an ignored directory only where an exception may keep something', () => {
    const matcher = createIgnoreMatcher(['**', '!src/*/keep.ts', '!docs']);
    expect(['src', 'src/a', 'src/a/b', 'docs', 'docs/x', 'other'].map((path) => matcher.entersIgnored(path))).toEqual([
      ...[true, true, false, true, false, false],
    ]);
  });

  it('never prunes a directory that holds a kept path', () => {
    const word = fc.stringMatching(/^[ab*]{1,2}$/);
    const line = fc.tuple(fc.boolean(), fc.array(word, { minLength: 1, maxLength: 3 }));
    const path = fc.array(fc.constantFrom('a', 'b', 'ab'), { minLength: 2, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 5 }), path, (lines, parts) => {
        const patterns = lines.map(([keep, words]) => (keep ? '!' : '') + words.join('/'));
        const filter = createContextFilter(undefined, patterns);
        if (!filter.includes(parts.join('/'))) return;
        for (let length = 1; length < parts.length; length++) {
          expect(filter.enters(parts.slice(0, length).join('/')), patterns.join(' ')).toBe(true);
        }
      }),
      { numRuns: 20_000 },
    );
  });

  it('is not slowed by a hostile pattern', () => {
    const matcher = createIgnoreMatcher([`${'**/'.repeat(200)}*a*a*a*a*a*a*a*a*b`]);
    const started = performance.now();
    expect(matcher.ignores('a'.repeat(2000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('context filter', () => {
  const filter = createContextFilter(['src/*.ts', 'lib'], ['**/*.test.ts']);

  it('includes what a path selects and the ignore file leaves', () => {
    const paths = ['src/a.ts', 'src/a.test.ts', 'src/a.js', 'lib', 'lib/x/y', 'lib/a.test.ts', 'other'];
    expect(paths.filter((path) => filter.includes(path))).toEqual(['src/a.ts', 'lib', 'lib/x/y']);
  });

  it('enters only directories on the way', () => {
    expect(['.', 'src', 'lib', 'lib/x', 'src/deep', 'other'].filter((path) => filter.enters(path))).toEqual([
      ...['.', 'src', 'lib', 'lib/x'],
    ]);
  });
});

describe('glob', () => {
  it.each([
    ['*', 'a/b', false],
    ['a/*', 'a/b', true],
    ['[^x]', '/', false],
    ['[a-', 'a', false],
    ['a[\\]]', 'a]', true],
  ])('%s matches %s: %s', (pattern, path, expected) => {
    expect(matchGlob(pattern, path)).toBe(expected);
  });

  it('knows a malformed pattern', () => {
    expect(globTokens('a\\')).toBeUndefined();
  });
});

/** What moby makes of a clean pattern without brackets and escapes, written as one regular expression. */
function mobyMatch(pattern: string, path: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === path;
  const special = pattern.slice(2).match(/[*?]/);
  if (pattern.startsWith('**') && !special) {
    const suffix = pattern.slice(2);
    return path.endsWith(suffix) || (suffix.startsWith('/') && path === suffix.slice(1));
  }
  if (pattern.endsWith('**') && !/[*?]/.test(pattern.slice(0, -2))) return path.startsWith(pattern.slice(0, -2));
  const source = pattern.replaceAll(/\*\*\/?(?=(.?))|\*|\?|[.]/g, (found, next: string | undefined) => {
    if (found.startsWith('**')) return next === '' ? '.*' : '(?:.*/)?';
    return { '*': '[^/]*', '?': '[^/]', '.': '\\.' }[found]!;
  });
  return new RegExp(`^${source}$`).test(path);
}
