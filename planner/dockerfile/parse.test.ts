import { describe, expect, it } from 'vitest';
import type { Dockerfile, Instruction } from '../../schemas/dockerfile.ts';
import { parseDockerfile } from './parse.ts';

function tree(text: string): Dockerfile {
  const result = parseDockerfile(text, 'Dockerfile');
  if (!result.ok) throw result.errors[0];
  return result.value;
}

/** The instruction behind `FROM scratch`, without its text. */
function read(line: string): Record<string, unknown> {
  const [instruction] = tree(`FROM scratch\n${line}\n`).stages[0]!.instructions;
  const { source: _, keyword: __, ...rest } = instruction as Instruction & Record<string, unknown>;
  return rest;
}

/** `line:column message → hint` of each problem. */
function problems(text: string): string[] {
  const result = parseDockerfile(text, 'Dockerfile');
  if (result.ok) return [];
  return result.errors.map(({ where, message, hint }) => `${where!.line}:${where!.column} ${message} → ${hint ?? ''}`);
}

const shell = (text: string) => ({ form: 'shell', args: [text] });
const exec = (...args: string[]) => ({ form: 'exec', args });
const files = { heredocs: [], link: false, exclude: [] };

describe('instructions', () => {
  it.each<[string, object]>([
    ['ARG A', { kind: 'arg', args: [{ key: 'A' }] }],
    [
      'ARG A=1 B="x y" C=',
      {
        kind: 'arg',
        args: [
          { key: 'A', value: '1' },
          { key: 'B', value: '"x y"' },
          { key: 'C', value: '' },
        ],
      },
    ],
    [
      'ENV A=1 B=a\\ b',
      {
        kind: 'env',
        pairs: [
          { key: 'A', value: '1', legacy: false },
          { key: 'B', value: 'a\\ b', legacy: false },
        ],
      },
    ],
    ['ENV A some  text = x', { kind: 'env', pairs: [{ key: 'A', value: 'some  text = x', legacy: true }] }],
    ['LABEL a.b="c d"', { kind: 'label', pairs: [{ key: 'a.b', value: '"c d"', legacy: false }] }],
    ['LABEL "a b"=c', { kind: 'label', pairs: [{ key: '"a b"', value: 'c', legacy: false }] }],
    ['RUN echo  hi', { kind: 'run', command: shell('echo  hi'), mounts: [] }],
    ['RUN ["a", "b c"]', { kind: 'run', command: exec('a', 'b c'), mounts: [] }],
    [
      'run --network=none --security=insecure x',
      { kind: 'run', command: shell('x'), mounts: [], network: 'none', security: 'insecure' },
    ],
    [
      'RUN --mount=type=cache,target=/c --mount=type=secret,id=a,"target=/x,y" x',
      {
        kind: 'run',
        command: shell('x'),
        mounts: [
          { written: 'type=cache,target=/c', fields: ['type=cache', 'target=/c'] },
          { written: 'type=secret,id=a,target=/x,y', fields: ['type=secret', 'id=a', 'target=/x', 'y'] },
        ],
      },
    ],
    ['RUN --network=none -- --mount x', { kind: 'run', command: shell('--mount x'), mounts: [], network: 'none' }],
    ['COPY a b /c/', { kind: 'copy', sources: ['a', 'b'], destination: '/c/', parents: false, ...files }],
    ['COPY ["a b", "/c"]', { kind: 'copy', sources: ['a b'], destination: '/c', parents: false, ...files }],
    [
      'COPY --from=x --chown=1:2 --chmod=u=rw --link --parents --exclude=*.md --exclude=b a /',
      {
        ...{ kind: 'copy', sources: ['a'], destination: '/', parents: true, heredocs: [], link: true },
        ...{ exclude: ['*.md', 'b'], from: 'x', chown: '1:2', chmod: 'u=rw' },
      },
    ],
    [
      'ADD --keep-git-dir=true --checksum=sha256:1 --unpack=false --link=false x y',
      {
        ...{ kind: 'add', sources: ['x'], destination: 'y', ...files },
        ...{ keepGitDirectory: true, checksum: 'sha256:1', unpack: false },
      },
    ],
    ['CMD ["a"]', { kind: 'cmd', command: exec('a') }],
    ['CMD a "b"', { kind: 'cmd', command: shell('a "b"') }],
    ['CMD', { kind: 'cmd', command: { form: 'shell', args: [] } }],
    ['ENTRYPOINT []', { kind: 'entrypoint', command: exec() }],
    ['SHELL ["/bin/bash", "-c"]', { kind: 'shell', shell: ['/bin/bash', '-c'] }],
    ['EXPOSE 80 443/tcp', { kind: 'expose', ports: ['443/tcp', '80'] }],
    ['VOLUME /a /b', { kind: 'volume', paths: ['/a', '/b'] }],
    ['VOLUME ["/a b"]', { kind: 'volume', paths: ['/a b'] }],
    ['WORKDIR /a b', { kind: 'workdir', value: '/a b' }],
    ['USER 1:2', { kind: 'user', value: '1:2' }],
    ['STOPSIGNAL SIGINT', { kind: 'stopsignal', value: 'SIGINT' }],
    ['MAINTAINER me', { kind: 'maintainer', value: 'me' }],
    ['ONBUILD  run make', { kind: 'onbuild', trigger: 'run make' }],
    ['ONBUILD COPY <<A /\nx\nA', { kind: 'onbuild', trigger: 'COPY <<A /\nx\nA' }],
    [
      'HEALTHCHECK none',
      { kind: 'healthcheck', interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 },
    ],
    [
      'HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=1s --start-interval=2s --retries=3 CMD ["a"]',
      {
        ...{ kind: 'healthcheck', command: exec('a'), interval: 90e9, timeout: 5e8, startPeriod: 1e9 },
        ...{ startInterval: 2e9, retries: 3 },
      },
    ],
  ])('%s', (line, expected) => {
    expect(read(line)).toEqual(expected);
  });

  it('reads FROM', () => {
    const { source: _, ...from } = tree('from --platform=linux/arm64 debian:13 as Build.X\n').stages[0]!.from;
    expect(from).toEqual({
      ...{ kind: 'from', keyword: 'from', image: 'debian:13', platform: 'linux/arm64' },
      ...{ as: 'as', name: 'build.x', writtenName: 'Build.X' },
    });
  });

  it('sends what only looks like JSON to the shell and says why', () => {
    expect(read("CMD ['a']")).toMatchObject({
      command: { form: 'shell', args: ["['a']"], brokenJson: expect.any(String) },
    });
  });
});

