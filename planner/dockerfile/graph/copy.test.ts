import { describe, expect, it } from 'vitest';
import { errorsOf, graphed, ofKind } from './graph.fixture.ts';

const copied = async (line: string, asked = {}) => {
  const graph = await graphed(`FROM a\nWORKDIR /w\nARG D=d\n${line}\n`, asked);
  const [copy] = ofKind(graph, 'copy');
  return { graph, copy: copy!, operation: copy!.operation };
};
const source = (path: string) => ({ type: 'input', input: 1, path });

describe('COPY and ADD', () => {
  it.each([
    ['COPY a b', '/w/b'],
    ['COPY a b/', '/w/b/'],
    ['COPY a .', '/w/'],
    ['COPY a ./', '/w/'],
    ['COPY a /', '/'],
    ['COPY a /x/../y/.', '/y/'],
    ['COPY a ../../..', '/'],
    ['COPY a $D/', '/w/d/'],
  ])('%s goes to %s', async (line, destination) => {
    expect((await copied(line)).operation.destination).toBe(destination);
  });

  it.each<[string, string[] | undefined]>([
    ['COPY a ./b/c/ /', ['a', 'b/c']],
    ['COPY . /', undefined],
    ['COPY a / /x/', undefined],
    ['COPY ../../etc /', ['etc']],
    ['COPY *.ts d/?/[ab] /', ['*.ts', 'd/?/[ab]']],
    ['COPY --parents a/**/x b/./c /', ['a', 'b/c']],
    ['COPY --parents **/x /', undefined],
  ])('%s needs %j of the context', async (line, paths) => {
    const [context] = ofKind((await copied(line)).graph, 'source.context');
    expect(context!.operation.paths).toEqual(paths);
  });

  it('keeps sources in order, unpacks with ADD only', async () => {
    const copy = (await copied('COPY a b/ /x/')).operation;
    expect(copy.sources).toMatchObject([source('/a'), source('/b')]);
    expect(copy.sources[0]).toMatchObject({ contentsOnly: true, wildcard: true, followSymlinks: true, unpack: false });
    expect((await copied('ADD a /x/')).operation.sources).toMatchObject([{ unpack: true }]);
    expect((await copied('ADD --unpack=false a /x/')).operation.sources).toMatchObject([{ unpack: false }]);
  });

  it('keeps parents from the pivot on', async () => {
    const of = async (written: string) => (await copied(`COPY --parents ${written} /x/`)).operation.sources[0];
    expect(await of('a/b')).toMatchObject({ path: '/', include: ['a/b'], required: ['/a/b'] });
    expect(await of('a/./b/c')).toMatchObject({ path: '/a', include: ['b/c'], required: ['/a/b/c'] });
    expect(await of('a/*/c')).not.toHaveProperty('required');
  });

  it('takes owner, mode and exclusions, with variables where docker has them', async () => {
    const { operation } = await copied('COPY --chown=$D:1 --chmod=u=rwX,go=rX --exclude=$D a /');
    expect(operation).toMatchObject({ chown: 'd:1', chmod: 'u=rwX,go=rX', exclude: ['$D'] });
  });

  it('expands heredocs whose delimiter is not quoted, quotes left alone', async () => {
    const { operation } = await copied('COPY <<A <<"B" /x/\n"$D"\nA\n$D\nB');
    expect(operation.sources).toEqual([
      { type: 'inline', name: 'A', content: '"d"\n' },
      { type: 'inline', name: 'B', content: '$D\n' },
    ]);
  });

  it('lays a link over what is there', async () => {
    const { graph, copy } = await copied('COPY --link a /x');
    const [merge] = ofKind(graph, 'merge');
    expect(merge!.inputs[1]).toBe(copy.id);
    expect(graph.vertices[copy.inputs[0]!]!.operation.kind).toBe('scratch');
    expect(graph.results[0]!.vertex).toBe(merge!.id);
    expect(ofKind((await copied('COPY --link --chmod=644 a /x')).graph, 'merge')).toEqual([]);
  });

  it('fetches with ADD', async () => {
    const { graph, operation } = await copied('ADD https://h/d/f%20g.tar?x=1 https://h/ git@h:r.git#v1:sub /x/');
    expect(ofKind(graph, 'source.http').map((vertex) => vertex.operation.filename)).toEqual(['f g.tar', '__unnamed__']);
    const git = { kind: 'source.git', remote: 'git@h:r.git', ref: 'v1', subdirectory: 'sub', submodules: true };
    expect(ofKind(graph, 'source.git')[0]!.operation).toEqual({ ...git, keepGitDirectory: false });
    expect(operation.sources).toMatchObject([
      { input: 1, path: '/f g.tar', unpack: false },
      { input: 2 },
      { input: 3 },
    ]);
  });

  it('passes checksums on', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const { graph } = await copied(`ADD --checksum=${digest} https://h/f /x`);
    expect(ofKind(graph, 'source.http')[0]!.operation.checksum).toBe(digest);
    const git = await copied('ADD --keep-git-dir --checksum=0123456789 https://h/r.git?branch=b /x');
    expect(ofKind(git.graph, 'source.git')[0]!.operation).toMatchObject({
      ...{ checksum: '0123456789', keepGitDirectory: true, ref: 'refs/heads/b' },
    });
  });

  it.each([
    ['COPY https://h/f /', 'COPY cannot fetch https://h/f.'],
    ['COPY --chmod=8 a /', 'COPY --chmod=8 is no mode.'],
    ['COPY --chmod=u+q a /', 'COPY --chmod=u+q is no mode.'],
    ['COPY --exclude=[ a /', 'COPY --exclude=[ is no pattern.'],
    ['COPY --from=$D a /', '--from takes no variables.'],
    ['ADD --checksum=x a /', 'ADD --checksum: a is neither an http nor a git address.'],
    ['ADD --checksum=x https://h/f /', 'ADD --checksum: "x" is no checksum of it.'],
    ['ADD https://h/r.git?x=1 /', 'https://h/r.git?x=1: x is no option of a git address.'],
  ])('%s is refused', async (line, message) => {
    expect(await errorsOf(`FROM a\n${line}\n`)).toEqual([`2: ${message}`]);
  });
});

