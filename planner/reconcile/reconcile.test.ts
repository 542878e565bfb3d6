import { expect, test } from 'vitest';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { completed, demo, operations, started, text, three, up } from './demo.fixture.ts';
import { reconcile, reconcileOneOff } from './reconcile.ts';
import { applyPlan, emptySnapshot, statusOf } from './simulated.ts';

test('a first up makes everything', () => {
  expect(text(three, emptySnapshot('demo'))).toMatchInlineSnapshot(`
    "+ pull image redis:7                 because it is not in the store
    + pull image postgres:16             because it is not in the store
    + pull image busybox                 because it is not in the store
    + create network demo_default        because it does not exist yet
    + create volume demo_data            because it does not exist yet
    + create container demo-cache-1      because it does not exist yet
    + create container demo-db-1         because it does not exist yet
    + create container demo-web-1        because it does not exist yet
      wait for service db to be healthy  because web depends on it
    Plan: 3 to pull, 5 to create."
  `);
  expect(operations(three, emptySnapshot('demo'))).toMatchInlineSnapshot(`
    [
      "pull image redis:7",
      "pull image postgres:16",
      "pull image busybox",
      "create network demo_default",
      "create volume demo_data",
      "create container demo-cache-1 <- pull image redis:7, create network demo_default",
      "start container demo-cache-1 <- create container demo-cache-1",
      "create container demo-db-1 <- pull image postgres:16, create network demo_default, create volume demo_data",
      "start container demo-db-1 <- create container demo-db-1",
      "create container demo-web-1 <- pull image busybox, create network demo_default",
      "await service db healthy <- start container demo-db-1",
      "start container demo-web-1 <- create container demo-web-1, start container demo-cache-1, await service db healthy",
    ]
  `);
});

test('a second up is empty', () => {
  expect(text(three, up(three))).toBe('No changes.');
});

test('one changed field recreates one service and the cause names it', () => {
  const changed = structuredClone(three);
  changed.services.web!.environment = { MODE: 'b' };
  expect(text(changed, up(three))).toMatchInlineSnapshot(`
    "~ recreate container demo-web-1  because services.web.environment.MODE: "a" → "b"  (downtime, loses its writable layer)
    Plan: 1 to recreate."
  `);
  expect(operations(changed, up(three))).toMatchInlineSnapshot(`
    [
      "stop container demo-web-1",
      "create container demo-web-1 <- stop container demo-web-1",
      "start container demo-web-1 <- create container demo-web-1",
      "remove container demo-web-1 <- start container demo-web-1",
    ]
  `);
});

test('several changed fields: the first two and the number of the others', () => {
  const changed = structuredClone(three);
  Object.assign(changed.services.web!, { user: 'nobody', init: true, tty: true, command: ['sh', '-c', 'x'] });
  expect(text(changed, up(three))).toMatchInlineSnapshot(`
    "~ recreate container demo-web-1  because services.web.command: (none) → ["sh","-c","x"], services.web.init: (none) → true and 2 more  (downtime, loses its writable layer)
    Plan: 1 to recreate."
  `);
});

test('a secret-looking value is not shown', () => {
  const before = demo({ db: { environment: { POSTGRES_PASSWORD: 'old' } } });
  const after = demo({ db: { environment: { POSTGRES_PASSWORD: 'new' } } });
  expect(text(after, up(before))).toMatchInlineSnapshot(`
    "~ recreate container demo-db-1  because services.db.environment.POSTGRES_PASSWORD: (not shown) → (changed)  (downtime, loses its writable layer)
    Plan: 1 to recreate."
  `);
});

test('fields that change nothing inside a container are ignored', () => {
  const changed = structuredClone(three);
  Object.assign(changed.services.web!, {
    profiles: ['x'],
    pull_policy: 'missing',
    deploy: { replicas: 1 },
    'x-note': 1,
    build: { context: '.' },
    depends_on: {},
    ports: [],
    cap_add: undefined,
  });
  expect(text(changed, up(three))).toBe('No changes.');
});