describe('lines', () => {
  const run = (text: string) => {
    const { source, command } = tree(`FROM x\n${text}`).stages[0]!.instructions[0] as never as {
      source: { start: number; end: number; emptyLine?: number };
      command: { args: string[] };
    };
    return [command.args[0], source.start, source.end, source.emptyLine];
  };

  it.each([
    ['RUN a \\\n  b\n', ['a   b', 2, 3, undefined]],
    ['RUN a \\  \t\nb\n', ['a b', 2, 3, undefined]],
    ['RUN a\\\n\\\nb', ['ab', 2, 4, undefined]],
    ['RUN a \\\n# comment\n  # another\nb', ['a b', 2, 5, undefined]],
    ['RUN a \\\n\n\nb', ['a b', 2, 5, 3]],
    ['RUN a \\', ['a', 2, 2, undefined]],
    ['RUN a \\\\\nUSER x', ['a \\\\', 2, 2, undefined]],
    ['RUN a \\\r\n b\r\n', ['a  b', 2, 3, undefined]],
    ['\n  # c\n   RUN a # b\n', ['a # b', 4, 4, undefined]],
  ])('%j', (text, expected) => {
    expect(run(text)).toEqual(expected);
  });

  it('takes directives, the escape character with them, and a byte order mark', () => {
    const { directives, stages } = tree(
      '\uFEFF# Syntax = a/b:1\r\n#escape=`\r\n# check=skip=all\nFROM x\nRUN a `\n b \\\n',
    );
    expect(directives).toEqual({ syntax: 'a/b:1', escape: '`', check: 'skip=all' });
    expect(stages[0]!.instructions[0]).toMatchObject({ command: { args: ['a  b \\'] } });
  });

  it('ends directives at the first comment or blank line', () => {
    expect(tree('# about\n# escape=`\nFROM x\n').escape).toBe('\\');
    expect(tree('\n# escape=`\nFROM x\n').escape).toBe('\\');
  });

  it('keeps the comments right above', () => {
    const { comments } = tree('FROM x\n# a\n#\n# check=skip=X\n# b\nUSER y\n').stages[0]!.instructions[0]!.source;
    expect(comments).toEqual(['check=skip=X', 'b']);
  });
});

