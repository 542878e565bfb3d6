/** `stack lock`, `stack update` and `up --frozen` against a real registry whose tags move. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Project } from './harness/harness.ts';
import { registries } from './harness/registries.ts';
import { expectError, idle, list, scenario } from './harness/scenario.ts';

const world = scenario();
const { serve } = registries(world);
const at = '127.0.0.1:5016';
const app = `${at}/app:1`;

let isServed = false;
/** Lets the tag mean an image with this word in it; gives the digest it has at the registry. */
async function publish(word: string): Promise<string> {
  const { host } = world;
  if (!isServed) await serve(at);
  isServed = true;
  const stack = world.project(`maker-${word}`, { services: { app: { image: app, build: { context: '.' } } } });
  stack.write('Dockerfile', `FROM busybox:1\nRUN echo ${word} > /word\n`);
  await stack.ok(['build']);
  await stack.ok(['push']);
  await stack.ok(['image', 'rm', app]);
  return host.read(`skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://${app}`);
}

const lockOf = (stack: Project) => readFileSync(join(stack.folder, 'stack.lock'), 'utf8');
const word = (stack: Project) => stack.ok(['exec', '-T', 'web', 'cat', '/word']);
const short = (digest: string) => digest.slice(0, 'sha256:'.length + 12);

const file = { services: { web: { ...idle, image: app }, side: idle } };

test('a tag that moves: the lock stays, frozen takes what is locked, update takes the new one', async () => {
  const one = await publish('one');
  const stack = world.project('locked', file);
  expect(await stack.ok(['lock'])).toContain(`+ image ${app}`);
  const before = lockOf(stack);
  expect(before).toContain(`digest: ${one}`);
  expect(before).toMatch(new RegExp(`linux/amd64\\S*: ${one}`));
  const resolved = await stack.ok(['config', '--resolve-image-digests']);
  expect(resolved).toContain(`${app}@${one}`);
  expect(await stack.ok(['config', '--lock-image-digests'])).toContain(`${app}@${one}`);

  const two = await publish('two');
  expect(two).not.toBe(one);
  expect(await stack.ok(['lock'])).toBe('No changes.\n');
  expect(lockOf(stack)).toBe(before);
  await stack.ok(['up', '-d', '--frozen']);
  expect(await word(stack)).toBe('one\n');
  expect(await stack.stack(['plan', '--frozen'])).toMatchObject({ code: 0 });

  // The tag is not in the store: without --frozen its name is looked up.
  await stack.ok(['image', 'pull', app]);
  const plan = await stack.stack(['plan']);
  expect([plan.code, plan.stdout]).toEqual([2, expect.stringContaining('recreate container locked-web-1')]);
  expect(plan.stderr).toContain(`${app} is ${short(two)}… here and ${short(one)}… in stack.lock`);

  expect(await stack.ok(['update', 'web'])).toBe(`~ image ${app}  ${short(one)} → ${short(two)}\n`);
  // A frozen plan stays frozen: the lock counts as the stack file does.
  const renewed = lockOf(stack);
  expect((await stack.stack(['plan', '--frozen', '-t', '0', '-o', 'plan.json'])).code).toBe(2);
  stack.write('stack.lock', before);
  expectError(await stack.stack(['up', '-d', '--plan', 'plan.json']), 1, /services\.web\.image changed/);
  stack.write('stack.lock', renewed);
  await stack.ok(['up', '-d', '--plan', 'plan.json']);
  expect(await word(stack)).toBe('two\n');
  const ids = async () => (await list(stack)).map(({ ID }) => ID);
  const made = await ids();
  // The same image by its tag and by its digest: nothing is recreated for how it is called.
  expect(await stack.stack(['plan'])).toMatchObject({ code: 0, stderr: '' });
  await stack.ok(['up', '-d']);
  await stack.ok(['up', '-d', '--frozen']);
  expect(await ids()).toEqual(made);
});

test('without a network a frozen stack comes up from what is in the store', async () => {
  await publish('offline');
  const stack = world.project('offline', file);
  await stack.ok(['lock']);
  await stack.ok(['up', '-d', '--frozen']);
  await stack.ok(['down', '-t', '0']);
  const settings = stack.write('none.json', JSON.stringify({ cgroupParent: world.host.cgroupParent }));
  const nowhere = {
    env: { STACK_SETTINGS: settings, HTTP_PROXY: 'http://127.0.0.1:9', http_proxy: 'http://127.0.0.1:9', NO_PROXY: '' },
  };
  await stack.ok(['up', '-d', '--frozen'], nowhere);
  expect(await word(stack)).toBe('offline\n');
  await stack.ok(['lock', '--check'], nowhere);
});

test('a lock that is missing, lacks something, or locked other inputs is refused, all at once', async () => {
  const stack = world.project('refused', { services: { web: { build: '.' } } });
  stack.write('Dockerfile', 'FROM busybox:1\nCMD ["sleep", "1000000"]\n');
  for (const args of [['up', '-d', '--frozen'], ['plan', '--frozen'], ['update'], ['lock', '--check']]) {
    expectError(await stack.stack(args), 1, /There is no .*stack\.lock/, /stack lock/);
  }
  await stack.ok(['lock']);
  const before = lockOf(stack);
  // The lock lies in the context, and says nothing about itself.
  await stack.ok(['lock', '--check']);
  stack.write('Dockerfile', 'FROM busybox:1\nENV A=1\nCMD ["sleep", "1000000"]\n');
  stack.define({ services: { web: { build: '.' }, side: idle } });
  const done = await stack.stack(['up', '-d', '--frozen']);
  expectError(done, 1, /no digest of the image busybox:1/, /services?[. ]web is built from/, /stack update web/);
  expect(await list(stack)).toEqual([]);
  expect(lockOf(stack)).toBe(before);
  await stack.ok(['lock']);
  expect(await stack.ok(['update', 'web'])).toMatch(/^~ build web +sha256:\w{12} → sha256:\w{12}\n$/);
  await stack.ok(['up', '-d', '--frozen']);
  expect(await list(stack)).toHaveLength(2);
});

test('a hostile lock is refused, and a registry that fails leaves the lock as it is', async () => {
  const stack = world.project('hostilelock', { services: { web: idle } });
  await stack.ok(['lock']);
  const before = lockOf(stack);
  stack.write('stack.lock', 'version: 1\nimages: &a {x: *a}\nbuilds: {}\n');
  expectError(await stack.stack(['up', '-d', '--frozen']), 1, /stack\.lock is no lock/);
  await world.host.read(`cd ${stack.folder} && rm stack.lock && mkfifo stack.lock`);
  expectError(await stack.stack(['plan']), 1, /it is no file/);
  await world.host.read(`cd ${stack.folder} && rm stack.lock`);
  stack.write('stack.lock', before);
  stack.define({ services: { web: idle, other: { image: 'no-such-image:9' }, more: { image: 'nor-this:1' } } });
  expectError(await stack.stack(['lock']), 1, /no-such-image:9/, /nor-this:1/);
  expectError(await stack.stack(['update']), 1, /no-such-image:9/);
  expectError(await stack.stack(['update', 'wev']), 1, /no such service: wev/, /web/);
  expect(lockOf(stack)).toBe(before);
  expect(existsSync(`${stack.folder}/stack.lock.tmp`)).toBe(false);
});