test('a build that is asked for says what has changed since the last', () => {
  const built = demo({ db: { build: { context: '.' } } });
  const world = up(built);
  const image = built.services.db!.image!;
  const planned = (changed?: string[]) =>
    text(built, { ...world, builds: [changed ? { image, changed } : { image }] }, { build: true });
  expect(planned()).toMatch(/build image \S+ +because --build$/m);
  expect(planned([])).toMatch(/because --build, and nothing has changed since it was built$/m);
  expect(planned(['Dockerfile', 'ARG A'])).toMatch(/because --build, changed since it was built: Dockerfile, ARG A$/m);
  expect(planned(['a', 'b', 'c', 'd', 'e', 'f', 'g'])).toMatch(/: a, b, c, d, e and 2 more$/m);
});

test('a moved image recreates its containers', () => {
  const world = up(three);
  world.images.find(({ name }) => name === 'redis:7')!.id = `sha256:${'cd'.repeat(32)}`;
  world.containers.find(({ record }) => record.service === 'cache')!.record.image.id = `sha256:${'ab'.repeat(32)}`;
  expect(text(three, world)).toMatchInlineSnapshot(`
    "~ recreate container demo-cache-1  because image redis:7 moved sha256:abababababab… → sha256:cdcdcdcdcdcd…  (downtime, loses its writable layer)
    Plan: 1 to recreate."
  `);
});

test('a changed network is made anew with every container on it', () => {
  const changed = structuredClone(three);
  changed.networks.default!.internal = true;
  const world = up(three);
  expect(text(changed, world, { services: ['cache'] })).toMatchInlineSnapshot(`
    "~ recreate container demo-cache-1    because network demo_default is made anew (networks.default.internal: false → true)  (downtime, loses its writable layer)
    ~ recreate container demo-db-1       because network demo_default is made anew (networks.default.internal: false → true)  (downtime, loses its writable layer)
    ~ recreate container demo-web-1      because network demo_default is made anew (networks.default.internal: false → true)  (downtime, loses its writable layer)
    ~ recreate network demo_default      because networks.default.internal: false → true
      wait for service db to be healthy  because web depends on it
    Plan: 4 to recreate."
  `);
  expect(operations(changed, world, { services: ['cache'] })).toMatchInlineSnapshot(`
    [
      "stop container demo-cache-1",
      "stop container demo-db-1",
      "stop container demo-web-1",
      "remove network demo_default <- stop container demo-cache-1, stop container demo-db-1, stop container demo-web-1",
      "create network demo_default <- remove network demo_default",
      "create container demo-cache-1 <- stop container demo-cache-1, create network demo_default",
      "start container demo-cache-1 <- create container demo-cache-1",
      "remove container demo-cache-1 <- start container demo-cache-1",
      "create container demo-db-1 <- stop container demo-db-1, create network demo_default",
      "start container demo-db-1 <- create container demo-db-1",
      "remove container demo-db-1 <- start container demo-db-1",
      "create container demo-web-1 <- stop container demo-web-1, create network demo_default",
      "await service db healthy <- start container demo-db-1",
      "start container demo-web-1 <- create container demo-web-1, start container demo-cache-1, await service db healthy",
      "remove container demo-web-1 <- start container demo-web-1",
    ]
  `);
  expect(text(changed, applyPlan(changed, world, reconcile(changed, world, { action: 'up' })))).toBe('No changes.');
});

test('a network an orphan still uses is not taken away from it', () => {
  const world = up(demo({ web: {}, old: {} }));
  const changed = demo({ web: {} });
  changed.networks.default!.internal = true;
  expect(() => text(changed, world)).toThrow('demo-old-1 still uses it');
  expect(text(changed, world, { removeOrphans: true })).toMatchInlineSnapshot(`
    "- remove container demo-old-1    because the stack file has no service old  (downtime, loses its writable layer)
    ~ recreate container demo-web-1  because network demo_default is made anew (networks.default.internal: false → true)  (downtime, loses its writable layer)
    ~ recreate network demo_default  because networks.default.internal: false → true
    Plan: 1 to remove, 2 to recreate."
  `);
});

