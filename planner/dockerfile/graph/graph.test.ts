import { describe, expect, it } from 'vitest';
import { amd64, configOf, errorsOf, graphed, graphOf, historyOf, ofKind } from './graph.fixture.ts';

const runs = async (text: string, asked = {}) =>
  ofKind(await graphed(text, asked), 'run').map(({ operation }) => operation);

describe('stages', () => {
  const three = 'FROM a AS one\nRUN 1\nFROM b AS two\nRUN 2\nFROM c AS three\nCOPY --from=one / /\nRUN 3\n';

  it('keeps and resolves only what the target needs', async () => {
    const resolved: string[] = [];
    const found = await runs(three, { resolved });
    expect(found.map(({ args }) => args[2])).toEqual(['1', '3']);
    expect(resolved.sort()).toEqual(['docker.io/library/a:latest', 'docker.io/library/c:latest']);
    expect((await runs(three, { settings: { target: 'TWO' } })).map(({ args }) => args[2])).toEqual(['2']);
    expect((await runs(three, { settings: { target: '0' } })).map(({ args }) => args[2])).toEqual(['1']);
  });

  it('builds on stages, by the last of their name before', async () => {
    const graph = await graphed('FROM a AS x\nENV V=1\nFROM x AS x\nENV V=2\nFROM X\nRUN y\n');
    expect(ofKind(graph, 'run')[0]!.operation.env).toContain('V=2');
    expect(ofKind(graph, 'source.image')).toHaveLength(1);
  });

  it('copies from a stage by number, from an image, from a mount of either', async () => {
    const graph = await graphed(
      'FROM a\nRUN 1\nFROM scratch\nCOPY --from=0 /x /\nCOPY --from=b:2 /y /\nRUN --mount=from=c,target=/c 2\n',
    );
    expect(ofKind(graph, 'source.image').map(({ operation }) => operation.reference)).toEqual(
      ['a:latest', 'b:2', 'c:latest'].map((name) => `docker.io/library/${name}`),
    );
  });

  it.each<[string, object, string[]]>([
    [
      'FROM a AS one\nFROM on',
      { images: { 'docker.io/library/a:latest': {} } },
      ['2: Image docker.io/library/on:latest does not exist.'],
    ],
    ['FROM a AS build\n', { settings: { target: 'biuld' } }, ['1: There is no stage biuld to build.']],
    ['FROM a\nCOPY --from=1 x /', {}, ['2: --from=1: there is no such stage before this one.']],
    [
      'FROM a AS x\nCOPY --from=later x /\nFROM b AS later',
      { settings: { target: 'x' } },
      ['2: --from=later: that stage comes later.'],
    ],
    [
      'FROM a AS x\nCOPY --from=y a b\nFROM b AS y\nRUN --mount=from=z,target=/z q\nFROM x AS z\n',
      {},
      ['1: Stages wait for each other: x → y → z → x.'],
    ],
    ['FROM a AS x\nCOPY --from=x a b\n', {}, ['1: Stages wait for each other: x → x.']],
    ['FROM a:$V', {}, ['1: Image reference "a:" is not valid: "" is not a tag.']],
    ['ARG V\nFROM $V', {}, ['2: FROM $V is empty after expansion.']],
    ['FROM --platform=a/b/c/d x', {}, ['1: FROM --platform=a/b/c/d is no platform.']],
    ['ARG A=${B?none}\nFROM x', {}, ['1: ARG A: B: none.']],
  ])('%j', async (text, asked, expected) => {
    expect(await errorsOf(text, asked)).toEqual(expected);
  });

  it('suggests the stage that was meant', async () => {
    const result = await graphOf('FROM a AS build\nFROM b\nCOPY --from=biuld x /', {
      images: { 'docker.io/library/b:latest': {} },
    });
    expect(result.ok ? '' : result.errors.find(({ where }) => where?.line === 3)?.hint).toBe(
      'Did you mean the stage build?',
    );
  });

  it('tells the errors of all instructions and stages it looks at', async () => {
    const text = 'FROM a AS x\nSTOPSIGNAL no\nEXPOSE x\nFROM b\nCOPY --from=x a b\nUSER ${U?none}\n';
    expect(await errorsOf(text)).toEqual(['2: STOPSIGNAL no is no signal.', '3: EXPOSE x: no port.', '6: U: none.']);
  });
});

