import { describe, expect, it } from 'vitest';
import { configOf, errorsOf, graphed, historyOf, ofKind } from './graph.fixture.ts';

const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

describe('configuration', () => {
  it.each<[string, object]>([
    ['ENV A=1 B=$A\nENV A=2 C="$A $B"', { Env: [path, 'A=2', 'B=', 'C=1 '] }],
    ['ENV A 1 2', { Env: [path, 'A=1 2'] }],
    ['ENV PATH=/x:$PATH', { Env: [`PATH=/x:${path.slice(5)}`] }],
    ['ARG K=k\nLABEL a-$K="v $K"\nLABEL a-k=w', { Labels: { 'a-k': 'w' } }],
    ['CMD a b', { Cmd: ['/bin/sh', '-c', 'a b'] }],
    ['SHELL ["/bin/bash", "-c"]\nCMD a', { Cmd: ['/bin/bash', '-c', 'a'], Shell: ['/bin/bash', '-c'] }],
    ['CMD ["$A"]', { Cmd: ['$A'] }],
    ['CMD []', { Cmd: null }],
    ['CMD ["a"]\nENTRYPOINT ["b"]', { Cmd: ['a'], Entrypoint: ['b'] }],
    ['ENTRYPOINT []', { Entrypoint: null }],
    ['ARG P=80\nEXPOSE $P 53/UDP 1-2', { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '1/tcp': {}, '2/tcp': {} } }],
    ['EXPOSE 127.0.0.1:8080:80', { ExposedPorts: { '80/tcp': {} } }],
    ['ENV V=/v\nVOLUME $V ["x"]', { Volumes: { '/v': {}, '[x]': {} } }],
    ['ENV U=me\nUSER $U:g', { User: 'me:g' }],
    ['WORKDIR a\nWORKDIR ../b/./c', { WorkingDir: '/b/c' }],
    ['WORKDIR /a/\nWORKDIR $UNSET/x', { WorkingDir: '/x' }],
    ['WORKDIR /a//b/', { WorkingDir: '/a//b/' }],
    ['WORKDIR /a/\nWORKDIR b/', { WorkingDir: '/a/b' }],
    ['STOPSIGNAL SIGRTMIN+3', { StopSignal: 'SIGRTMIN+3' }],
    ['STOPSIGNAL 9', { StopSignal: '9' }],
    ['HEALTHCHECK NONE', { Healthcheck: { Test: ['NONE'] } }],
    [
      'HEALTHCHECK --retries=2 --timeout=1s CMD a b',
      { Healthcheck: { Test: ['CMD-SHELL', 'a b'], Timeout: 1e9, Retries: 2 } },
    ],
    ['HEALTHCHECK CMD ["a"]', { Healthcheck: { Test: ['CMD', 'a'] } }],
    ['ONBUILD RUN x\nONBUILD USER y', { OnBuild: ['RUN x', 'USER y'] }],
  ])('%s', async (text, expected) => {
    expect(await configOf(`FROM scratch\n${text}\n`)).toMatchObject(expected);
  });

  it("takes the base image's CMD away with ENTRYPOINT, its own not", async () => {
    const asked = { images: { 'docker.io/library/a:latest': { Cmd: ['x'] } } };
    expect((await configOf('FROM a\nENTRYPOINT ["y"]\n', asked)).Cmd).toBeNull();
    expect((await configOf('FROM a\nCMD ["z"]\nENTRYPOINT ["y"]\n', asked)).Cmd).toEqual(['z']);
  });

  it('takes the labels asked for', async () => {
    expect(await configOf('FROM a\nLABEL a=1\n', { settings: { labels: { a: '2', b: '3' } } })).toMatchObject({
      Labels: { a: '2', b: '3' },
    });
  });

  it('names that every object answers to are names like others', async () => {
    const { Labels } = await configOf('FROM a\nLABEL __proto__=1 constructor=2\n');
    expect(Object.entries(Labels!)).toEqual(Object.entries(JSON.parse('{"__proto__":"1","constructor":"2"}')));
    expect(await errorsOf('FROM a\nENV A=$constructor$__proto__\nUSER a$A\n')).toEqual([]);
  });

  it.each([
    ['STOPSIGNAL NO', '2: STOPSIGNAL NO is no signal.'],
    ['EXPOSE 70000', '2: EXPOSE 70000: no port.'],
    ['EXPOSE 1/icmp', '2: EXPOSE 1/icmp: no port.'],
    ['VOLUME $X', '2: A path of VOLUME is empty after expansion.'],
    ['ENV A=${', '2: } is missing.'],
  ])('%s is refused', async (text, expected) => {
    expect(await errorsOf(`FROM scratch\n${text}\n`)).toEqual([expected]);
  });
});