test('containers that ended are started again, in the words of their end', () => {
  const world = up(demo({ a: {}, b: {}, c: {}, d: {}, e: {} }));
  const ends = [
    { state: 'exited' as const, exitCode: 1 },
    { state: 'dead' as const },
    { state: 'exited' as const, isStopRequested: true },
    { state: 'created' as const, pid: 7 },
    { state: 'exited' as const, exitCode: 137, isOomKilled: true },
  ];
  world.containers.forEach((container, index) => {
    container.status = statusOf(ends[index]);
  });
  expect(text(demo({ a: {}, b: {}, c: {}, d: {}, e: {} }), world)).toMatchInlineSnapshot(`
    "+ start container demo-a-1  because it exited with 1
    + start container demo-b-1  because its monitor is gone
    + start container demo-c-1  because it was stopped
    + start container demo-d-1  because it was created and never started
    + start container demo-e-1  because it ran out of memory (exited with 137)
    Plan: 5 to start."
  `);
});

test('a bridge that is gone is made again, and running containers on it restarted', () => {
  const world = up(demo({ web: {}, job: {} }));
  world.networks[0]!.exists = false;
  world.containers.find(({ record }) => record.service === 'job')!.status = statusOf({ state: 'dead' });
  expect(text(demo({ web: {}, job: {} }), world)).toMatchInlineSnapshot(`
    "+ create network demo_default   because its bridge stk is gone
    + start container demo-job-1    because its monitor is gone
    ~ restart container demo-web-1  because network demo_default: its bridge stk is gone  (downtime)
    Plan: 1 to create, 1 to start, 1 to restart."
  `);
});

test('scale up fills gaps, scale down takes the highest numbers', () => {
  const scaled = demo({ web: { scale: 3 } });
  const world = up(scaled);
  world.containers.splice(1, 1);
  expect(text(scaled, world)).toMatchInlineSnapshot(`
    "+ create container demo-web-2  because services.web.scale: 2 → 3
    Plan: 1 to create."
  `);
  expect(text(scaled, up(scaled), { scale: { web: 1 } })).toMatchInlineSnapshot(`
    "- remove container demo-web-2  because services.web.scale: 3 → 1  (downtime, loses its writable layer)
    - remove container demo-web-3  because services.web.scale: 3 → 1  (downtime, loses its writable layer)
    Plan: 2 to remove."
  `);
  expect(text(scaled, up(scaled), { scale: { web: 4 } })).toMatchInlineSnapshot(`
    "+ create container demo-web-4  because services.web.scale: 3 → 4
    Plan: 1 to create."
  `);
});

test('deploy.replicas counts where scale does not; container_name allows one', () => {
  expect(operations(demo({ web: { deploy: { replicas: 2 } } }), emptySnapshot('demo'))).toContain(
    'create container demo-web-2 <- pull image busybox, create network demo_default',
  );
  expect(() => text(demo({ web: { scale: 2, container_name: 'w' } }), emptySnapshot('demo'))).toThrow(
    'Service web asks for 2 containers, and for the one name w.',
  );
});

test('orphans are reported, and removed on request', () => {
  const world = up(demo({ web: {}, old: {} }));
  expect(text(demo({ web: {} }), world)).toMatchInlineSnapshot(`
    "! Containers of services the stack file no longer has: demo-old-1. Remove them with --remove-orphans.
    No changes."
  `);
  expect(reconcile(demo({ web: {} }), world, { action: 'up' }).orphans).toEqual(['demo-old-1']);
  expect(text(demo({ web: {} }), world, { removeOrphans: true })).toMatchInlineSnapshot(`
    "- remove container demo-old-1  because the stack file has no service old  (downtime, loses its writable layer)
    Plan: 1 to remove."
  `);
  expect(text(demo({ web: {} }), world, { disabledServices: ['old'], removeOrphans: true })).toBe('No changes.');
});

test('an interrupted replacement leaves two of one number: the newer one stays', () => {
  const world = up(demo({ web: {} }));
  const [older] = world.containers;
  const newer = structuredClone(older!);
  Object.assign(newer.record, { id: 'f'.repeat(64), createdAt: '2027-01-01T00:00:00Z' });
  newer.status = statusOf({ state: 'created' });
  world.containers.push(newer);
  older!.status = statusOf({ state: 'exited', isStopRequested: true });
  expect(operations(demo({ web: {} }), world)).toEqual(['remove container demo-web-1', 'start container demo-web-1']);
});

