import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StackError } from '../../schemas/errors.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Project } from '../../schemas/project.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { reconcile } from '../reconcile/reconcile.ts';
import { applyPlan, emptySnapshot, statusOf } from '../reconcile/simulated.ts';
import { checkDefinition, checkPlan, planFileText, readPlanFile } from './file.ts';

const key = Buffer.alloc(32, 1);
const project: Project = {
  name: 'demo',
  services: {
    web: {
      image: 'a',
      command: null,
      entrypoint: null,
      networks: { default: null },
      environment: { LOGIN: 'hunter2' },
    },
    db: { image: 'b', command: null, entrypoint: null, networks: { default: null } },
  },
  networks: { default: { name: 'demo_default', ipam: {} } },
  volumes: { data: { name: 'demo_data' } },
};
const options = { action: 'up' } as const;
const empty = emptySnapshot('demo');

const planned = (snapshot: Snapshot, of: Project = project) => reconcile(of, snapshot, options);
const written = (snapshot: Snapshot, plan: Plan = planned(snapshot)) =>
  planFileText(plan, { project, snapshot, inputs: {} }, { services: [] }, '2026-01-01T00:00:00.000Z', key);
const read = (text: string, by = key) => readPlanFile(text, 'plan.json', by);

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return `${(error as StackError).code}: ${(error as StackError).message}`;
  }
  return 'nothing thrown';
}

test('a plan is read again, and fits the world it was made in', () => {
  const file = read(written(empty));
  checkDefinition(file, { project, inputs: {} }, key);
  checkPlan(file, empty, planned(empty), false);
  expect(file.operations.map(({ id }) => id)).toEqual(planned(empty).operations.map(({ id }) => id));
});

test('no value of the stack file is in it', () => {
  const world = applyPlan(project, empty, planned(empty));
  const changed = structuredClone(project);
  changed.services.web!.environment = { LOGIN: 'correct horse' };
  const text = planFileText(planned(world, changed), { project: changed, snapshot: world, inputs: {} }, {}, '', key);
  expect(text).toContain('recreate'.slice(2));
  expect(text).not.toMatch(/hunter2|correct horse/);
});

test('what moved in the stack file is said, by its path', () => {
  const file = read(written(empty));
  const changed = structuredClone(project);
  changed.services.web!.environment = { LOGIN: 'other' };
  delete changed.services.db;
  changed.volumes.more = { name: 'demo_more' };
  const said = refusal(() => checkDefinition(file, { project: changed, inputs: {} }, key));
  expect(said).toMatch(/^plan\.moved: /);
  for (const word of ['services.web.environment changed', 'services.db.image is gone', 'volumes.more is new']) {
    expect(said).toContain(word);
  }
  expect(said).not.toMatch(/hunter2|other/);
  const renamed = { ...project, name: 'else' };
  expect(refusal(() => checkDefinition(file, { project: renamed, inputs: {} }, key))).toContain(
    'made for the stack demo',
  );
  const built = { project, inputs: { web: 'sha256:…' } };
  expect(refusal(() => checkDefinition(file, built, key))).toContain('what services.web is built from is new');
});

test.each<[string, (world: Snapshot) => void, RegExp]>([
  [
    'stopped',
    (world) => Object.assign(world.containers[0]!, { status: statusOf({ state: 'exited', isStopRequested: true }) }),
    /container demo-\w+-1 \(\w{12}\): up, made from \S+ → stopped, /,
  ],
  ['gone', (world) => void world.containers.pop(), /container demo-\w+-1 \(\w{12}\): up, made from \S+ → not there/],
  [
    'bridge',
    (world) => Object.assign(world.networks[0]!, { exists: false }),
    /network demo_default: there, .* → without its bridge/,
  ],
  ['drift', (world) => Object.assign(world.networks[0]!, { drift: ['its bridge is down'] }), /its bridge is down/],
  ['image', (world) => Object.assign(world.images[0]!, { id: 'sha256:other' }), /image \w: sha256:\w+ → sha256:other/],
  ['stray', (world) => void world.strays.push({ kind: 'link', name: 'x' }), /left-over link x: not there → there/],
])('what moved on the machine is said: %s', (_, happen, words) => {
  const world = applyPlan(project, empty, planned(empty));
  const file = read(written(world));
  const moved = structuredClone(world);
  happen(moved);
  const said = refusal(() => checkPlan(file, moved, planned(moved), false));
  expect(said).toMatch(/^plan\.moved: Since the plan was made/);
  expect(said).toMatch(words);
});

test('the world is as it was and something else would be done: another version of Stack plans otherwise', () => {
  const file = read(written(empty));
  const other = planned(empty);
  const less: Plan = { ...other, operations: other.operations.slice(1) };
  expect(refusal(() => checkPlan(file, empty, less, false))).toContain('it would not pull image b any more');
  const more = read(written(empty, less));
  expect(refusal(() => checkPlan(more, empty, other, false))).toContain('it would now also pull image b');
});

test('after pulls the rest must be what was planned, or nothing more is done', () => {
  const world = applyPlan(project, empty, planned(empty));
  const always = (snapshot: Snapshot, pulled: string[]) =>
    reconcile(project, snapshot, { ...options, pull: 'always', pulled });
  const file = read(written(world, always(world, [])));
  checkPlan(file, world, always(world, ['a', 'b']), true);
  const moved = structuredClone(world);
  moved.images[0]!.id = 'sha256:other';
  const said = refusal(() => checkPlan(file, moved, always(moved, ['a', 'b']), true));
  expect(said).toMatch(/an image that was pulled or built is another one; it would now also stop container/);
});

test('a file of another kind, version or machine, or one that was changed, is refused', () => {
  const text = written(empty);
  const edited = (change: (file: Record<string, unknown>) => void) => {
    const file = JSON.parse(text);
    change(file);
    return JSON.stringify(file);
  };
  const cases: [string, RegExp][] = [
    ['', /not JSON/],
    ['[]', /another kind of file/],
    ['null', /another kind of file/],
    [JSON.stringify(planned(empty)), /another kind of file/],
    [edited((file) => Object.assign(file, { version: 2 })), /later version/],
    [edited((file) => Object.assign(file, { more: 1 })), /more/],
    [edited((file) => Object.assign(file, { options: { ...(file.options as object), action: 'down' } })), /options/],
    [edited((file) => Object.assign(file, { options: { removeOrphans: true } })), /changed since/],
    [edited((file) => Object.assign(file, { world: { x: 'there' } })), /changed since/],
    [edited((file) => (file.operations as unknown[]).pop()), /changed since/],
  ];
  for (const [hostile, words] of cases) {
    expect(refusal(() => read(hostile))).toMatch(/^plan\.file: plan\.json is no plan that can be applied here: /);
    expect(refusal(() => read(hostile))).toMatch(words);
  }
  expect(refusal(() => read(text, Buffer.alloc(32, 2)))).toContain('another machine');
});

test('whatever is in a plan file, it is read or refused', () => {
  const text = written(empty);
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(60), fc.string({ maxLength: 20 }), (at, count, put) => {
      const hostile = text.slice(0, at) + put + text.slice(at + count);
      expect(refusal(() => read(hostile))).toMatch(/^(plan\.file|nothing thrown)/);
    }),
    { numRuns: 1000 },
  );
});
