import { describe, expect, it } from 'vitest';
import { ExpansionError, expand, expandWords } from './expand.ts';

const variables = new Map(
  Object.entries({ HOME: '/home', EMPTY: '', FILE: '/a/b.tar.gz', ÄÖ: 'umlaut', LIST: 'x  y' }),
);

function expanded(text: string, escaper: '\\' | '`' = '\\'): string {
  try {
    return expand(text, variables, { escape: escaper }).value;
  } catch (thrown) {
    if (thrown instanceof ExpansionError) return 'error';
    throw thrown;
  }
}

describe('expand', () => {
  it.each([
    ['plain', 'plain'],
    ['$HOME', '/home'],
    ['${HOME}x', '/homex'],
    ['$HOMEx', ''],
    ['$ÄÖ!', 'umlaut!'],
    ['$UNSET', ''],
    ['a$', 'a$'],
    ['a$.b', 'a$.b'],
    ['$1x', 'x'],
    ['$@x', 'x'],
    ['${UNSET:-d}', 'd'],
    ['${EMPTY:-d}', 'd'],
    ['${UNSET-d}', 'd'],
    ['${EMPTY-d}', ''],
    ['${HOME:-d}', '/home'],
    ['${UNSET:-${HOME}/x}', '/home/x'],
    ['${UNSET:-${EMPTY:-${HOME}}}', '/home'],
    ['${HOME:+set}', 'set'],
    ['${EMPTY:+set}', ''],
    ['${EMPTY+set}', 'set'],
    ['${UNSET+set}', ''],
    ['${HOME:?}', '/home'],
    ['${HOME?x}', '/home'],
    ['${UNSET?x}', 'error'],
    ['${EMPTY?x}', ''],
    ['${EMPTY:?x}', 'error'],
    ['${FILE#*/}', 'a/b.tar.gz'],
    ['${FILE##*/}', 'b.tar.gz'],
    ['${FILE%.*}', '/a/b.tar'],
    ['${FILE%%.*}', '/a/b'],
    ['${FILE#/?/}', 'b.tar.gz'],
    ['${FILE#x}', '/a/b.tar.gz'],
    ['${FILE/a/z}', '/z/b.tar.gz'],
    ['${FILE//a/z}', '/z/b.tzr.gz'],
    ['${FILE//./}', '/a/btargz'],
    ['${FILE/\\//_}', '_a/b.tar.gz'],
    ['${FILE//\\/*\\//-}', '-b.tar.gz'],
    ['${UNSET/a/b}', ''],
    ['${UNSET#a}', ''],
    ['${FILE#\\a}', 'error'],
    ["'$HOME'", '$HOME'],
    ['"$HOME x"', '/home x'],
    ['"a\\"b"', 'a"b'],
    ['"a\\tb"', 'a\\tb'],
    ['a\\ b', 'a b'],
    ['\\$HOME', '$HOME'],
    ['\\${HOME}', '${HOME}'],
    ['end\\', 'end'],
    ['"open', 'error'],
    ["'open", 'error'],
    ['${HOME', 'error'],
    ['${}', 'error'],
    ['${{HOME}}', 'error'],
    ['${:-x}', 'error'],
    ['${HOME=x}', 'error'],
    ['${HOME:#x}', 'error'],
    ['${HOME:-"a}"}', '/home'],
    ['<<EOF', '<<EOF'],
    ['😀$HOME😀', '😀/home😀'],
  ])('%s → %s', (text, value) => {
    expect(expanded(text)).toBe(value);
  });

  it('takes the other escape character, under which a backslash is plain', () => {
    expect(expanded('`$HOME', '`')).toBe('$HOME');
    expect(expanded('C:\\dir', '`')).toBe('C:\\dir');
  });

  it('tells which names had a value', () => {
    const { used, unset } = expand('$HOME ${UNSET:-$ALSO}', variables, { escape: '\\' });
    expect([[...used], [...unset]]).toEqual([['HOME'], ['ALSO', 'UNSET']]);
  });

  it('leaves quotes and unset variables where asked', () => {
    expect(
      expand('"$HOME" $UNSET ${UNSET:-x}', variables, { escape: '\\', rawQuotes: true, keepUnset: true }).value,
    ).toBe('"/home" $UNSET ${UNSET:-x}');
    expect(expand('it\'s "$HOME"', variables, { escape: '\\', plainQuotes: true }).value).toBe('it\'s "/home"');
  });

  it.each([
    ['a  b', ['a', 'b']],
    ['$LIST', ['x', 'y']],
    ['"$LIST"', ['x  y']],
    ["a' 'b c", ['a b', 'c']],
    ['', []],
  ])('words of %s', (text, words) => {
    expect(expandWords(text, variables, { escape: '\\' })).toEqual(words);
  });

  it('does not let values grow without bound, nor expansions nest', () => {
    const long = new Map([['X', 'x'.repeat(1000)]]);
    expect(() => expand('$X'.repeat(2000), long, { escape: '\\' })).toThrow(ExpansionError);
    expect(() => expand('${A:-'.repeat(1e5), long, { escape: '\\' })).toThrow(ExpansionError);
  });

  it('is not slowed by a pattern with many asterisks', () => {
    const value = new Map([['X', 'a'.repeat(20_000)]]);
    const started = performance.now();
    expect(expand(`\${X#${'*a'.repeat(2000)}b}`, value, { escape: '\\' }).value).toHaveLength(20_000);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
