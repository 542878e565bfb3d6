/** The image store as its user sees it: names, archives, history, differences, and room made without hurting a container. */
import { expect, test } from 'vitest';
import { idle, scenario } from './harness/scenario.ts';

const world = scenario();

test('tag, save, remove and load again: the same image; history, inspect and diff tell of it', async () => {
  const { host } = world;
  const image = async (...args: string[]) => {
    const done = await host.stack(['image', ...args]);
    expect(done, args.join(' ')).toMatchObject({ code: 0 });
    return done.stdout;
  };
  const archive = `${host.folder}/saved.tar`;
  await image('pull', '-q', 'busybox:1', 'redis:7');
  const id = (await image('ls', '-q', '--no-trunc', 'busybox:1')).trim();
  await image('tag', 'redis:7', 'a/redis:7');
  await image('rm', 'redis:7');
  expect(await image('pull', '-q', 'redis:7')).toBe('docker.io/library/redis:7\n');
  await image('rm', 'a/redis:7');
  await image('tag', 'busybox:1', 'team/box:2');
  expect((await image('ls', '--format', '{{.Repository}}:{{.Tag}}', '--filter', 'reference=team/*')).trim()).toBe(
    'team/box:2',
  );
  await image('save', '-o', archive, 'team/box:2', 'redis:7');
  expect(await image('rm', 'busybox:1')).toBe('Untagged: docker.io/library/busybox:1\n');
  expect(await image('rm', '-f', id)).toContain(`Deleted: ${id}`);
  expect(await image('load', '-q', '-i', archive)).toContain('Loaded image: docker.io/team/box:2');
  expect((await image('inspect', '-f', '{{.Id}}', 'team/box:2')).trim()).toBe(id);
  const folder = `${host.folder}/layout`;
  const loaded = await host.read(
    `mkdir ${folder} && tar -C ${folder} -xf ${archive} && skopeo inspect --raw oci:${folder}:docker.io/team/box:2; rm -r ${folder}`,
  );
  expect(JSON.parse(loaded).config.digest).toBe(id);
  expect(await image('history', 'team/box:2')).toMatch(/^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\n/);
  expect(await image('diff', 'team/box:2', 'redis:7')).toMatch(/^A .*redis-server$/m);
  const gone = await host.stack(['image', 'save', '-o', archive, 'absent']);
  expect(gone.code).toBe(1);
  await image('rm', 'team/box:2');
  await host.read(`rm ${archive}`);
});

test('room is made of what no container of any stack uses, also not a stopped one', async () => {
  const { host } = world;
  const stack = world.project('keeps', { services: { one: idle } });
  await stack.ok(['up', '-d']);
  await stack.ok(['stop', '-t', '0']);
  await host.stack(['image', 'pull', '-q', 'redis:7']);
  const rows = (await host.stack(['system', 'df', '--format', 'json'])).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows.map(({ Type }) => Type)).toEqual(['Images', 'Containers', 'Local Volumes', 'Build Cache']);
  expect(rows[1]).toMatchObject({ TotalCount: '1', Active: '0' });
  expect((await host.stack(['system', 'df', '-v'])).stdout).toMatch(/redis +7 .* 0\n/);
  for (const command of [
    ['image', 'prune', '-a', '-f'],
    ['gc', '--keep', '0'],
  ]) {
    const done = await host.stack(command);
    expect(done).toMatchObject({ code: 0 });
    expect(done.stdout).toContain('Total reclaimed space');
  }
  expect((await host.stack(['image', 'ls'])).stdout).not.toMatch(/redis/);
  expect((await host.stack(['image', 'rm', 'busybox:1'])).stderr).toContain('keeps-one-1');
  expect((await host.stack(['image', 'prune'])).stderr).toMatch(/-f/);
  // By force its name goes; the container goes on with what it was made from.
  expect((await host.stack(['image', 'rm', '-f', 'busybox:1'])).stdout).toBe('Untagged: docker.io/library/busybox:1\n');
  expect((await host.stack(['gc', '--keep', '0'])).code).toBe(0);
  await stack.ok(['start']);
  expect(await stack.ok(['exec', '-T', 'one', 'echo', 'alive'])).toBe('alive\n');
  expect(await host.stack(['system', 'check'])).toMatchObject({ code: 0, stdout: 'Nothing is missing or damaged.\n' });
});

test('removals while a stack comes up take nothing from it', async () => {
  const { host } = world;
  const stack = world.project('racing', { services: { one: idle, two: idle } });
  for (let round = 0; round < 3; round++) {
    await host.stack(['image', 'pull', '-q', 'busybox:1']);
    const removals = Array.from({ length: 4 }, (_, at) =>
      host.stack(at % 2 ? ['gc', '--keep', '0'] : ['image', 'rm', 'busybox:1']),
    );
    // Where one was first, the image is pulled anew.
    await stack.ok(['up', '-d']);
    await Promise.all(removals);
    expect(await stack.ok(['exec', '-T', 'two', 'echo', 'alive'])).toBe('alive\n');
    await stack.ok(['down', '-t', '0']);
  }
  expect(await host.stack(['system', 'check'])).toMatchObject({ code: 0 });
});