test('a dependency made anew restarts those that ask for it', () => {
  const stack = demo({
    db: {},
    api: { depends_on: { db: { ...started, restart: true } } },
    other: { depends_on: { db: started } },
    sidecar: { network_mode: 'service:db', networks: {} },
  });
  const world = up(stack);
  const changed = structuredClone(stack);
  changed.services.db!.user = 'nobody';
  expect(text(changed, world)).toMatchInlineSnapshot(`
    "~ recreate container demo-db-1       because services.db.user: (none) → "nobody"  (downtime, loses its writable layer)
    ~ restart container demo-api-1       because db is made anew (depends_on.db.restart)  (downtime)
    ~ recreate container demo-sidecar-1  because it shares the network of db, which is made anew  (downtime, loses its writable layer)
    Plan: 2 to recreate, 1 to restart."
  `);
  expect(operations(changed, world)).toMatchInlineSnapshot(`
    [
      "stop container demo-db-1",
      "create container demo-db-1 <- stop container demo-db-1",
      "start container demo-db-1 <- create container demo-db-1",
      "remove container demo-db-1 <- start container demo-db-1",
      "stop container demo-api-1",
      "start container demo-api-1 <- stop container demo-api-1, start container demo-db-1",
      "stop container demo-sidecar-1",
      "create container demo-sidecar-1 <- stop container demo-sidecar-1, create container demo-db-1",
      "start container demo-sidecar-1 <- create container demo-sidecar-1, start container demo-db-1",
      "remove container demo-sidecar-1 <- start container demo-sidecar-1",
    ]
  `);
});

test('what an interrupted command left half done is seen by what containers were made for', () => {
  const stack = demo({ db: {}, sidecar: { network_mode: 'service:db', networks: {} } });
  const world = up(stack);
  expect(text(stack, world)).toBe('No changes.');
  const of = (snapshot: Snapshot, service: string) =>
    snapshot.containers.find(({ record }) => record.service === service)!;
  const restarted = structuredClone(world);
  of(restarted, 'db').networkNamespace = 'net:[999]';
  const replaced = structuredClone(world);
  of(replaced, 'db').record.id = 'f'.repeat(64);
  const remade = structuredClone(world);
  remade.networks[0]!.record.id = 'another';
  expect([restarted, replaced, remade].map((snapshot) => text(stack, snapshot))).toMatchInlineSnapshot(`
    [
      "~ restart container demo-sidecar-1  because it shares the network of db, which was started again  (downtime)
    Plan: 1 to restart.",
      "~ recreate container demo-sidecar-1  because it shares the network of db, which was made anew  (downtime, loses its writable layer)
    Plan: 1 to recreate.",
      "~ recreate container demo-db-1       because network demo_default was made anew  (downtime, loses its writable layer)
    ~ recreate container demo-sidecar-1  because it shares the network of db, which is made anew  (downtime, loses its writable layer)
    Plan: 2 to recreate.",
    ]
  `);
});

test('a job that completed runs again only with something that waits for it', () => {
  const stack = demo({ migrate: { command: ['true'] }, web: { depends_on: { migrate: completed } } });
  const world = up(stack);
  expect(text(stack, world)).toBe('No changes.');
  world.containers.find(({ record }) => record.service === 'web')!.status = statusOf({ state: 'exited', exitCode: 1 });
  expect(text(stack, world)).toMatchInlineSnapshot(`
    "+ start container demo-migrate-1        because web waits for it to complete
      wait for service migrate to complete  because web depends on it
    + start container demo-web-1            because it exited with 1
    Plan: 2 to start."
  `);
});

test('selected services bring their dependencies unless --no-deps', () => {
  expect(text(three, emptySnapshot('demo'), { services: ['cache'] })).toMatchInlineSnapshot(`
    "+ pull image redis:7             because it is not in the store
    + create network demo_default    because it does not exist yet
    + create container demo-cache-1  because it does not exist yet
    Plan: 1 to pull, 2 to create."
  `);
  expect(operations(three, emptySnapshot('demo'), { services: ['web'], noDeps: true })).toEqual([
    'pull image busybox',
    'create network demo_default',
    'create container demo-web-1 <- pull image busybox, create network demo_default',
    'start container demo-web-1 <- create container demo-web-1',
  ]);
  expect(() => text(three, emptySnapshot('demo'), { services: ['wbe'] })).toThrow('The stack demo has no service wbe.');
});

