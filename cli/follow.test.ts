/** The follower over a stack whose containers and statuses are set by hand, and whose logs are real files. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Containers } from '../engine/containers/containers.ts';
import type { Engine } from '../engine/engine.ts';
import { layout } from '../engine/state/layout.ts';
import type { ContainerRecord, ContainerStatus } from '../schemas/container.ts';
import { type FollowOptions, StackFollower } from './follow.ts';

let home: string;
let isLocked: boolean;
let unlock: () => void;
let world: Map<string, { record: ContainerRecord; status: ContainerStatus }>;
let watchers: Map<string, (status: ContainerStatus) => void>;
let told: string[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'stack-follow-'));
  mkdirSync(join(home, 'run/locks'), { recursive: true });
  mkdirSync(join(home, 'root/stacks/demo'), { recursive: true });
  appendFileSync(join(home, 'run/locks/demo'), '');
  isLocked = false;
  unlock = () => {};
  world = new Map();
  watchers = new Map();
  told = [];
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const places = () => layout({ STACK_ROOT: join(home, 'root'), STACK_RUN: join(home, 'run') });

function container(id: string, service: string, state: ContainerStatus['state'], finishedAt = ''): void {
  const record = { id, name: `demo-${service}-1`, stack: 'demo', service, number: 1, isOneOff: false };
  world.set(id, { record: record as ContainerRecord, status: { state, exitCode: 0, finishedAt } as ContainerStatus });
  mkdirSync(places().containerDir('demo', id), { recursive: true });
}

function write(id: string, text: string): void {
  const log = join(places().containerDir('demo', id), 'log');
  appendFileSync(log, `${new Date().toISOString().replace('Z', '000000Z')} stdout F ${text}\n`);
}

function change(id: string, state: ContainerStatus['state'], exitCode = 0): void {
  const one = world.get(id)!;
  one.status = { ...one.status, state, exitCode };
  watchers.get(id)?.(one.status);
}

function follow(options: Partial<FollowOptions> = {}): StackFollower {
  const flock = () => new Promise<boolean>((resolve) => (unlock = () => resolve(true)));
  const engine = {
    host: { layout: places(), kernel: { filesystem: { tryFlock: () => !isLocked, flock } } },
    observeContainers: () => [...world.values()],
  } as unknown as Engine;
  const containers = {
    status: (record: ContainerRecord) => world.get(record.id)!.status,
    watch(record: ContainerRecord, onChange: (status: ContainerStatus) => void) {
      watchers.set(record.id, onChange);
      onChange(world.get(record.id)!.status);
      return { [Symbol.dispose]: () => void watchers.delete(record.id) };
    },
  } as unknown as Containers;
  return new StackFollower(engine, containers, 'demo', {
    select: () => true,
    range: {},
    onLine: (record, { text }) => told.push(`${record.service}: ${text}`),
    onExit: (record, { exitCode }) => told.push(`${record.service} ended ${exitCode}`),
    ...options,
  });
}

test('the last line comes before the end, and the last end is the end of following', async () => {
  container('1', 'web', 'running');
  container('2', 'db', 'running');
  write('1', 'hello');
  using follower = follow();
  const run = follower.run();
  write('1', 'bye');
  change('1', 'exited', 3);
  write('2', 'bye');
  change('2', 'exited');
  await run;
  expect(told).toEqual(['web: hello', 'web: bye', 'web ended 3', 'db: bye', 'db ended 0']);
});

test('restarts go on, and each end is told once', async () => {
  container('1', 'web', 'running');
  using follower = follow();
  const run = follower.run();
  change('1', 'restarting', 1);
  write('1', 'again');
  change('1', 'running');
  change('1', 'exited', 2);
  change('1', 'exited', 2);
  await run;
  expect(told).toEqual(['web: again', 'web ended 2']);
});

test('a container that ended before anyone looked is told where asked, and only then', async () => {
  container('1', 'web', 'exited', '2026-11-23T12:00:05Z');
  container('2', 'db', 'exited', '2026-11-23T11:00:00Z');
  using follower = follow({ endsSince: '2026-11-23T12:00:00Z' });
  await follower.run();
  expect(told).toEqual(['web ended 0']);
});

test('a container made anew by a command at work is followed from its first line', async () => {
  container('1', 'web', 'running');
  using follower = follow({ range: { tail: 0 } });
  const run = follower.run();
  isLocked = true;
  change('1', 'exited');
  rmSync(places().containerDir('demo', '1'), { recursive: true });
  world.delete('1');
  container('2', 'web', 'running');
  write('2', 'new');
  await vi.waitFor(() => expect(told).toEqual(['web ended 0', 'web: new']));
  isLocked = false;
  unlock();
  change('2', 'exited');
  await run;
});

test('stopping tells the ends whose event is still on its way', async () => {
  container('1', 'web', 'running');
  container('2', 'db', 'running');
  using follower = follow();
  const run = follower.run();
  write('1', 'bye');
  watchers.clear();
  change('1', 'exited', 143);
  follower.stop();
  await run;
  expect(told).toEqual(['web: bye', 'web ended 143']);
});

test('nothing to follow is the end', async () => {
  using follower = follow();
  await follower.run();
  expect(told).toEqual([]);
});