describe('history', () => {
  it.each([
    ['ENV A=1 B="x y"', 'ENV A=1 B=x y'],
    ['LABEL a="b c"', 'LABEL a=b c'],
    ['ARG A=1 B', 'ARG A=1 B'],
    ['RUN a  b', 'RUN /bin/sh -c a  b # buildkit'],
    ['RUN ["a", "b"]', 'RUN a b # buildkit'],
    ['COPY --from=x --link a b /c/', 'COPY a b /c/ # buildkit'],
    ['COPY --chown=1 --chmod=644 --parents a ./', 'COPY --parents --chown=1 --chmod=644 a ./ # buildkit'],
    ['COPY <<F /x\na\nF', 'COPY <<F /x # buildkit'],
    ['ADD https://h/f /', 'ADD https://h/f / # buildkit'],
    ['WORKDIR a', 'WORKDIR /a'],
    ['WORKDIR /', 'WORKDIR /'],
    ['USER u', 'USER u'],
    ['EXPOSE 80 2-3/udp', 'EXPOSE [2/udp 3/udp 80/tcp]'],
    ['VOLUME /a /b', 'VOLUME [/a /b]'],
    ['CMD ["a", "\\"b"]', 'CMD ["a" "\\"b"]'],
    ['ENTRYPOINT a', 'ENTRYPOINT ["/bin/sh" "-c" "a"]'],
    ['SHELL ["a", "b"]', 'SHELL [a b]'],
    ['STOPSIGNAL INT', 'STOPSIGNAL INT'],
    ['MAINTAINER me', 'MAINTAINER me'],
    [
      'HEALTHCHECK --interval=90s CMD a',
      'HEALTHCHECK {Test:[CMD-SHELL a] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}',
    ],
  ])('%s', async (text, expected) => {
    expect(await historyOf(`FROM scratch\n${text}\n`)).toEqual([expected]);
  });
});

describe('RUN', () => {
  const operation = async (text: string, asked = {}) => ofKind(await graphed(text, asked), 'run')[0]!.operation;

  it('expands nothing of its command', async () => {
    expect((await operation('FROM a\nENV A=1\nRUN echo $A "${B}"\n')).args).toEqual([
      '/bin/sh',
      '-c',
      'echo $A "${B}"',
    ]);
  });

  it('takes one heredoc as the script, with a shebang as a program', async () => {
    expect((await operation('FROM a\nRUN <<-E\n\ta\n\tb\nE\n')).args).toEqual(['/bin/sh', '-c', 'a\nb\n']);
    const { args, mounts } = await operation('FROM a\nRUN <<E\n#!/bin/x\nb\nE\n');
    expect(args).toEqual(['/bin/sh', '-c', '/dev/pipes/E']);
    const program = { type: 'inline', target: '/dev/pipes/', name: 'E', content: '#!/bin/x\nb\n', mode: 0o755 };
    expect(mounts).toEqual([program]);
  });

  it('hands heredocs in a command to the shell', async () => {
    const { args } = await operation('FROM a\nRUN cat <<A <<B > /x\na\nA\nb\nB\n');
    expect(args[2]).toBe('cat <<A <<B > /x\na\nA\nb\nB');
  });

  it('needs the rights it asks for, from the stack file', async () => {
    const text = 'FROM a\nRUN --network=host --security=insecure x\n';
    expect(await errorsOf(text)).toEqual([
      '2: This step needs network.host, which the build was not granted.',
      '2: This step needs security.insecure, which the build was not granted.',
    ]);
    const entitlements = ['network.host', 'security.insecure'];
    const graph = await graphed(text, { settings: { entitlements } });
    expect(graph.entitlements).toEqual(entitlements);
    expect(await operation(text, { settings: { entitlements } })).toMatchObject({
      network: 'host',
      security: 'insecure',
    });
    expect(await operation('FROM a\nRUN x\n', { settings: { privileged: true, network: 'none' } })).toMatchObject({
      ...{ security: 'insecure', network: 'none' },
    });
  });

  it("is named with its variables, a secret's hidden", async () => {
    const text = 'FROM a AS b\nENV A=1 T=old\nRUN --mount=type=secret,id=t,env=T x $A ${U} $T\n';
    expect(ofKind(await graphed(text), 'run')[0]!.name).toBe(
      '[b 2/2] RUN --mount=type=secret,id=t,env=T x 1 ${U} ****',
    );
  });

  it('is run again where no_cache says so', async () => {
    const text = 'FROM a AS x\nRUN 1\nFROM x AS y\nRUN 2\n';
    const flags = async (asked: object) =>
      ofKind(await graphed(text, { settings: asked }), 'run').map((v) => v.ignoreCache);
    expect(await flags({ noCacheFilter: ['Y'] })).toEqual([undefined, true]);
    expect(await flags({ noCache: true })).toEqual([true, true]);
  });
});

describe('WORKDIR', () => {
  it("makes the directory for the image's user", async () => {
    const graph = await graphed('FROM a\nUSER u\nWORKDIR /w\n');
    expect(ofKind(graph, 'mkdir')[0]!.operation).toEqual({ kind: 'mkdir', path: '/w', mode: 0o755, owner: 'u' });
  });
});
