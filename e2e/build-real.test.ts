/** Three images as people build them, from the examples: built, started and asked to do what they are for. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { folderOf } from '../scripts/base-images/packages.ts';
import { places } from '../scripts/base-images/places.ts';
import { repository } from './harness/harness.ts';
import { scenario } from './harness/scenario.ts';

const world = scenario();

function example(name: string) {
  const project = world.project(name);
  cpSync(join(repository, 'examples', name), project.folder, { recursive: true });
  return project;
}

test('a node service: made where its tests pass, and left alone where they do not', async () => {
  const stack = example('node-service');
  const up = await stack.stack(['up', '-d', '--wait']);
  expect(up, up.stderr).toMatchObject({ code: 0 });
  const hello = () => world.host.answered('http://127.0.0.1:8080/?name=Ada');
  expect(JSON.parse(await hello())).toEqual({ hello: 'Ada', version: '1' });

  stack.write('greeting.mjs', 'export const greeting = () => ({ hello: "nobody" });\n');
  const failed = await stack.stack(['up', '-d', '--build', '--wait']);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(/Dockerfile:7:1.*RUN node --test exited with 1/);
  expect(failed.stderr).toMatch(/changed since it was built: greeting\.mjs/);
  expect(JSON.parse(await hello())).toEqual({ hello: 'Ada', version: '1' });
});

test('PostgreSQL with an extension out of a Debian package', async () => {
  const stack = example('postgres-extension');
  // The index and the package as a mirror has them, over apt's proxy: nothing here reaches beyond this host.
  const proxy = await world.host.background(
    [process.execPath, join(repository, 'e2e/build/debian-proxy.mjs'), folderOf(places()), '3142'],
    /serving/,
  );
  try {
    const built = await stack.stack(['build', '--build-arg', 'http_proxy=http://192.0.2.1:3142']);
    expect(built, built.stderr).toMatchObject({ code: 0 });
  } finally {
    await proxy.stop();
  }
  const up = await stack.stack(['up', '-d', '--wait']);
  expect(up, up.stderr).toMatchObject({ code: 0 });
  const select = 'SELECT version FROM release ORDER BY version DESC LIMIT 2';
  expect(await stack.ok(['exec', '-T', 'db', 'psql', '-U', 'postgres', '-Atc', select])).toBe('1.10.0\n1.10.0-rc.1\n');
});

test('a C++ program: compiled in one stage, tested in another, run from a small image', async () => {
  const stack = example('cpp-program');
  const up = await stack.stack(['up']);
  expect(up, up.stderr).toMatchObject({ code: 0 });
  expect(up.stdout).toMatch(/9592 primes below 100000/);
  // Of the compiler nothing came along, and what was compiled is not compiled again.
  expect(await stack.ok(['run', '--rm', '-T', '--entrypoint', 'ls', 'primes', '/usr/bin'])).not.toMatch(/g\+\+/);
  expect((await stack.stack(['build'])).stderr).not.toMatch(/ DONE /);
  const more = await stack.stack(['up'], { env: { LIMIT: '1000' } });
  expect(more.stdout).toMatch(/168 primes below 1000\b/);
});
