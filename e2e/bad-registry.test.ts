/** Registries that are missing, refuse, or lie; archives that leave their root. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { repository, until } from './harness/harness.ts';
import { expectError, idle, type Listed, list, scenario } from './harness/scenario.ts';

const world = scenario();
const escaped = '/var/tmp/stack-escaped';
let lies: Record<string, string>;

beforeAll(async () => {
  const { host } = world;
  await host.background([process.execPath, join(repository, 'e2e/harness/liar.mjs'), '5001'], /ready/);
  const file = join(host.folder, 'lies.yaml');
  const registries = { 'docker.io': { mirrors: ['http://127.0.0.1:5001'], insecure: true } };
  writeFileSync(file, JSON.stringify({ registries, cgroupParent: host.cgroupParent }));
  lies = { STACK_SETTINGS: file };
});

test('an image that no registry has', async () => {
  const stack = world.project('missing', { services: { web: { image: 'no-such-image:9' }, fine: idle } });
  expectError(await stack.stack(['up', '-d']), 1, /no-such-image:9/, /has no no-such-image:9/);
  expect((await list(stack)).filter(({ State }) => State === 'running')).toEqual([]);
});

test('a registry that cannot be reached', async () => {
  const stack = world.project('unreachable', { services: { web: { image: 'localhost:1/thing:1' } } });
  expectError(await stack.stack(['up', '-d']), 1, /localhost:1/, /reach|refused/i);
});

test('a name that is none', async () => {
  const stack = world.project('nameless', { services: { web: { image: 'Not An Image' } } });
  expectError(await stack.stack(['up', '-d']), 1, /Not An Image/, /reference|name/i);
});

describe('a registry that lies', () => {
  const kinds: [string, RegExp][] = [
    ['digest', /digest/i],
    ['truncated', /truncated|short|digest|bytes/i],
    ['hang-up', /ended after \d+ of \d+ bytes/],
    ['html', /registry|manifest|protocol/i],
    ['config', /digest|diff/i],
  ];
  test.each(kinds)('%s', async (kind, words) => {
    const layers = () => world.host.read(`ls ${world.host.root}/layers 2>/dev/null | wc -l`);
    const before = await layers();
    const stack = world.project(`lie-${kind}`, { services: { web: { image: `${kind}:1` } } });
    expectError(await stack.stack(['up', '-d'], { env: lies }), 1, new RegExp(kind), words);
    expect(await layers()).toBe(before);
    expect((await world.host.stack(['image', 'ls'])).stdout).not.toContain(kind);
  });
});

test('while an image is on its way others start, and what exists waits; where it never comes, nothing has changed', async () => {
  const { host } = world;
  const stack = world.project('late', { services: { old: idle } });
  await stack.ok(['up', '-d']);
  const before = await list(stack);
  const identities = (containers: Listed[]) => containers.map(({ ID, State }) => `${ID} ${State}`);
  stack.define({ services: { old: { ...idle, user: 'nobody' }, quick: idle, late: { image: 'late:1' } } });
  const up = stack.stack(['up', '-d'], { env: lies });
  await until(
    'quick runs',
    async () => (await list(stack)).find((one) => one.Service === 'quick')?.State === 'running',
  );
  expect(identities(await list(stack))).toEqual(expect.arrayContaining(identities(before)));
  await host.read(`${process.execPath} -e "fetch('http://127.0.0.1:5001/release')"`);
  expectError(await up, 1, /has no blob .* of late:1/);
  expect(identities(await list(stack))).toEqual(identities(before));
});

describe('a layer that leaves its root', () => {
  test.each(['dots', 'absolute', 'symlink', 'hardlink'])('by %s', async (kind) => {
    rmSync(escaped, { force: true });
    const stack = world.project(`escape-${kind}`, { services: { web: { image: `escape-${kind}:1` } } });
    const done = await stack.stack(['up', '-d'], { env: lies });
    expect(existsSync(escaped)).toBe(false);
    if (kind === 'hardlink' || kind === 'dots')
      expectError(done, 1, new RegExp(`escape-${kind}`), /root|outside|leave/i);
    // Absolute names and links mean the image's own root, as every other tool reads them: nothing is outside.
    else expect(done.code).not.toBe(0);
    const inside = await world.host.read(`find ${world.host.root} -name stolen | wc -l`);
    expect(inside).toBe('0');
  });
});

test('an archive that leaves its root', async () => {
  const { host } = world;
  await host.read(
    `cd ${host.folder} && echo x > ${host.folder}/x && tar -P --transform 's,.*,../../../../../../..${escaped},' -cf bad.tar ${host.folder}/x`,
  );
  expectError(await host.stack(['image', 'load', '-i', `${host.folder}/bad.tar`]), 1, /bad\.tar|archive/);
  expect(existsSync(escaped)).toBe(false);
});

test('an archive that is none', async () => {
  const { host } = world;
  await host.read(
    `head -c 10000 /dev/urandom > ${host.folder}/noise.tar; head -c 100 /dev/zero > ${host.folder}/zero.tar`,
  );
  expectError(await host.stack(['image', 'load', '-i', `${host.folder}/noise.tar`]), 1, /noise\.tar|archive/);
  expectError(await host.stack(['image', 'load', '-i', `${host.folder}/zero.tar`]), 1, /zero\.tar|archive/);
  expectError(await host.stack(['image', 'load', '-i', `${host.folder}/absent.tar`]), 1, /absent\.tar/);
});
