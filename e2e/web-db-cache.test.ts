/** The product's promise in one story, on the example a person runs. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repository } from './harness/harness.ts';
import { list, scenario } from './harness/scenario.ts';

const world = scenario();

function example(name: string) {
  const project = world.project(name);
  cpSync(join(repository, 'examples', name), project.folder, { recursive: true });
  return project;
}

const ids = (containers: { Service: string; ID: string }[]) =>
  Object.fromEntries(containers.map(({ Service, ID }) => [Service, ID]));

test('a web service, a database and a cache come up, answer, change one by one, and go without a trace', async () => {
  const stack = example('web-db-cache');
  await stack.ok(['up', '-d', '--wait']);
  const url = 'http://127.0.0.1:8080/';
  const first = JSON.parse((await world.host.request(url)).body!);
  expect(first).toMatchObject({ visits: 1, previous: null, database: expect.stringMatching(/^PostgreSQL 15/) });
  const second = JSON.parse((await world.host.request('http://192.0.2.1:8080/', { from: 'outside' })).body!);
  expect(second).toMatchObject({ visits: 2, previous: 1, servedBy: first.servedBy });

  const before = await list(stack);
  expect(before.map(({ Service, State, Health }) => [Service, State, Health])).toEqual([
    ['cache', 'running', 'healthy'],
    ['db', 'running', 'healthy'],
    ['web', 'running', 'healthy'],
  ]);
  // After `up -d` only the containers and one monitor each are left.
  expect(world.host.processes().filter((line) => /stack\.js|bin\/stack/.test(line))).toEqual([]);

  const unchanged = await stack.stack(['plan']);
  expect(unchanged).toMatchObject({ code: 0 });
  await stack.ok(['up', '-d']);
  expect(ids(await list(stack))).toEqual(ids(before));

  const env = { WEB_PORT: '8081' };
  const plan = await stack.stack(['plan'], { env });
  expect(plan.code).toBe(2);
  expect(plan.stdout).toMatch(/web/);
  expect(plan.stdout).toMatch(/ports/);
  await stack.ok(['up', '-d', '--wait'], { env });
  const after = await list(stack);
  expect(ids(after)).toMatchObject({ db: ids(before).db, cache: ids(before).cache });
  expect(ids(after).web).not.toBe(ids(before).web);
  expect(JSON.parse(await world.host.answered('http://127.0.0.1:8081/'))).toMatchObject({ visits: 3, previous: 2 });
  expect(await world.host.request(url)).toEqual({ error: 'ECONNREFUSED' });

  await stack.ok(['down']);
  expect(await world.host.leaks({ volumes: false })).toEqual([]);
  await stack.ok(['up', '-d', '--wait']);
  expect(JSON.parse((await world.host.request(url)).body!)).toMatchObject({ visits: 4, previous: null });
  await stack.ok(['down', '-v']);
  expect(await world.host.leaks()).toEqual([]);
});

test('a static site shows a file of the host as it is now', async () => {
  const stack = example('static-site');
  await stack.ok(['up', '-d', '--wait']);
  expect(await world.host.answered('http://127.0.0.1:8080/')).toContain('It works');
  stack.write('site/index.html', '<h1>edited</h1>');
  expect(await world.host.answered('http://127.0.0.1:8080/')).toBe('<h1>edited</h1>');
});

test('a service starts after the job it depends on, and shows what the job made', async () => {
  const stack = example('job-then-web');
  await stack.ok(['up', '-d'], { env: { READER: 'the test' } });
  expect(await world.host.answered('http://127.0.0.1:8080/')).toBe('<h1>made by the-job for the test</h1>\n');
  expect((await list(stack)).map(({ Service, State, ExitCode }) => [Service, State, ExitCode])).toEqual([
    ['build-page', 'exited', 0],
    ['web', 'running', 0],
  ]);
});

test('replicas behind one name answer in turn', async () => {
  const stack = example('replicas');
  await stack.ok(['up', '-d']);
  await world.host.answered('http://127.0.0.1:8080/');
  const answers = new Set<string>();
  for (let turn = 0; turn < 9; turn++) answers.add(await world.host.answered('http://127.0.0.1:8080/'));
  expect(answers.size).toBe(3);
  const shown = await stack.ok(['exec', '-T', 'front', 'getent', 'ahostsv4', 'worker']);
  expect(new Set(shown.match(/^\S+/gm)).size).toBe(3);
});