describe('heredocs', () => {
  const docs = (text: string) => tree(`FROM x\n${text}`).stages[0]!.instructions[0]!.source.heredocs;

  it('reads several, with tabs, quotes and no expansion', () => {
    expect(docs('COPY <<A <<-"B" /x/\n$X\nA\n\t\ty\n\tB\nUSER z\n')).toEqual([
      { name: 'A', expand: true, chomp: false, content: '$X\n' },
      { name: 'B', expand: false, chomp: true, content: '\t\ty\n' },
    ]);
  });

  it('takes a number and a space before the name', () => {
    expect(docs('RUN cat 3<< EOF\nx\nEOF\n')).toMatchObject([{ name: 'EOF', content: 'x\n' }]);
  });

  it('keeps comments, continuations and carriage returns of the content', () => {
    expect(docs('RUN <<E\r\n# x\\\r\n\r\nE\r\n')[0]!.content).toBe('# x\\\r\n\r\n');
  });

  it.each(['RUN ["a", "<<E"]', 'ENV A=<<E', 'RUN echo "<<E"', 'RUN echo $((1<<2))', 'CMD <<E', 'RUN cat <<<E'])(
    'sees none in %s',
    (line) => {
      expect(docs(`${line}\nUSER x\n`)).toEqual([]);
    },
  );

  it('hands the content to COPY without its tabs', () => {
    expect(read('COPY <<-E /x\n\t\ta\n\tE')).toMatchObject({ heredocs: [{ content: 'a\n' }], sources: [] });
  });
});

