/** Services that live in another's namespaces or mount its volumes follow what becomes of it. */
import { expect, test } from 'vitest';
import type { Project, Service } from '../../schemas/project.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { planText } from '../plan/plan.ts';
import type { ReconcileOptions } from './options.ts';
import { reconcile } from './reconcile.ts';
import { applyPlan, emptySnapshot, statusOf } from './simulated.ts';

const service = (fields: Partial<Service> = {}): Service => ({
  image: 'busybox',
  command: null,
  entrypoint: null,
  networks: { default: null },
  ...fields,
});
const stack = (fields: Partial<Service>): Project => ({
  name: 'demo',
  services: { donor: service(), guest: service(fields) },
  networks: { default: { name: 'demo_default', ipam: {} } },
  volumes: {},
});

function up(project: Project): Snapshot {
  const nothing = emptySnapshot('demo');
  const world = applyPlan(project, nothing, reconcile(project, nothing, { action: 'up' }));
  const id = (name: string) => world.containers.find(({ record }) => record.service === name)!.record.id;
  const guest = world.containers.find(({ record }) => record.service === 'guest')!;
  guest.record.peers = { ipc: id('donor'), pid: id('donor'), 'volumes donor': id('donor') };
  return world;
}

const text = (project: Project, world: Snapshot, options: Partial<ReconcileOptions> = {}) =>
  planText(reconcile(project, world, { action: 'up', ...options }));
const donor = (world: Snapshot) => world.containers.find(({ record }) => record.service === 'donor')!;

const kinds: [string, Partial<Service>][] = [
  ['ipc', { ipc: 'service:donor' }],
  ['pid', { pid: 'service:donor' }],
  ['volumes', { volumes_from: ['donor:ro'] }],
];

test.each(kinds)('%s: the guest is made after the donor, and stays where nothing changes', (_, fields) => {
  const project = stack(fields);
  const plan = reconcile(project, emptySnapshot('demo'), { action: 'up' });
  const create = plan.operations.find(({ id }) => id === 'create container demo-guest-1')!;
  expect(create.needs).toContain('create container demo-donor-1');
  expect(text(project, up(project))).toBe('No changes.');
});

test.each(kinds)('%s: the guest is made anew with the donor', (kind, fields) => {
  const project = stack(fields);
  const world = up(project);
  const changed = structuredClone(project);
  changed.services.donor!.user = 'nobody';
  expect(text(changed, world)).toContain(
    `recreate container demo-guest-1  because it shares the ${kind} of donor, which is made anew`,
  );
  // An earlier command made the donor anew and was killed before it came to the guest.
  donor(world).record.id = 'f'.repeat(64);
  expect(text(project, world)).toContain(`it shares the ${kind} of donor, which was made anew`);
});

test.each(kinds)('%s: what becomes of the guest where the donor is started again', (kind, fields) => {
  const project = stack(fields);
  const world = up(project);
  donor(world).status = statusOf({ state: 'exited', exitCode: 1 });
  const words = `restart container demo-guest-1  because it shares the ${kind} of donor, which is started again`;
  if (kind === 'volumes') expect(text(project, world)).not.toContain('demo-guest-1');
  else expect(text(project, world)).toContain(words);
});

test.each([...kinds, ['network', { network_mode: 'service:donor' }] as [string, Partial<Service>]])(
  '%s: what becomes of the guest where the donor is restarted by name',
  (kind, fields) => {
    const project = stack(fields);
    const restart = (more: object = {}) => {
      return text(project, up(project), { action: 'restart', services: ['donor'], ...more });
    };
    const words = `restart container demo-guest-1  because it shares the ${kind} of donor, which is restarted`;
    if (kind === 'volumes') expect(restart()).not.toContain('demo-guest-1');
    else expect(restart()).toContain(words);
    expect(restart({ noDeps: true })).not.toContain('demo-guest-1');
  },
);

test('down removes who mounts the volumes of another before that one', () => {
  const project = stack({ volumes_from: ['donor'] });
  const plan = reconcile(project, up(project), { action: 'down', removeVolumes: true });
  const removal = plan.operations.find(({ id }) => id === 'remove container demo-donor-1')!;
  expect(removal.needs).toContain('remove container demo-guest-1');
});

test('a service that somebody else provides has no containers, and its dependents do not wait for any', () => {
  const project = stack({ depends_on: { donor: { condition: 'service_healthy', required: true } } });
  project.services.donor = { command: null, entrypoint: null, provider: { type: 'cloud' } };
  const plan = reconcile(project, emptySnapshot('demo'), { action: 'up' });
  expect(plan.operations.map(({ id }) => id)).toEqual([
    'pull image busybox',
    'create network demo_default',
    'create container demo-guest-1',
    'start container demo-guest-1',
  ]);
});

test('images of init containers are pulled with the service’s own, which waits for them', () => {
  const project = stack({ pre_start: [{ image: 'tools' }, { command: ['x'] }, { image: 'tools' }] });
  const plan = reconcile(project, emptySnapshot('demo'), { action: 'up' });
  const create = plan.operations.find(({ id }) => id === 'create container demo-guest-1')!;
  expect(create.needs).toEqual(expect.arrayContaining(['pull image busybox', 'pull image tools']));
  expect(plan.operations.filter(({ kind }) => kind === 'image.pull')).toHaveLength(2);
});
