/** Lifecycle hooks: init containers before the first start, commands after the start and before the stop. */
import { expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { expectError, idle, list, scenario } from './harness/scenario.ts';

const world = scenario();
const file = (stack: string, name: string) => `${world.host.root}/volumes/${stack}_data/_data/${name}`;
const read = async (stack: string, name: string) => (await world.host.sh(`cat ${file(stack, name)}`)).stdout;
const sh = (script: string) => ['sh', '-c', script.replaceAll('$', '$$$$')];

test('a job migrates once before two replicas start, hooks follow each start and precede each stop', async () => {
  const web = (more: object = {}) => ({
    services: {
      db: { ...idle },
      web: {
        ...idle,
        scale: 2,
        init: false,
        depends_on: ['db'],
        environment: { A: 'service', B: 'service' },
        volumes: ['data:/data', '/anonymous'],
        user: '1000',
        pre_start: [
          { command: sh('chmod 777 /data; echo one >> /data/order; id -u >> /data/order'), user: 'root' },
          {
            image: 'busybox:1',
            command: sh('ping -c 1 -W 2 db > /dev/null && echo "two $A $B $(pwd)" >> /data/order; touch /anonymous/x'),
            environment: ['B=hook'],
            working_dir: '/tmp',
          },
          { command: sh('echo each >> /data/each'), per_replica: true, user: 'root' },
        ],
        post_start: [
          { command: sh('id -u > /data/user; echo started >> /data/post') },
          {
            command: sh('echo "$(pwd) $(id -u) $C" > /data/root'),
            user: 'root',
            working_dir: '/tmp',
            environment: { C: 'c' },
          },
        ],
        pre_stop: [{ command: sh('echo stopping >> /data/stop') }],
        ...more,
      },
    },
    volumes: { data: {} },
  });
  const stack = world.project('hooks', web());
  await stack.ok(['up', '-d']);
  expect(await read('hooks', 'order')).toBe('one\n0\ntwo service hook /tmp\n');
  expect((await read('hooks', 'each')).split('\n').filter(Boolean)).toHaveLength(2);
  expect((await read('hooks', 'post')).split('\n').filter(Boolean)).toHaveLength(2);
  expect(await read('hooks', 'user')).toBe('1000\n');
  expect(await read('hooks', 'root')).toBe('/tmp 0 c\n');
  expect((await list(stack)).map(({ Name }) => Name)).toEqual(['hooks-db-1', 'hooks-web-1', 'hooks-web-2']);
  // Started again it has been through the steps; after each start the others follow.
  await stack.ok(['restart', '-t', '0', 'web']);
  expect(await read('hooks', 'order')).toBe('one\n0\ntwo service hook /tmp\n');
  expect((await read('hooks', 'stop')).split('\n').filter(Boolean)).toHaveLength(2);
  expect((await read('hooks', 'post')).split('\n').filter(Boolean)).toHaveLength(4);
  // Made anew it goes through them again.
  stack.define(web({ environment: { A: 'changed', B: 'service' } }));
  await stack.ok(['up', '-d', '-t', '0']);
  expect(await read('hooks', 'order')).toBe('one\n0\ntwo service hook /tmp\none\n0\ntwo changed hook /tmp\n');
});

test('a step that fails keeps the service from starting, and is told with its words', async () => {
  const stack = world.project('broken', {
    services: {
      web: { ...idle, pre_start: [{ command: ['true'] }, { command: sh('echo no such table >&2; exit 4') }] },
      after: { ...idle, depends_on: ['web'] },
    },
  });
  expectError(await stack.stack(['up', '-d']), 1, /step 2 of pre_start.* exited with 4/, /no such table/);
  expect((await list(stack)).filter(({ State }) => State === 'running')).toEqual([]);
  stack.define({ services: { web: { ...idle, pre_start: [{ command: ['true'] }] } } });
  await stack.ok(['up', '-d', '--remove-orphans']);
});

test('post_start that fails fails up, pre_stop that fails is a warning and the container stops', async () => {
  const stack = world.project('failing', {
    services: { web: { ...idle, post_start: [{ command: sh('echo reason >&2; exit 7') }] } },
  });
  expectError(await stack.stack(['up', '-d']), 1, /post_start hook .* exited with 7: reason/);
  stack.define({ services: { web: { ...idle, pre_stop: [{ command: sh('echo stuck; exit 9') }] } } });
  await stack.ok(['up', '-d']);
  const down = await stack.stack(['stop', '-t', '1']);
  expect([down.code, down.stderr]).toEqual([0, expect.stringMatching(/pre_stop hook .* exited with 9: stuck/)]);
  await until('it is down', async () => (await list(stack)).every(({ State }) => State === 'exited'));
});

test('Ctrl-C ends a hook that hangs, and an init container with it', async () => {
  const hanging = { command: sh('touch /data/begun; exec sleep 7654321') };
  for (const [name, kind] of [
    ['after', 'post_start'],
    ['before', 'pre_start'],
  ] as const) {
    const stack = world.project(name, {
      services: { web: { ...idle, volumes: ['data:/data'], [kind]: [hanging] } },
      volumes: { data: {} },
    });
    const up = stack.start(['up', '-d']);
    await until('it hangs', async () => (await world.host.sh(`test -e ${file(name, 'begun')}`)).code === 0);
    up.kill('SIGINT');
    expect((await up.exited).code).toBe(130);
    expect((await world.host.sh('ps ax -o args | grep -c "^sleep 765432[1]"')).stdout.trim()).toBe('0');
    expect((await list(stack)).filter(({ Name }) => Name.includes('pre_start'))).toEqual([]);
    await stack.ok(['down', '-v', '-t', '0']);
  }
});
