/** `stack volume`, and the volumes it makes in stacks. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { expectError, idle, scenario } from './harness/scenario.ts';

const world = scenario();

const volume = (...args: string[]) => world.host.stack(['volume', ...args]);
async function ok(...args: string[]): Promise<string> {
  const done = await volume(...args);
  expect(done.stderr).toBe('');
  expect(done.code).toBe(0);
  return done.stdout;
}

test('a volume made by hand is the external one of a stack, and stays when the stack goes', async () => {
  expect(
    await ok('create', '--label', 'stage=test', '-o', 'type=tmpfs', '-o', 'device=tmpfs', '-o', 'o=size=1m', 'kept'),
  ).toBe('kept\n');
  expect(await ok('create', 'kept')).toBe('kept\n');
  expectError(await volume('create', '-o', 'type=tmpfs', '-o', 'device=other', 'kept'), 1, /kept exists already/);
  const stack = world.project('byhand', {
    services: { one: { ...idle, volumes: ['data:/data'] } },
    volumes: { data: { external: true, name: 'kept' } },
  });
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/proc/mounts'])).toMatch(/ \/data tmpfs \S*size=1024k/);
  const [{ Options, Labels, Mountpoint }] = JSON.parse(await ok('inspect', 'kept')) as [Record<string, string>];
  expect([Options, Labels]).toEqual([{ type: 'tmpfs', device: 'tmpfs', o: 'size=1m' }, { stage: 'test' }]);
  expectError(await volume('rm', 'kept'), 1, /volume kept is in use by byhand-one-1/);
  expectError(await volume('rm', 'none'), 1, /There is no volume none/);
  await stack.ok(['down', '-v']);
  expect(await ok('ls', '-q', '-f', 'label=stage=test')).toBe('kept\n');
  expect(await ok('rm', 'kept')).toBe('kept\n');
  expect(await ok('rm', '-f', 'kept')).toBe('kept\n');
  expect(existsSync(Mountpoint!)).toBe(false);
});

test('an external volume that is not there is refused with the command that makes it', async () => {
  const stack = world.project('absent', {
    services: { one: { ...idle, volumes: ['data:/data'] } },
    volumes: { data: { external: true, name: 'absent' } },
  });
  expectError(await stack.stack(['up', '-d']), 1, /stack volume create absent/);
});

test('prune removes what has no name and no container; with -a what has one, too', async () => {
  const anonymous = (await ok('create')).trim();
  expect(anonymous).toMatch(/^[0-9a-f]{64}$/);
  await ok('create', 'named');
  const stack = world.project('used', {
    services: { one: { ...idle, volumes: ['data:/data', '/anonymous'] } },
    volumes: { data: {} },
  });
  await stack.ok(['up', '-d']);
  const used = (await ok('ls', '-q', '-f', 'dangling=false')).trim().split('\n');
  expect(used).toHaveLength(2);
  expect(await ok('prune', '-f')).toMatch(new RegExp(`^Deleted Volumes:\n${anonymous}\n\nTotal reclaimed space: `));
  expect(await ok('prune', '-a', '-f')).toMatch(/^Deleted Volumes:\nnamed\n\n/);
  expect((await ok('ls', '-q')).trim().split('\n')).toEqual(used);
  expectError(await volume('prune'), 1, /nobody can be asked/);
});

test('options that no volume can have are refused before anything is made', async () => {
  expectError(await volume('create', '-d', 'rexray', 'x'), 1, /plugin of docker/);
  expectError(
    await volume('create', '-o', 'size=1g', 'x'),
    1,
    /volume x: the file system of \S+ keeps no quotas of projects: E/,
    /prjquota/,
  );
  expectError(await volume('create', 'a/b'), 1, /cannot be the name of a volume/);
  expect(await ok('ls', '-q')).toBe('');
});
