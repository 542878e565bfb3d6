/** What commands make of images that are built, beyond building them. */
import { expect, test } from 'vitest';
import { scenario } from './harness/scenario.ts';

const world = scenario();
const text = 'FROM busybox:1\nRUN echo x > /x\nCMD ["sleep", "1000000"]\n';
const build = { context: '.', dockerfile_inline: text };
const names = async () => (await world.host.stack(['image', 'ls', '--format', '{{.Repository}}'])).stdout.split('\n');

test('down --rmi: the images that were built, or all; those in use stay', async () => {
  const services = { own: { build }, named: { build, image: 'named:1' } };
  const stack = world.project('rmi', { services });
  const other = world.project('other', { services: { user: { image: 'named:1', pull_policy: 'never' } } });
  await stack.ok(['up', '-d']);
  await other.ok(['up', '-d']);
  expect(await names()).toEqual(expect.arrayContaining(['rmi-own', 'named']));
  const local = await stack.stack(['down', '-t', '1', '--rmi', 'local']);
  expect(local, local.stderr).toMatchObject({ code: 0 });
  expect(await names()).not.toContain('rmi-own');
  expect(await names()).toContain('named');
  const used = await stack.stack(['down', '--rmi', 'all']);
  expect(used, used.stderr).toMatchObject({ code: 0 });
  expect(used.stderr).toMatch(/warning: .*named/);
  expect(await names()).toContain('named');
  await other.ok(['down', '-t', '1', '--rmi', 'all']);
  expect(await names()).not.toContain('named');
});

test('a stack that builds nothing says so', async () => {
  const done = await world.project('nothing', { services: { web: { image: 'busybox:1' } } }).stack(['build']);
  expect(done).toMatchObject({ code: 0 });
  expect(done.stderr).toMatch(/nothing to build/);
});

test('a step may take no more memory than the flag says', async () => {
  const limit = 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true';
  const own = { context: '.', dockerfile_inline: `FROM busybox:1\nRUN ${limit}\n` };
  const stack = world.project('memory', { services: { web: { build: own } } });
  const built = await stack.stack(['build', '--memory', '64m']);
  expect(built, built.stderr).toMatchObject({ code: 0 });
  expect(built.stderr).toMatch(/^#\d+ 67108864$/m);
});

test('build --check tells of a Dockerfile of several services once, and says where there is nothing to tell', async () => {
  const stack = world.project('checked', { services: { one: { build: '.' }, two: { build: '.' } } });
  const check = async (text: string) => {
    stack.write('Dockerfile', text);
    return stack.stack(['build', '--check']);
  };
  expect(await check('FROM busybox:1\nCMD ["true"]\n')).toMatchObject({
    code: 0,
    stdout: 'Check complete, no warnings found.\n',
  });
  const warned = await check('FROM busybox:1\nMAINTAINER me\n');
  expect(warned).toMatchObject({ code: 1, stdout: '' });
  expect(warned.stderr.match(/MaintainerDeprecated/g)).toHaveLength(1);
  const wrong = await check('FORM busybox:1\n');
  expect(wrong.code).toBe(1);
  expect(wrong.stderr.match(/Unknown instruction/g)).toHaveLength(1);
});