describe('arguments', () => {
  it('go to FROM from before it, and into a stage only where declared', async () => {
    const text = 'ARG V=1 W=$V-x\nFROM a:$V\nRUN 1\nARG V\nARG W\nRUN 2\n';
    const [first, second] = await runs(text, { settings: { args: { V: '7' } } });
    expect(first!.env.filter((entry) => /^[VW]=/.test(entry))).toEqual([]);
    expect(second!.env.filter((entry) => /^[VW]=/.test(entry))).toEqual(['V=7', 'W=7-x']);
  });

  it('have the value handed in, then the default; ENV written later wins', async () => {
    const [run] = await runs('FROM a\nARG A=1\nARG B=2\nENV A=env\nARG C\nRUN x\n', {
      settings: { args: { B: 'given' } },
    });
    expect(run!.env.slice(1)).toEqual(['B=given', 'A=env']);
  });

  it('stay in scope in a stage that builds on this one', async () => {
    const [run] = await runs('FROM a AS x\nARG A=1\nFROM x\nRUN y\n');
    expect(run!.env).toContain('A=1');
  });

  it('of the platform are there for FROM and, declared, for a stage', async () => {
    const text =
      'FROM --platform=$BUILDPLATFORM a AS x\nARG TARGETPLATFORM TARGETVARIANT TARGETSTAGE BUILDARCH\nRUN y\n';
    const arm = { os: 'linux', architecture: 'arm', variant: 'v7' };
    const graph = await graphed(text, { settings: { platforms: [arm], target: 'x' } });
    expect(ofKind(graph, 'run')[0]!.operation.env.slice(1)).toEqual([
      ...['TARGETPLATFORM=linux/arm/v7', 'TARGETVARIANT=v7', 'TARGETSTAGE=x', 'BUILDARCH=amd64'],
    ]);
    expect(ofKind(graph, 'source.image')[0]!.operation.platform).toEqual(amd64);
    expect(graph.results[0]!.config).toMatchObject(arm);
  });

  it('for proxies go to RUN beside its definition', async () => {
    const one = await graphed('FROM a\nRUN x\n', { settings: { args: { http_proxy: 'p' } } });
    const two = await graphed('FROM a\nRUN x\n');
    expect(ofKind(one, 'run')[0]!.proxy).toEqual({ HTTP_PROXY: 'p', http_proxy: 'p' });
    expect(ofKind(one, 'run')[0]!.id).toBe(ofKind(two, 'run')[0]!.id);
  });

  it('that nothing declares are noted', async () => {
    const { warnings } = await graphOf('FROM a\nARG A\n', { settings: { args: { A: '1', B: '2', BUILDKIT_X: '' } } });
    expect(warnings.map(({ message }) => message)).toEqual(['The build argument B is given, but no ARG declares it.']);
  });

  it('SOURCE_DATE_EPOCH is a time, and nothing else', async () => {
    const asked = (value: string) => ({ settings: { args: { SOURCE_DATE_EPOCH: value } } });
    expect((await graphed('FROM a', asked('100'))).results[0]!.epoch).toBe(100);
    expect((await errorsOf('FROM a', asked('x'))).join()).toMatch(/no number of seconds/);
  });
});

describe('identity', () => {
  const ids = async (text: string, asked = {}) => ofKind(await graphed(text, asked), 'run').map(({ id }) => id);

  it('does not depend on names, places and stages', async () => {
    const [one] = await ids('FROM a\nRUN x\n');
    const [two] = await ids('# about\nFROM a AS named\nLABEL a=b\n\nRUN    x\n');
    expect(two).toBe(one);
  });

  it('is shared by stages that do the same', async () => {
    expect(
      await ids('FROM a AS x\nRUN 1\nFROM a AS y\nRUN 1\nFROM a\nCOPY --from=x / /\nCOPY --from=y / /\n'),
    ).toHaveLength(1);
  });

  it.each<[string, string, object]>([
    ['command', 'FROM a\nRUN y\n', {}],
    ['ENV', 'FROM a\nENV A=1\nRUN x\n', {}],
    ['ARG', 'FROM a\nARG A=1\nRUN x\n', {}],
    ['USER', 'FROM a\nUSER 1\nRUN x\n', {}],
    ['WORKDIR', 'FROM a\nWORKDIR /w\nRUN x\n', {}],
    ['SHELL', 'FROM a\nSHELL ["b"]\nRUN x\n', {}],
    ['mount', 'FROM a\nRUN --mount=type=tmpfs,target=/t x\n', {}],
    ['network', 'FROM a\nRUN --network=none x\n', {}],
    ['base', 'FROM b\nRUN x\n', {}],
    ['hosts', 'FROM a\nRUN x\n', { settings: { hosts: ['h=1.2.3.4'] } }],
    ['shm', 'FROM a\nRUN x\n', { settings: { shmSize: 1 } }],
    ['ulimits', 'FROM a\nRUN x\n', { settings: { ulimits: { nofile: { soft: 1, hard: 2 } } } }],
    ['platform', 'FROM a\nRUN x\n', { settings: { platforms: [{ os: 'linux', architecture: 'arm64' }] } }],
  ])('changes with %s', async (_, text, asked) => {
    const [one] = await ids('FROM a\nRUN x\n');
    expect((await ids(text, asked))[0]).not.toBe(one);
  });

  it('puts inputs before what reads them', async () => {
    const { vertices } = await graphed(
      'FROM a AS x\nRUN 1\nFROM b\nCOPY --from=x --link / /\nADD https://h/f /\nWORKDIR /w\n',
    );
    const seen = new Set<string>();
    for (const [id, { inputs }] of Object.entries(vertices)) {
      for (const input of inputs) expect(seen.has(input)).toBe(true);
      seen.add(id);
    }
  });
});