describe('problems', () => {
  it.each<[string, string[]]>([
    [
      '',
      [
        '1:1 The Dockerfile is empty. → The first instruction is FROM, which names the image to begin with: FROM debian:13.',
      ],
    ],
    ['# x\n', ['1:1 The Dockerfile has no FROM. → Begin with FROM and the image to build on, or FROM scratch.']],
    [
      'RUN x\nRUN y\nFROM z',
      ['1:1 RUN stands before the first FROM. → Only ARG and comments may stand before the first FROM.'],
    ],
    ['FORM x\nRUN y', ['1:1 Unknown instruction FORM. → Did you mean FROM?']],
    ['FROM x\nRUN a\n  && b', ['3:3 Unknown instruction &&. → Does the line above miss a \\ at its end?']],
    ['FROM x\nCOPPY a b', ['2:1 Unknown instruction COPPY. → Did you mean COPY?']],
    [
      'FROM x y',
      ['1:6 FROM takes an image and AS with a name, not "x y". → It reads FROM [--platform=…] image [AS name].'],
    ],
    ['FROM', ['1:1 FROM needs an image. → It reads FROM [--platform=…] image [AS name].']],
    [
      'FROM x AS 1a',
      [
        '1:11 "1a" is no name for a stage. → A name begins with a letter and has letters, digits, dots, dashes and underscores.',
      ],
    ],
    [
      'FROM x\nRUN --mont=a b',
      ['2:5 RUN has no flag --mont. → Did you mean --mount? RUN takes --mount, --network, --security.'],
    ],
    ['FROM x\nUSER --a b', ['2:6 USER has no flag --a. → USER takes no flags.']],
    ['FROM x\nCOPY --link=x a b', ['2:6 COPY --link takes true or false, not "x". → ']],
    ['FROM x\nCOPY --chown a b', ['2:6 COPY --chown needs a value. → Write --chown=value, without a space.']],
    ['FROM x\nCOPY --from=a --from=b c d', ['2:6 COPY --from is given twice. → ']],
    ['FROM x\nCOPY a', ['2:6 COPY needs a source and a destination. → It reads COPY source… destination.']],
    ['FROM x\nCOPY a <<E\nE', ['2:8 COPY takes no heredoc as its destination. → ']],
    ['FROM x\nRUN []', ['2:1 RUN [] has no program to run. → ']],
    ['FROM x\nRUN --network=hots y', ['2:15 RUN --network does not take "hots". → Did you mean host?']],
    [
      'FROM x\nRUN --device=a/b y',
      [
        '2:5 RUN --device: a build step gets no devices. → Take the flag out, and use the device when the container runs: `devices:` of the service.',
      ],
    ],
    ['FROM x\nCMD ["a", 1]', ['2:5 CMD in exec form takes strings only. → Put every item between double quotes.']],
    ['FROM x\nSHELL bash', ['2:7 SHELL takes a JSON array of strings. → It reads SHELL ["/bin/bash", "-c"].']],
    ['FROM x\nENV A', ['2:5 ENV A has no value. → It reads ENV NAME=value ….']],
    ['FROM x\nENV A=1 B', ['2:9 ENV: "B" has no "=". → It reads ENV NAME=value ….']],
    ['FROM x\nENV =1', ['2:5 ENV: "=1" has no name. → It reads ENV NAME=value ….']],
    ['FROM x\nARG =1', ['2:5 ARG: "=1" has no name. → ']],
    ['FROM x\nEXPOSE', ['2:1 EXPOSE needs a port. → It reads EXPOSE 80 443/tcp 53/udp.']],
    ['FROM x\nVOLUME [""]', ['2:1 VOLUME needs a path, and none may be empty. → ']],
    ['FROM x\nWORKDIR', ['2:1 WORKDIR needs a value. → ']],
    ['FROM x\nONBUILD FROM y', ['2:1 FROM is no trigger of ONBUILD. → ']],
    ['FROM x\nONBUILD RUN --x y', ['2:13 RUN has no flag --x. → RUN takes --mount, --network, --security.']],
    [
      'FROM x\nHEALTHCHECK a',
      ['2:13 HEALTHCHECK needs CMD or NONE. → It reads HEALTHCHECK [--interval=…] CMD command, or HEALTHCHECK NONE.'],
    ],
    [
      'FROM x\nHEALTHCHECK --interval=1d CMD x',
      ['2:24 HEALTHCHECK --interval: "1d" is no duration. → A duration reads 30s, 1m30s or 500ms, and is 1ms or more.'],
    ],
    ['FROM x\nHEALTHCHECK --retries=-1 CMD x', ['2:23 HEALTHCHECK --retries: "-1" is no count. → ']],
    [
      'FROM x\nRUN <<E\na',
      ['2:5 The heredoc E has no end. → Put E alone on the line behind the content, without spaces.'],
    ],
    ['# escape=x\nFROM x', ['1:1 The escape character "x" is neither \\ nor `. → ']],
    ['# escape=`\n# escape=`\nFROM x', ['2:1 The parser directive escape is given twice. → ']],
    [
      'FROM x\nCOPY \\\n  --form=y a \\\n  b',
      [
        '3:3 COPY has no flag --form. → Did you mean --from? COPY takes --from, --chown, --chmod, --link, --exclude, --parents.',
      ],
    ],
  ])('%j', (text, expected) => {
    expect(problems(text)).toEqual(expected);
  });

  it('tells all of a file at once, in order', () => {
    expect(problems('FROM x\nRUNN a\nCOPY b\nENV\n').map((line) => line.split(' ')[0])).toEqual(['2:1', '3:6', '4:1']);
  });
});
