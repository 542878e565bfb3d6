import { describe, expect, it } from 'vitest';
import { errorsOf, graphed, ofKind } from './graph.fixture.ts';

const mountOf = async (options: string, asked = {}) => {
  const graph = await graphed(`FROM a\nWORKDIR /w\nARG I=i\nRUN --mount=${options} x\n`, asked);
  return ofKind(graph, 'run')[0]!.operation.mounts[0];
};
const owner = { uid: 0, gid: 0 };

describe('RUN --mount', () => {
  it.each<[string, object]>([
    ['target=/t', { type: 'bind', target: '/t', input: 1, source: '/', readonly: true }],
    ['type=bind,src=s/../d,dst=t,rw', { type: 'bind', target: '/w/t', input: 1, source: '/d', readonly: false }],
    ['type=bind,from=b,target=/t', { type: 'bind', target: '/t', input: 1, source: '/', readonly: true }],
    ['target=/t,readonly=false', { type: 'bind', readonly: false }],
    ['type=tmpfs,target=/t,size=1k', { type: 'tmpfs', target: '/t', size: 1024 }],
    ['type=tmpfs,target=/t', { type: 'tmpfs', target: '/t' }],
    [
      'type=cache,target=/c/',
      { type: 'cache', target: '/c', id: '/c', sharing: 'shared', source: '/', readonly: false, mode: 0o755, ...owner },
    ],
    [
      'type=cache,target=/c,id=$I,sharing=LOCKED,uid=1,gid=2,mode=0700,ro',
      {
        type: 'cache',
        target: '/c',
        id: 'i',
        sharing: 'locked',
        source: '/',
        readonly: true,
        mode: 0o700,
        uid: 1,
        gid: 2,
      },
    ],
    ['type=cache,target=/c,from=b,source=/s', { type: 'cache', input: 1, source: '/s' }],
    [
      'type=secret,id=a/b',
      { type: 'secret', id: 'a/b', target: '/run/secrets/b', required: false, mode: 0o400, ...owner },
    ],
    [
      'type=secret,id=s,target=/x,required,mode=0444',
      { type: 'secret', id: 's', target: '/x', required: true, mode: 0o444, ...owner },
    ],
    ['type=secret,target=/x/s', { type: 'secret', id: 's', target: '/x/s', required: false, mode: 0o400, ...owner }],
    ['type=secret,source=s,env=E', { type: 'secret', id: 's', env: 'E', required: false, mode: 0o400, ...owner }],
    ['type=ssh', { type: 'ssh', id: 'default', required: false, mode: 0o600, ...owner }],
    [
      'type=ssh,id=k,target=/s,required=true,uid=5',
      { type: 'ssh', id: 'k', target: '/s', required: true, uid: 5, gid: 0, mode: 0o600 },
    ],
  ])('%s', async (options, expected) => {
    expect(await mountOf(options)).toMatchObject(expected);
  });

  it.each([
    ['type=bnd,target=/t', 'type "bnd" is not known'],
    ['typ=bind', '"typ" is no option of a mount'],
    ['target', 'target needs a value'],
    ['target=/', 'the target must not be /'],
    ['target=/t,required', 'a bind mount takes no required'],
    ['target=/t,mode=1', 'a bind mount takes no mode'],
    ['type=cache,target=/t,size=1', 'a cache mount takes no size'],
    ['type=cache,target=/t,sharing=some', 'sharing "some" is not known'],
    ['type=cache,target=/t,mode=9', 'mode "9" is no number'],
    ['type=tmpfs,target=/t,size=x', 'size is no size'],
    ['type=secret', 'a secret mount needs an id'],
    ['type=secret,id=a,source=b', 'a secret mount takes id or source, not both'],
    ['type=secret,id=a,from=b', 'a secret mount takes no from'],
    ['type=ssh,source=a', 'an ssh mount takes no source'],
    ['target=/t,from=$I', 'from takes no variables'],
    ['target=/t,ro=maybe', 'readonly is true or false, not "maybe"'],
  ])('%s is refused', async (options, why) => {
    expect(await errorsOf(`FROM a\nRUN --mount=${options} x\n`)).toEqual([`2: RUN --mount=${options}: ${why}.`]);
  });

  it('needs no more of the context than its source', async () => {
    const graph = await graphed('FROM a\nRUN --mount=source=src,target=/s x\nRUN --mount=target=/s y\n');
    expect(ofKind(graph, 'source.context').map(({ operation }) => operation.paths)).toEqual([['src'], undefined]);
  });

  it('tells what secrets and agents the build needs, and misses required ones', async () => {
    const text = 'FROM a\nRUN --mount=type=secret,id=s --mount=type=secret,id=s,required --mount=type=ssh x\n';
    const graph = await graphed(text);
    expect([graph.secrets, graph.ssh]).toEqual([{ s: { required: true } }, { default: { required: false } }]);
    expect((await errorsOf(text, { settings: { secrets: ['t'] } })).join()).toMatch(
      /no secret s is handed to the build/,
    );
    expect(await errorsOf(text, { settings: { secrets: ['s'] } })).toEqual([]);
  });

  it('keeps caches of a name space apart', async () => {
    const asked = { settings: { args: { BUILDKIT_CACHE_MOUNT_NS: 'n' } } };
    expect(await mountOf('type=cache,target=/c', asked)).toMatchObject({ id: 'n//c' });
  });
});
