import { describe, expect, it } from 'vitest';
import { StackError } from '../../schemas/errors.ts';
import { graphOf } from './graph/graph.fixture.ts';
import { createIgnoreMatcher, readIgnoreFile } from './ignore/ignore.ts';
import { parseDockerfile } from './parse.ts';

/** Something of everything, for the mutations to break. */
const seeds = [
  '# syntax=docker/dockerfile:1\n# escape=\\\n# check=skip=all;error=true\nARG V=1 W=${V:-2}\nFROM --platform=$BUILDPLATFORM a:$V AS b\n',
  'FROM a AS b\nENV A="x y" B=$A\\ c\nENV C d e\nLABEL "a b"=\'c\' d=${A#x*}${A%%y}${A//x/y}\nARG D E=${A:?no}\nRUN x \\\n # c\n\n y\n',
  'FROM a\nRUN --mount=type=cache,target=/c,id=$X,sharing=locked --mount=type=secret,id=s,"env=T" --network=none x\nRUN ["a", "b"]\n',
  'FROM a AS b\nFROM b\nCOPY --from=b --chown=1:2 --chmod=u=rwX --link --parents --exclude=*.md a/./b **/c /d/\nADD https://h/f git@h:r.git#x:y /z\n',
  'FROM a\nCOPY <<A <<-"B" /x/\n$A\nA\n\tb\n\tB\nRUN <<E\n#!/bin/sh\nx\nE\nRUN cat <<F | sh\ny\nF\n',
  'FROM scratch\nHEALTHCHECK --interval=1m30s --retries=3 CMD ["a"]\nEXPOSE 80 1-3/udp\nVOLUME ["/a"]\nSHELL ["b", "-c"]\nUSER u\nWORKDIR w\n',
  'FROM a\nONBUILD COPY <<E /x\ny\nE\nONBUILD RUN z\nSTOPSIGNAL SIGINT\nMAINTAINER m\nCMD x\nENTRYPOINT ["y"]\nHEALTHCHECK NONE\n',
  '**/*.md\n!README*\n/a/[b-d]?/**\n# c\n\\!x\n',
];
const pieces = [
  ...[
    '\\',
    '`',
    '\n',
    '\r\n',
    '"',
    "'",
    '$',
    '${',
    '}',
    '${A:-',
    '<<',
    '<<-E',
    '--',
    '=',
    ',',
    '[',
    ']',
    '["',
    '{',
    ' ',
    '\t',
  ],
  ...[
    '#',
    '\0',
    '\uFEFF',
    'é',
    '\uD800',
    '😀',
    '**',
    '!',
    '/',
    ':',
    '@',
    '__proto__',
    'constructor',
    '--mount=',
    '--from=',
  ],
  ...['FROM ', 'RUN ', 'ONBUILD ', 'COPY ', 'AS b', '# escape=`\n', '99999999999999999999', '-1', '../..'],
];

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return ((state >>> 8) % below) | 0;
  };
}

function mutate(text: string, next: (below: number) => number): string {
  let result = text;
  for (let times = 1 + next(4); times > 0; times--) {
    const at = next(result.length + 1);
    const kind = next(4);
    if (kind === 0) result = result.slice(0, at) + result.slice(at + 1 + next(8));
    else if (kind === 1) result = result.slice(0, at) + pieces[next(pieces.length)] + result.slice(at);
    else if (kind === 2) result = result.slice(0, at) + result.slice(next(result.length + 1));
    else result = result.slice(0, at) + pieces[next(pieces.length)]!.repeat(1 + next(3)) + result.slice(at + 1);
    if (result.length > 2000) result = result.slice(0, 2000);
  }
  return result;
}