describe('contexts', () => {
  const contexts = (written: string) => ({ settings: { contexts: { ctx: written } } });

  it('by name are directories, of which only what is needed', async () => {
    const asked = { ...contexts('/other'), world: { ignoreOf: async () => ['*.md'] } };
    const { graph } = await copied('COPY --from=ctx a b /x/', asked);
    const operation = { kind: 'source.context', name: 'ctx', location: '/other', ignore: ['*.md'], paths: ['a', 'b'] };
    expect(ofKind(graph, 'source.context').map((vertex) => vertex.operation)).toEqual([operation]);
  });

  it('stand for images and stages of their name', async () => {
    const asked = { settings: { contexts: { a: 'docker-image://b:2', tools: 'oci-layout:///layout' } } };
    const graph = await graphed('FROM x AS tools\nRUN never\nFROM a\nCOPY --from=tools / /t\n', asked);
    expect(ofKind(graph, 'source.image').map(({ operation }) => operation.reference)).toEqual([
      ...['docker.io/library/b:2', 'oci-layout:///layout'],
    ]);
    expect(ofKind(graph, 'run')).toEqual([]);
  });

  it('are repositories and archives', async () => {
    expect(
      ofKind((await copied('COPY --from=ctx / /x', contexts('https://h/r.git#b'))).graph, 'source.git'),
    ).toHaveLength(1);
    const { graph } = await copied('COPY --from=ctx / /x', contexts('https://h/a.tgz'));
    expect(ofKind(graph, 'source.http')[0]!.operation.filename).toBe('context');
  });

  it('are builds of other services, which come along', async () => {
    const other = await graphed('FROM b\nENV O=1\nRUN other\n');
    const asked = { ...contexts('service:other'), world: { resolveService: async () => other } };
    const graph = await graphed('FROM ctx\nRUN mine\n', asked);
    expect(ofKind(graph, 'run').map(({ operation }) => operation.args[2])).toEqual(['other', 'mine']);
    expect(graph.results[0]!.config.config!.Env).toContain('O=1');
    expect(graph.results[0]!.steps).toHaveLength(3);
    expect(graph.results[0]!.base).toBe(other.results[0]!.base);
  });

  it.each([
    ['s3://x', /nothing is known of s3/],
    ['service:x', /only the build of a stack knows services/],
  ])('%s is refused', async (written, message) => {
    expect((await errorsOf('FROM ctx\n', contexts(written)))[0]).toMatch(message);
  });

  it('can be a repository as a whole', async () => {
    const context = { kind: 'source.git', remote: 'r', keepGitDirectory: false, submodules: true } as const;
    expect(ofKind((await copied('COPY a /', { context })).graph, 'source.git')[0]!.operation).toEqual(context);
  });
});
