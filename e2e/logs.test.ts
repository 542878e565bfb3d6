/** What containers print, kept and followed. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { listed, scenario, shell } from './harness/scenario.ts';

const world = scenario();

test('both streams of every service are kept, with the prefix of the container', async () => {
  const stack = world.project('kept', {
    services: { a: shell('echo out; echo err >&2'), b: shell('echo other; printf "no newline"') },
  });
  await stack.ok(['up', '-d']);
  await until(
    'both have ended',
    async () => (await stack.ok(['ps', '-a', '--format', 'json'])).match(/exited/g)?.length === 2,
  );
  const done = await stack.stack(['logs']);
  const lines = `${done.stdout}${done.stderr}`.split('\n').map((line) => line.trim());
  expect(lines).toContainEqual(expect.stringMatching(/^a-1\s+\| out$/));
  expect(lines).toContainEqual(expect.stringMatching(/^a-1\s+\| err$/));
  expect(lines).toContainEqual(expect.stringMatching(/^b-1\s+\| no newline$/));
  const plain = await stack.stack(['logs', '--no-log-prefix', 'a']);
  expect(`${plain.stdout}${plain.stderr}`.split('\n').filter(Boolean).sort()).toEqual(['err', 'out']);
});

test('`--tail`, `-t` and `--since` choose lines', async () => {
  const stack = world.project('chosen', { services: { a: shell('seq 1 100') } });
  await stack.ok(['up', '-d']);
  await until('it has ended', async () => (await listed(stack, 'a')).State === 'exited');
  expect(await stack.ok(['logs', '--no-log-prefix', '--tail', '3'])).toBe('98\n99\n100\n');
  expect(await stack.ok(['logs', '--no-log-prefix', '--tail', '1', '-t'])).toMatch(/^\d{4}-\d\d-\d\dT\S+Z 100\n$/);
  expect((await stack.ok(['logs', '--no-log-prefix', '--since', '10m'])).split('\n')).toHaveLength(101);
  expect(await stack.ok(['logs', '--no-log-prefix', '--since', '2100-01-01T00:00:00Z'])).toBe('');
});

test('`logs -f` shows lines as they come and ends with the last container', async () => {
  const stack = world.project('followed', {
    services: {
      a: shell('echo first; until [ -e /go/on ]; do sleep 0.05; done; echo last', { volumes: ['./go:/go'] }),
    },
  });
  await stack.ok(['up', '-d']);
  const follow = stack.start(['logs', '-f']);
  await follow.output(/first/);
  stack.write('go/on', '');
  await follow.output(/last/);
  expect((await follow.exited).code).toBe(0);
});

test('`logs -f` ends at Ctrl-C and leaves the stack running', async () => {
  const stack = world.project('left', { services: { a: shell('echo first; exec sleep 1000000', { init: true }) } });
  await stack.ok(['up', '-d']);
  const follow = stack.start(['logs', '-f']);
  await follow.output(/first/);
  follow.kill('SIGINT');
  const { code, signal } = await follow.exited;
  expect([0, 130]).toContain(code ?? (signal === 'SIGINT' ? 130 : code));
  expect((await listed(stack, 'a')).State).toBe('running');
});

test('a log is rotated at its size, and read across its files', async () => {
  const logging = { driver: 'json-file', options: { 'max-size': '64k', 'max-file': '3' } };
  const stack = world.project('rotated', {
    services: {
      a: shell(
        'seq -f "line %06g of a log that grows" 1 6000 || true; i=0; while [ $i -lt 6000 ]; do i=$((i+1)); echo "line $i of a log that grows"; done',
        { logging },
      ),
    },
  });
  await stack.ok(['up', '-d']);
  await until('it has ended', async () => (await listed(stack, 'a')).State === 'exited', 60_000);
  const folder = join(world.host.root, 'stacks/rotated', (await listed(stack, 'a')).ID);
  const found = existsSync(folder)
    ? folder
    : join(world.host.root, 'stacks/rotated', readdirSync(join(world.host.root, 'stacks/rotated'))[0]!);
  const files = readdirSync(found).filter((file) => file.startsWith('log'));
  expect(files).toHaveLength(3);
  const lines = (await stack.ok(['logs', '--no-log-prefix'])).trimEnd().split('\n');
  expect(lines.at(-1)).toBe('line 6000 of a log that grows');
  expect(lines.length).toBeGreaterThan(1000);
  expect(lines.length).toBeLessThan(6000);
});

test('long lines and bytes that are no text come through whole', async () => {
  const stack = world.project('bytes', {
    services: { a: shell('head -c 100000 /dev/zero | tr "\\0" x; echo; printf "\\303\\251\\n"') },
  });
  await stack.ok(['up', '-d']);
  await until('it has ended', async () => (await listed(stack, 'a')).State === 'exited');
  expect(await stack.ok(['logs', '--no-log-prefix'])).toBe(`${'x'.repeat(100_000)}\né\n`);
});

test('a container that prints a lot is not held up by nobody reading', async () => {
  const stack = world.project('loud', { services: { a: shell('yes | head -c 20000000') } });
  await stack.ok(['up', '-d']);
  await until('it has ended', async () => (await listed(stack, 'a')).State === 'exited', 60_000);
  expect((await listed(stack, 'a')).ExitCode).toBe(0);
});
