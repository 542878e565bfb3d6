/** What is kept and what is lost: volumes, bridges, labels, images by other names, and the flags that decide. */
import { expect, test } from 'vitest';
import type { Service } from '../../schemas/project.ts';
import { demo, operations, text, three, up } from './demo.fixture.ts';
import type { ReconcileOptions } from './options.ts';
import { reconcile } from './reconcile.ts';
import { applyPlan, emptySnapshot } from './simulated.ts';

test('a volume that only loses its data could become what the file says is refused, unless a flag names it', () => {
  const world = up(three);
  const changed = structuredClone(three);
  changed.volumes.data!.driver_opts = { type: 'nfs' };
  expect(() => text(changed, world)).toThrow('Volume demo_data holds data');
  expect(() => text(changed, world, { recreateVolumes: ['other'] })).toThrow('no volume other');
  expect(text(changed, world, { noRecreate: true })).toMatchInlineSnapshot(`
    "! Volume demo_data keeps the definition it was made with, and its data (volumes.data.driver_opts.type: (none) → "nfs").
    No changes."
  `);
  expect(text(changed, world, { recreateVolumes: ['data'] })).toMatchInlineSnapshot(`
    "~ recreate container demo-db-1  because volume demo_data is made anew (volumes.data.driver_opts.type: (none) → "nfs")  (downtime, loses its writable layer)
    ~ recreate volume demo_data     because volumes.data.driver_opts.type: (none) → "nfs"  (loses all its data)
    Plan: 2 to recreate."
  `);
  expect(operations(changed, world, { recreateVolumes: ['data'] })).toMatchInlineSnapshot(`
    [
      "stop container demo-db-1",
      "remove container demo-db-1 <- stop container demo-db-1",
      "remove volume demo_data <- remove container demo-db-1",
      "create volume demo_data <- remove volume demo_data",
      "create container demo-db-1 <- remove container demo-db-1, create volume demo_data",
      "start container demo-db-1 <- create container demo-db-1",
    ]
  `);
  const options = { action: 'up' as const, recreateVolumes: ['data'] };
  const after = applyPlan(changed, world, reconcile(changed, world, options));
  // Named again, it is not deleted again: the definition is what the file says.
  expect(text(changed, after, options)).toBe('No changes.');
  expect(text(three, world, options)).toBe('No changes.');
});

test('a volume to be deleted that an orphan mounts is not taken away from it', () => {
  const mount = { volumes: [{ type: 'volume', source: 'data', target: '/d' }] };
  const world = up(demo({ web: mount, old: mount }));
  const changed = demo({ web: mount });
  changed.volumes.data!.driver = 'other';
  expect(() => text(changed, world, { recreateVolumes: ['data'] })).toThrow('demo-old-1 still uses it');
  const options = { recreateVolumes: ['data'], removeOrphans: true };
  const after = applyPlan(changed, world, reconcile(changed, world, { action: 'up', ...options }));
  expect(text(changed, after)).toBe('No changes.');
});

test('labels of networks and volumes live in their records: nobody is stopped for them', () => {
  const world = up(three);
  const changed = structuredClone(three);
  changed.volumes.data!.labels = { team: 'a' };
  changed.networks.default!.labels = { team: 'a' };
  expect(text(changed, world)).toMatchInlineSnapshot(`
    "~ update network demo_default  because networks.default.labels.team: (none) → "a"
    ~ update volume demo_data      because volumes.data.labels.team: (none) → "a"
    Plan: 2 to update."
  `);
  expect(text(changed, applyPlan(changed, world, reconcile(changed, world, { action: 'up' })))).toBe('No changes.');
});

test('a volume whose folder is gone is made again, with every container that mounts it', () => {
  const mount = { volumes: [{ type: 'volume', source: 'data', target: '/d' }] };
  const both = demo({ a: mount, b: mount, c: {} });
  const world = up(both);
  world.volumes[0]!.isContentGone = true;
  // Those too that were not named: what they have open is deleted.
  expect(text(both, world, { services: ['a'] })).toMatchInlineSnapshot(`
    "+ create volume demo_data      because its folder is gone, with what it held
    ~ recreate container demo-a-1  because volume demo_data was gone, and is made anew  (downtime, loses its writable layer)
    ~ recreate container demo-b-1  because volume demo_data was gone, and is made anew  (downtime, loses its writable layer)
    Plan: 1 to create, 2 to recreate."
  `);
  expect(text(both, world, { services: ['c'] })).toBe('No changes.');
  expect(text(both, applyPlan(both, world, reconcile(both, world, { action: 'up' })))).toBe('No changes.');
  const unrecorded = up(both);
  unrecorded.volumes = [];
  expect(text(both, unrecorded)).toContain('because volume demo_data was gone, and is made anew');
});

test('a bridge that was changed is repaired, and who is on it stays', () => {
  const world = up(three);
  world.networks[0]!.drift = ['its bridge stk is down', 'its bridge stk lacks its address 172.18.0.1/16'];
  expect(text(three, world)).toMatchInlineSnapshot(`
    "~ repair network demo_default  because its bridge stk is down, its bridge stk lacks its address 172.18.0.1/16
    Plan: 1 to repair."
  `);
  expect(text(three, applyPlan(three, world, reconcile(three, world, { action: 'up' })))).toBe('No changes.');
});