test('--force-recreate takes the named ones, --no-recreate none, --no-start starts nothing', () => {
  const world = up(three);
  expect(text(three, world, { forceRecreate: true, services: ['web'] })).toMatchInlineSnapshot(`
    "~ recreate container demo-web-1  because --force-recreate  (downtime, loses its writable layer)
    Plan: 1 to recreate."
  `);
  const changed = structuredClone(three);
  changed.services.web!.user = 'nobody';
  expect(text(changed, world, { noRecreate: true })).toBe('No changes.');
  expect(operations(demo({ web: {} }), emptySnapshot('demo'), { noStart: true }).join()).not.toContain('start');
});

test('pull policies', () => {
  const world = up(three);
  expect(text(three, world, { pull: 'always' })).toMatchInlineSnapshot(`
    "+ pull image redis:7      because its pull policy is always
    + pull image postgres:16  because its pull policy is always
    + pull image busybox      because its pull policy is always
    Plan: 3 to pull."
  `);
  expect(() => text(three, emptySnapshot('demo'), { pull: 'never' })).toThrow('its pull policy is never');
  expect(() => text(demo({ web: { pull_policy: 'daily' } }), emptySnapshot('demo'))).toThrow('not supported yet');
});

test('--wait ends with what is up', () => {
  expect(operations(demo({ web: {} }), emptySnapshot('demo'), { wait: true }).at(-1)).toBe(
    'await service web running <- start container demo-web-1',
  );
  expect(text(three, up(three), { wait: true })).toBe('No changes.');
});

test('external networks and volumes have to be there', () => {
  const stack = demo({ web: {} });
  stack.networks.default!.external = true;
  expect(() => text(stack, emptySnapshot('demo'))).toThrow('The external network demo_default does not exist.');
});

test('a network of another stack is used as it is, and has to be up', () => {
  const world = emptySnapshot('demo');
  const config = { name: 'demo_default', ipam: {} };
  const record = {
    key: 'default',
    name: 'demo_default',
    stack: 'other',
    driver: 'bridge' as const,
    bridge: 'b',
    config,
  };
  world.networks.push({ record: { ...record, isInternal: false, labels: {} }, exists: true });
  const stack = demo({ web: {} });
  stack.networks.default!.internal = true;
  expect(reconcile(stack, world, { action: 'up' }).warnings).toMatchInlineSnapshot(`
    [
      "The network demo_default was made by the stack other and is used as it is. Say \`external: true\` if that is meant.",
    ]
  `);
  expect(operations(stack, world)).not.toContain('create network demo_default');
  world.networks[0]!.exists = false;
  expect(() => text(stack, world)).toThrow('its bridge b is gone');
});

test('a network that no stack made comes back with the first that needs it', () => {
  const stack = demo({ web: {} });
  stack.networks.default!.external = true;
  const config = stack.networks.default!;
  const record = {
    key: 'default',
    name: 'demo_default',
    stack: '_networks',
    driver: 'bridge' as const,
    bridge: 'b',
    config,
  };
  const world = emptySnapshot('demo');
  world.networks.push({ record: { ...record, isInternal: false, labels: {} }, exists: false });
  expect(operations(stack, world)).toContain('create network demo_default');
});

test('down stops dependents first, then removes containers, then networks', () => {
  expect(operations(three, up(three), { action: 'down' })).toMatchInlineSnapshot(`
    [
      "stop container demo-web-1",
      "stop container demo-db-1 <- stop container demo-web-1",
      "stop container demo-cache-1 <- stop container demo-web-1",
      "remove container demo-cache-1 <- stop container demo-cache-1",
      "remove container demo-db-1 <- stop container demo-db-1",
      "remove container demo-web-1 <- stop container demo-web-1",
      "remove network demo_default <- remove container demo-cache-1, remove container demo-db-1, remove container demo-web-1",
    ]
  `);
  expect(text(three, up(three), { action: 'down', removeVolumes: true })).toMatchInlineSnapshot(`
    "- remove container demo-web-1    because stack down  (downtime, loses its writable layer)
    - remove container demo-db-1     because stack down  (downtime, loses its writable layer)
    - remove container demo-cache-1  because stack down  (downtime, loses its writable layer)
    - remove network demo_default    because stack down
    - remove volume demo_data        because stack down --volumes  (loses all its data)
    Plan: 5 to remove."
  `);
});