describe('mutated Dockerfiles', () => {
  it('give a tree or errors with a place inside the file, never anything else', { timeout: 60_000 }, async () => {
    const seed = Number(process.env.STACK_FUZZ_SEED ?? Date.now() % 1e9);
    const next = random(seed);
    const runs = Number(process.env.STACK_FUZZ_RUNS ?? 100_000);
    for (let run = 0; run < runs; run++) {
      let text = seeds[next(seeds.length)]!;
      if (next(3) === 0) text += seeds[next(seeds.length)];
      text = mutate(text, next);
      const note = `seed ${seed}, run ${run}: ${JSON.stringify(text)}`;
      try {
        if (run % 25 === 0) {
          createIgnoreMatcher(readIgnoreFile(text)).ignores('a/b/c.md');
          const result = await graphOf(text, { everyStage: true });
          if (!result.ok) for (const error of result.errors) expectPlaced(error, text);
          else for (const { inputs } of Object.values(result.value.vertices)) expect(inputs).not.toContain(undefined);
        } else {
          const result = parseDockerfile(text, 'Dockerfile');
          if (!result.ok) for (const error of result.errors) expectPlaced(error, text);
        }
      } catch (thrown) {
        throw new Error(note, { cause: thrown });
      }
    }
  });

  function expectPlaced(error: unknown, text: string): void {
    if (!(error instanceof StackError) || !error.where) throw new Error('no place', { cause: error });
    const { line, column } = error.where;
    const lines = text.split('\n').length;
    if (line < 1 || line > lines || column < 1 || error.message === '') throw new Error(`line ${line} of ${lines}`);
  }
});

describe('large Dockerfiles', () => {
  it.each([
    ['one long line', (size: number) => `FROM a\nRUN ${'x '.repeat(size / 2)}\n`],
    ['continued lines', (size: number) => `FROM a\nRUN a ${'\\\n b'.repeat(size / 4)}\n`],
    ['words', (size: number) => `FROM a\nENV ${'a=b '.repeat(size / 4)}\n`],
    ['a heredoc', (size: number) => `FROM a\nRUN <<E\n${'x\n'.repeat(size / 2)}E\n`],
    ['comments', (size: number) => `${'# x\n'.repeat(size / 4)}FROM a\n`],
    ['open braces', (size: number) => `FROM a\nUSER ${'${A:-'.repeat(size / 5)}\n`],
    ['heredoc marks', (size: number) => `FROM a\nRUN ${'<<E '.repeat(size / 4)}\n`],
    ['quotes', (size: number) => `FROM a\nCOPY ${'"'.repeat(size)} b\n`],
  ])('cost no more than their length: %s', async (_, make) => {
    const cost = async (size: number) => {
      const text = make(size);
      const started = performance.now();
      await graphOf(text);
      return performance.now() - started;
    };
    await cost(20_000);
    const small = Math.max(5, await cost(50_000));
    // Eight times the text; twice that leaves room for a busy machine, a square would be 64.
    expect(await cost(400_000)).toBeLessThan(small * 8 * 4);
  });

  it('are refused beyond what is sensible', async () => {
    const refused = async (text: string) => {
      const result = await graphOf(text);
      return result.ok ? '' : result.errors[0]!.message;
    };
    expect(await refused('#'.repeat(5 << 20))).toMatch(/larger than/);
    expect(await refused(`FROM a\n${'USER x\n'.repeat(6000)}`)).toMatch(/more than 5000 instructions/);
    expect(await refused(`FROM a\n${'EXPOSE 1-65535\n'.repeat(100)}`)).toMatch(/history of the image/);
    expect(await refused(`FROM a\nENV A=${'x'.repeat(900_000)}\n${'RUN x\n'.repeat(400)}`)).toMatch(
      /steps of the build/,
    );
    const doubling = Array.from({ length: 40 }, () => 'ENV A=$A$A\n').join('');
    expect(await refused(`FROM a\nENV A=x\n${doubling}`)).toMatch(/longer than|history/);
  });

  it('with many stages are walked once', async () => {
    const stages = Array.from({ length: 2000 }, (_, index) => `FROM s${index} AS s${index + 1}\nRUN ${index}\n`);
    const started = performance.now();
    const result = await graphOf(stages.join(''));
    expect(result.ok && Object.keys(result.value.vertices)).toHaveLength(2001);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