test('an image under another name is no change where both lead to what the container was made from', () => {
  const world = up(three);
  const pinned = structuredClone(three);
  pinned.services.cache!.image = `redis:7@sha256:${'ab'.repeat(32)}`;
  const { id } = world.images.find(({ name }) => name === 'redis:7')!;
  expect(text(pinned, world)).toContain('services.cache.image: "redis:7" → "redis:7@sha256:abab');
  world.images.push({ name: pinned.services.cache!.image, id, manifestDigest: '' });
  expect(text(pinned, world)).toBe('No changes.');
  world.images.at(-1)!.id = 'sha256:other';
  expect(text(pinned, world)).toContain('recreate container demo-cache-1');
  // A digest that is here means the same forever: no registry is asked.
  expect(text(pinned, world, { pull: 'always' })).not.toContain('pull image redis');
  const longer = structuredClone(three);
  longer.services.cache!.image = 'docker.io/library/redis:7';
  expect(text(longer, world)).toBe('No changes.');
});

test('the digest that a lock adds to the image of an init container recreates nothing, another digest does', () => {
  const hooked = (image: string) => demo({ web: { pre_start: [{ command: ['true'] }, { image, command: ['true'] }] } });
  const world = up(hooked('migrate:1'));
  expect(text(hooked(`migrate:1@sha256:${'a'.repeat(64)}`), world)).toBe('No changes.');
  expect(text(hooked(`migrate:2@sha256:${'a'.repeat(64)}`), world)).toContain('recreate container demo-web-1');
  const locked = up(hooked(`migrate:1@sha256:${'a'.repeat(64)}`));
  expect(text(hooked('docker.io/library/migrate:1'), locked)).toBe('No changes.');
  expect(text(hooked(`migrate:1@sha256:${'b'.repeat(64)}`), locked)).toContain('recreate container demo-web-1');
});

test('the digest that a lock adds to an image that is mounted recreates nothing, another digest does', () => {
  const mounted = (source: string) => demo({ web: { volumes: [{ type: 'image', source, target: '/seed' }] } });
  const pinned = (digit: string) => mounted(`seed:1@sha256:${digit.repeat(64)}`);
  expect(text(pinned('a'), up(mounted('seed:1')))).toBe('No changes.');
  expect(text(mounted('seed:1'), up(pinned('a')))).toBe('No changes.');
  expect(text(pinned('b'), up(pinned('a')))).toContain('recreate container demo-web-1');
  expect(text(mounted('seed:2'), up(pinned('a')))).toContain('recreate container demo-web-1');
});

test('an image that another service builds is built once, and not pulled', () => {
  const built = { image: 'team/web', build: {} } as Partial<Service>;
  const fetched = (services: Record<string, Partial<Service>>, options: Partial<ReconcileOptions> = {}) =>
    operations(demo(services), emptySnapshot('demo'), options).filter((one) => /^(pull|build) /.test(one));
  expect(fetched({ a: { image: 'team/web' }, web: built })).toEqual(['build image team/web']);
  expect(fetched({ a: { image: 'team/web' }, web: built }, { services: ['a'] })).toEqual(['build image team/web']);
  const hook = { image: 'x', pre_start: [{ image: 'team/web' }] };
  expect(fetched({ a: hook, web: built })).toEqual(['pull image x', 'build image team/web']);
  expect(fetched({ a: { image: 'team/web' }, web: { ...built, pull_policy: 'always' } })).toEqual([
    'pull image team/web',
  ]);
});

test('--always-recreate-deps and --renew-anon-volumes, as docker compose has them', () => {
  const world = up(three);
  const recreated = (options: Partial<ReconcileOptions>) =>
    [...text(three, world, options).matchAll(/recreate container demo-(\w+)-1 .*because (\S+)/g)].map((one) =>
      one.slice(1).join(' '),
    );
  expect(recreated({ alwaysRecreateDeps: true, services: ['web'] })).toEqual([
    'cache --always-recreate-deps',
    'db --always-recreate-deps',
  ]);
  expect(recreated({ alwaysRecreateDeps: true })).toEqual([]);
  const both = { alwaysRecreateDeps: true, forceRecreate: true, services: ['web'] };
  expect(recreated(both)).toContain('web --force-recreate');
  expect(recreated({ renewAnonVolumes: true, services: ['web'] })).toEqual(['web --renew-anon-volumes']);
});

test('orphans are not told of where the environment says so', () => {
  const world = up(demo({ web: {}, old: {} }));
  expect(text(demo({ web: {} }), world)).toContain('--remove-orphans');
  expect(text(demo({ web: {} }), world, { ignoreOrphans: true })).toBe('No changes.');
});

test('what a config or a secret is defined as belongs to the containers that are given it', () => {
  const given = (fields: object) => {
    const project = demo({ web: { configs: [{ source: 'app' }] } as Partial<Service>, side: {} });
    const configs = { app: { name: 'demo_app', ...fields }, other: { name: 'demo_other', content: 'x' } };
    return { ...project, configs };
  };
  const world = up(given({ content: 'a: 1' }));
  expect(text(given({ content: 'a: 1' }), world)).toBe('No changes.');
  expect(text(given({ content: 'a: 2' }), world)).toMatchInlineSnapshot(`
    "~ recreate container demo-web-1  because configs.app changed  (downtime, loses its writable layer)
    Plan: 1 to recreate."
  `);
  expect(text(given({ file: '/etc/app' }), world)).toContain('recreate container demo-web-1');
  // Where the same content comes from makes no difference.
  expect(text(given({ environment: 'APP', content: 'a: 1' }), world)).toBe('No changes.');
  expect(text(given({ environment: 'APP', content: 'a: 2' }), world)).toContain('because configs.app changed');
  // An older version did not write it down.
  delete world.containers.find(({ record }) => record.service === 'web')!.record.grants;
  expect(text(given({ content: 'a: 2' }), world)).toBe('No changes.');
});
