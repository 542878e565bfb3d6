import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadKernel } from '../native/index.ts';
import { recordOf } from '../planner/reconcile/simulated.ts';
import type { ContainerRecord, NetworkRecord } from '../schemas/container.ts';
import type { Project, Service } from '../schemas/project.ts';
import { createEngine } from './engine.ts';
import type { Host } from './host.ts';
import { observe, observeContainers, setDamagedAside } from './observe.ts';
import { layout } from './state/layout.ts';
import { lockStack } from './state/lock.ts';

const config: Service = { image: 'a', command: null, entrypoint: null, networks: { default: null } };
const project: Project = {
  name: 'demo',
  services: { web: config },
  networks: { default: { name: 'demo_default', ipam: {} }, shared: { name: 'shared', ipam: {}, external: true } },
  volumes: {},
};

let folder = '';
let host: Host;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-observe-'));
  host = { kernel: loadKernel(), layout: layout({ STACK_ROOT: folder, STACK_RUN: join(folder, 'run') }), settings: {} };
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function container(number: number): ContainerRecord {
  const base = { id: '', resource: '', cause: '', needs: [] };
  const name = `demo-web-${number}`;
  const record = recordOf(project, { ...base, kind: 'container.create', name, service: 'web', number, config });
  const files = { 'container.json': JSON.stringify(record), 'config.json': '{}', program: 'STKP' };
  for (const [file, content] of Object.entries(files)) {
    write(join(host.layout.containerDir('demo', record.id), file), content);
  }
  return record;
}

function network(name: string, stack: string): void {
  const record: NetworkRecord = {
    key: 'default',
    name,
    stack,
    driver: 'bridge',
    bridge: `st-none-${name}`.slice(0, 15),
    isInternal: false,
    labels: {},
    config: { name, ipam: {} },
  };
  write(host.layout.networkRecord(name), JSON.stringify(record));
}

test('containers with what their monitors said last; one that should run and has no monitor is dead', async () => {
  const [one, two] = [container(1), container(2)];
  const status = 'state running\npid 999999\nshim 999998\nexit_code 0\n';
  write(join(host.layout.containerRun(one.id), 'status'), status);
  write(join(host.layout.containerRun(two.id), 'status'), 'state exited\npid 0\nshim 0\nexit_code 3\n');
  const found = observeContainers(host, 'demo');
  expect(found.map(({ record, status }) => [record.name, status.state, status.exitCode])).toEqual([
    ['demo-web-1', 'dead', 137],
    ['demo-web-2', 'exited', 3],
  ]);
});

test('networks of the stack and external ones it names; a bridge the kernel has not is gone', async () => {
  network('demo_default', 'demo');
  network('shared', 'other');
  network('foreign', 'other');
  const { networks } = await observe({ host, stack: 'demo', project });
  expect(networks.map(({ record, exists }) => [record.name, exists])).toEqual([
    ['demo_default', false],
    ['shared', false],
  ]);
});

test('what a command that is gone was writing is a stray; what one at work writes is not', async () => {
  mkdirSync(host.layout.networks, { recursive: true });
  const abandoned = join(host.layout.networks, 'demo_back.json.4194305.tmp');
  writeFileSync(abandoned, '{');
  writeFileSync(join(host.layout.networks, `demo_front.json.${process.pid}.tmp`), '{');
  const { strays } = await observe({ host, stack: 'demo', withStrays: true });
  expect(strays).toEqual([{ kind: 'directory', name: abandoned }]);
});

test('what has no record is a stray: half-made directories and run directories nobody has', async () => {
  const whole = container(1);
  const half = 'a'.repeat(64);
  const other = 'b'.repeat(64);
  const left = 'c'.repeat(64);
  mkdirSync(host.layout.containerDir('demo', half), { recursive: true });
  mkdirSync(host.layout.containerDir('other', other), { recursive: true });
  for (const id of [whole.id, half, other, left]) mkdirSync(host.layout.containerRun(id), { recursive: true });
  const { strays, containers } = await observe({ host, stack: 'demo', withStrays: true });
  expect(containers).toHaveLength(1);
  expect(strays).toEqual([
    { kind: 'container', name: half },
    { kind: 'container', name: left },
  ]);
});

test('a damaged record is an error that says where and what next, and is no obstacle to down', async () => {
  const record = container(1);
  const path = join(host.layout.containerDir('demo', record.id), 'container.json');
  write(path, '{"id": "x');
  await expect(observe({ host, stack: 'demo' })).rejects.toMatchObject({
    code: 'state.damaged',
    message: expect.stringContaining(path),
    hint: expect.stringContaining('stack down'),
  });
  expect((await createEngine(host).recorded('demo')).services).toEqual({});
  expect(setDamagedAside(host, 'demo')).toHaveLength(1);
  const { strays } = await observe({ host, stack: 'demo', withStrays: true });
  expect(strays).toEqual([{ kind: 'container', name: record.id }]);
});

test('an empty record, as a power cut leaves it, is half made', async () => {
  const id = 'd'.repeat(64);
  write(join(host.layout.containerDir('demo', id), 'container.json'), '');
  const { strays, containers } = await observe({ host, stack: 'demo', withStrays: true });
  expect([containers, strays]).toEqual([[], [{ kind: 'container', name: id }]]);
});

test('so is a container with a record and nothing to start it from', async () => {
  const record = container(1);
  write(join(host.layout.containerDir('demo', record.id), 'program'), '');
  const { strays, containers } = await observe({ host, stack: 'demo', withStrays: true });
  expect([containers, strays]).toEqual([[], [{ kind: 'container', name: record.id }]]);
});

test('a plan counts left-overs, unless a command is at work on the stack', async () => {
  mkdirSync(host.layout.containerDir('demo', 'e'.repeat(64)), { recursive: true });
  const idle: Project = { name: 'demo', services: {}, networks: {}, volumes: {} };
  const engine = createEngine(host);
  const operations = async () => (await engine.plan(idle, { action: 'up' })).plan.operations.map(({ id }) => id);
  expect(await operations()).toEqual(['remove container eeeeeeeeeeee']);
  using _ = await lockStack(host, { stack: 'demo', command: 'stack up', emit() {} });
  expect(await operations()).toEqual([]);
});

test('a stack without its file is known by its records', async () => {
  container(1);
  container(2);
  network('demo_default', 'demo');
  const engine = createEngine(host);
  expect(engine.stacks()).toEqual(['demo']);
  expect(await engine.recorded('demo')).toEqual({
    name: 'demo',
    services: { web: { ...config, scale: 2 } },
    networks: { default: { name: 'demo_default', ipam: {} } },
    volumes: {},
  });
});

test('thirty containers are observed in a few milliseconds', async () => {
  for (let number = 1; number <= 30; number++) {
    const { id } = container(number);
    write(join(host.layout.containerRun(id), 'status'), 'state exited\npid 0\nshim 0\nexit_code 0\n');
  }
  await observe({ host, stack: 'demo', withStrays: true });
  const times: number[] = [];
  for (let round = 0; round < 20; round++) {
    const begun = performance.now();
    expect((await observe({ host, stack: 'demo', withStrays: true })).containers).toHaveLength(30);
    times.push(performance.now() - begun);
  }
  expect(Math.min(...times)).toBeLessThan(10);
});