test('down leaves a network that an orphan uses, and says so', () => {
  const world = up(demo({ web: {}, old: { depends_on: { web: started } } }));
  expect(text(demo({ web: {} }), world, { action: 'down' })).toMatchInlineSnapshot(`
    "- remove container demo-web-1  because stack down  (downtime, loses its writable layer)
    ! Network demo_default stays: demo-old-1 uses it. Add --remove-orphans to remove both.
    ! Containers of services the stack file no longer has: demo-old-1. Remove them with --remove-orphans.
    Plan: 1 to remove."
  `);
  expect(operations(demo({ web: {} }), world, { action: 'down', removeOrphans: true })).toMatchInlineSnapshot(`
    [
      "stop container demo-old-1",
      "stop container demo-web-1 <- stop container demo-old-1",
      "remove container demo-old-1 <- stop container demo-old-1",
      "remove container demo-web-1 <- stop container demo-web-1",
      "remove network demo_default <- remove container demo-old-1, remove container demo-web-1",
    ]
  `);
});

test('stop, start and restart', () => {
  const world = up(three);
  expect(operations(three, world, { action: 'stop' })).toMatchInlineSnapshot(`
    [
      "stop container demo-web-1",
      "stop container demo-db-1 <- stop container demo-web-1",
      "stop container demo-cache-1 <- stop container demo-web-1",
    ]
  `);
  expect(operations(three, world, { action: 'restart', services: ['db'] })).toMatchInlineSnapshot(`
    [
      "stop container demo-db-1",
      "start container demo-db-1 <- stop container demo-db-1",
    ]
  `);
  const stopped = applyPlan(three, world, reconcile(three, world, { action: 'stop' }));
  expect(operations(three, stopped, { action: 'start', services: ['web'] })).toMatchInlineSnapshot(`
    [
      "start container demo-cache-1",
      "start container demo-db-1",
      "await service db healthy <- start container demo-db-1",
      "start container demo-web-1 <- start container demo-cache-1, await service db healthy",
    ]
  `);
  expect(() => text(three, emptySnapshot('demo'), { action: 'start' })).toThrow('has no container to start');
});

test('strays are removed by any action, before anything is made', () => {
  const world = emptySnapshot('demo');
  world.strays.push({ kind: 'cgroup', name: '/stack/demo/abc' });
  expect(operations(demo({ web: {} }), world)).toMatchInlineSnapshot(`
    [
      "remove cgroup /stack/demo/abc",
      "pull image busybox",
      "create network demo_default <- remove cgroup /stack/demo/abc",
      "create container demo-web-1 <- remove cgroup /stack/demo/abc, pull image busybox, create network demo_default",
      "start container demo-web-1 <- create container demo-web-1",
    ]
  `);
});

test('run makes one container beside the others when what it depends on is there', () => {
  const plan = reconcileOneOff(three, emptySnapshot('demo'), {
    service: 'web',
    config: { ...three.services.web!, command: ['sh'] },
    name: 'demo-web-run-1',
  });
  expect(plan.operations.map(({ id, needs }) => `${id} <- ${needs.join(', ')}`).slice(-6)).toMatchInlineSnapshot(`
    [
      "create container demo-cache-1 <- pull image redis:7, create network demo_default",
      "start container demo-cache-1 <- create container demo-cache-1",
      "create container demo-db-1 <- pull image postgres:16, create network demo_default, create volume demo_data",
      "start container demo-db-1 <- create container demo-db-1",
      "create container demo-web-run-1 <- pull image busybox, create network demo_default",
      "await service db healthy <- start container demo-db-1",
    ]
  `);
  const alone = reconcileOneOff(three, up(three), {
    service: 'web',
    config: three.services.web!,
    name: 'demo-web-run-1',
    noDeps: true,
  });
  expect(alone.operations.map(({ id }) => id)).toEqual(['create container demo-web-run-1']);
});
