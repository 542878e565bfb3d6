import { describe, expect, it } from 'vitest';
import { checksOf, graphOf } from '../graph/graph.fixture.ts';
import { readCheckOptions } from './checks.ts';

describe('checks', () => {
  it.each<[string, object, string[]]>([
    ['FROM a AS One\n', {}, ['1 StageNameCasing']],
    ['FROM a as one\n', {}, ['1 FromAsCasing']],
    ['from a as one\n', {}, []],
    ['FROM a\nRUN b \\\n\n c\n', {}, ['3 NoEmptyContinuation']],
    ['FROM a\nRUN b\nrun c\n', {}, ['3 ConsistentInstructionCasing']],
    ['FROM a\nRun b\n', {}, ['2 ConsistentInstructionCasing']],
    ['FROM a AS x\nFROM b AS x\n', {}, ['2 DuplicateStageName']],
    ['FROM a AS scratch\n', {}, ['1 ReservedStageName']],
    ['FROM a\nCMD b\n', {}, ['2 JSONArgsRecommended']],
    ["FROM a\nENTRYPOINT ['b']\n", {}, ['2 JSONArgsRecommended']],
    ['FROM a\nSHELL ["x"]\nCMD b\n', {}, []],
    ['FROM a\nMAINTAINER b\n', {}, ['2 MaintainerDeprecated']],
    ['FROM a:${T:-1}\n', {}, ['1 UndefinedArgInFrom']],
    ['ARG T\nFROM a:${T:-1}\n', {}, []],
    ['FROM a\nENV B=$C\n', {}, ['2 UndefinedVar']],
    ['FROM a\nARG C\nENV B=$C$PATH\n', {}, []],
    ['FROM a\nRUN $C\n', {}, []],
    ['FROM a\nWORKDIR b\nWORKDIR c\n', {}, ['2 WorkdirRelativePath']],
    ['FROM a\nWORKDIR /b\nWORKDIR c\n', {}, []],
    ['FROM a\nCMD ["b"]\nCMD ["c"]\n', {}, ['2 MultipleInstructionsDisallowed']],
    ['FROM a\nENV B c\nLABEL d e\n', {}, ['2 LegacyKeyValueFormat', '3 LegacyKeyValueFormat']],
    ['FROM a\nCOPY b/c.md /\n', { context: { location: '/', ignore: ['**/*.md'] } }, ['2 CopyIgnoredFile']],
    ['FROM a\nCOPY b/c.md /\n', { context: { location: '/', ignore: ['**/*.md', '!b'] } }, []],
    ['FROM a\nCOPY . /\n', { context: { location: '/', ignore: ['*'] } }, ['2 CopyIgnoredFile']],
    [
      'FROM a\nARG API_KEY\nENV db_password=x PUBLIC_KEY=y\n',
      {},
      ['2 SecretsUsedInArgOrEnv', '3 SecretsUsedInArgOrEnv'],
    ],
    ['FROM --platform=$TARGETPLATFORM a\n', {}, ['1 RedundantTargetPlatform']],
    ['FROM --platform=linux/amd64 a\n', {}, ['1 FromPlatformFlagConstDisallowed']],
    ['FROM --platform=linux/amd64 a AS x-amd64\n', {}, []],
    ['FROM --platform=$BUILDPLATFORM a\n', {}, []],
    ['ARG V\nFROM a:${V}\n', { settings: { args: { V: '1' } } }, ['2 InvalidDefaultArgInFrom']],
    ['FROM a\nEXPOSE 80/TCP\n', {}, ['2 ExposeProtoCasing']],
    ['FROM a\nEXPOSE 80:80\n', {}, ['2 ExposeInvalidFormat']],
  ])('%j', async (text, asked, expected) => {
    expect(await checksOf(text, asked)).toEqual(expected);
  });

  it('looks into stages the target does not need, but resolves nothing for them otherwise', async () => {
    const text = 'FROM a\nENV B=$C\nFROM b\n';
    expect(await checksOf(text)).toEqual(['2 UndefinedVar']);
    expect(await checksOf(text, { everyStage: false })).toEqual([]);
  });

  it('are skipped by the directive, or by a comment above', async () => {
    expect(await checksOf('# check=skip=StageNameCasing, UndefinedVar\nFROM a AS X\nENV B=$C\nCMD d\n')).toEqual([
      '4 JSONArgsRecommended',
    ]);
    expect(await checksOf('# check=skip=all\nFROM a AS X\n')).toEqual([]);
    expect(await checksOf('FROM a\n# check=skip=UndefinedVar\nENV B=$C\nENV D=$E\n')).toEqual(['4 UndefinedVar']);
  });

  it('fail the build where the directive says so', async () => {
    const result = await graphOf('# check=error=true\nFROM a AS X\n');
    expect(result.ok ? [] : result.errors.map(({ message }) => message)).toEqual([
      'StageNameCasing: the stage name X.',
    ]);
  });

  it('name what is wrong with the directive', () => {
    expect(readCheckOptions('skip=StageNameCasin;errors=1').problems).toEqual([
      'There is no check StageNameCasin; did you mean StageNameCasing?',
      '"errors=1" is no option of checks.',
    ]);
  });
});