describe('base images', () => {
  it('hand on their configuration and their triggers', async () => {
    const image = {
      Env: ['A=1'],
      Cmd: ['c'],
      User: 'u',
      WorkingDir: '/w',
      OnBuild: ['RUN t', 'COPY --from=tools x /'],
    };
    const asked = { images: { 'docker.io/library/a:latest': image, 'docker.io/library/tools:latest': {} } };
    const graph = await graphed('FROM a\nRUN y\n', asked);
    expect(ofKind(graph, 'run').map(({ operation }) => [operation.args[2], operation.user, operation.cwd])).toEqual([
      ...[
        ['t', 'u', '/w'],
        ['y', 'u', '/w'],
      ],
    ]);
    const config = graph.results[0]!.config.config!;
    expect(config).toMatchObject({ Env: ['A=1', expect.stringMatching(/^PATH=/)], Cmd: ['c'] });
    expect(config.OnBuild ?? null).toBeNull();
    expect(ofKind(graph, 'run')[0]!.name).toBe('[2/4] ONBUILD RUN t');
  });

  it('with a broken trigger are refused at FROM', async () => {
    const asked = { images: { 'docker.io/library/a:latest': { OnBuild: ['FROM x'] } } };
    expect(await errorsOf('FROM a\n', asked)).toEqual([
      '1: A trigger of the base image is not valid: FROM is no trigger.',
    ]);
  });

  it("a stage's triggers run in the stage on it, and stand in its own image", async () => {
    expect((await runs('FROM a AS x\nONBUILD RUN t\nFROM x\nRUN y\n')).map(({ args }) => args[2])).toEqual(['t', 'y']);
    expect((await configOf('FROM a\nONBUILD RUN t\n')).OnBuild).toEqual(['RUN t']);
  });

  it('begin the layers; history follows', async () => {
    const graph = await graphed('FROM a\nRUN x\nENV A=b\n');
    const [result] = graph.results;
    expect(graph.vertices[result!.base!]!.operation.kind).toBe('source.image');
    expect(result!.steps.map(({ vertex }) => vertex !== undefined)).toEqual([true, false]);
    expect(await historyOf('FROM a\nARG A=1\nRUN x\n')).toEqual(['ARG A=1', 'RUN |1 A=1 /bin/sh -c x # buildkit']);
  });
});

it('steps of several platforms say which they are for', async () => {
  const text = 'FROM --platform=$BUILDPLATFORM a AS made\nARG TARGETARCH\nRUN x\nFROM a\nCOPY --from=made /x /\n';
  const platforms = [amd64, { os: 'linux', architecture: 'arm64' }];
  const graph = await graphed(text, { settings: { platforms } });
  const names = [...ofKind(graph, 'run'), ...ofKind(graph, 'copy')].map(({ name }) => name.replace(/\].*/, ']'));
  expect(names).toEqual([
    '[linux/amd64 made 2/2]',
    '[linux/amd64->arm64 made 2/2]',
    '[linux/amd64 stage-1 2/2]',
    '[linux/arm64 stage-1 2/2]',
  ]);
});

describe('a stage that comes later', () => {
  const hintsOf = async (text: string) => {
    const result = await graphOf(text, { images: { 'docker.io/library/x:latest': {} } });
    return result.ok ? [] : result.errors.map(({ hint }) => hint);
  };

  it('is told with the circle it closes, and where its stages are', async () => {
    const [hint] = await hintsOf('FROM b AS a\nRUN 1\nFROM c AS b\nFROM a AS c\n');
    expect(hint).toBe(
      'Stages build on each other in a circle: a (Dockerfile:1) → b (Dockerfile:3) → c (Dockerfile:4) → a (Dockerfile:1). ' +
        'Break it: one of them must build on an image.',
    );
  });

  it('is told where it is, without a circle', async () => {
    const [hint] = await hintsOf('FROM b AS a\nFROM x AS b\nFROM a\n');
    expect(hint).toMatch(/^The stage b \(Dockerfile:2\) comes later/);
  });

  it('may be called as its image is', async () => {
    expect(await hintsOf('FROM x AS x\nFROM x\n')).toEqual([]);
  });
});
