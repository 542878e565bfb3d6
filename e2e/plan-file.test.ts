/** `stack plan -o` and `stack up --plan`: exactly what was looked at, or nothing. */
import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Project } from './harness/harness.ts';
import { expectError, idle, list, scenario } from './harness/scenario.ts';

const world = scenario();

const file = (secret: string, more: object = {}) => ({
  services: { web: { ...idle, environment: { LOGIN: secret } }, db: { ...idle, ...more } },
});

/** Plans into a file, and gives its name. */
async function planned(stack: Project, args: string[] = []): Promise<string> {
  const plan = join(stack.folder, 'plan.json');
  const done = await stack.stack(['plan', '-o', plan, ...args]);
  expect([done.code, done.stderr]).toEqual([2, '']);
  return plan;
}

const ids = async (stack: Project) => (await list(stack)).map(({ Name, ID }) => `${Name} ${ID}`);

test('what was planned is done, and the plan holds no secret and is for its owner only', async () => {
  const stack = world.project('planned', file('hunter2'));
  const plan = await planned(stack);
  expect(statSync(plan).mode & 0o777).toBe(0o600);
  expect(readFileSync(plan, 'utf8')).not.toContain('hunter2');
  await stack.ok(['up', '-d', '--plan', plan]);
  expect((await list(stack)).map(({ Name, State }) => `${Name} ${State}`)).toEqual([
    'planned-db-1 running',
    'planned-web-1 running',
  ]);
  // Once done it fits no more: the world it was made in is gone.
  expectError(await stack.stack(['up', '-d', '--plan', plan]), 1, /container planned-db-1 .*not there → up/);
  expectError(await stack.stack(['--dry-run', 'up', '--plan', plan]), 1, /container planned-db-1 .*not there → up/);
  expect(await stack.stack(['plan', '-o', plan])).toMatchObject({ code: 0, stdout: 'No changes.\n' });
  const before = await ids(stack);
  await stack.ok(['up', '-d', '--plan', plan]);
  expect(await ids(stack)).toEqual(before);
});

test('services and flags are those it was made with', async () => {
  const stack = world.project('flagged', file('a'));
  const plan = await planned(stack, ['web', '--scale', 'web=2', '--no-start']);
  for (const beside of [['db'], ['--force-recreate'], ['--scale', 'web=1'], ['--no-deps'], ['--frozen'], ['-t', '1']]) {
    expectError(
      await stack.stack(['up', '-d', '--plan', plan, ...beside]),
      1,
      /--plan and .* cannot be given together/,
    );
  }
  await stack.ok(['up', '-d', '--plan', plan]);
  expect((await list(stack)).map(({ Name, State }) => `${Name} ${State}`)).toEqual([
    'flagged-web-1 created',
    'flagged-web-2 created',
  ]);
});

test('where the stack file says something else now, nothing is done, and what changed is said', async () => {
  const stack = world.project('rewritten', file('a'));
  const plan = await planned(stack);
  stack.define(file('b', { user: 'nobody' }));
  const done = await stack.stack(['up', '-d', '--plan', plan]);
  expectError(done, 1, /services\.web\.environment changed/, /services\.db\.user is new/, /stack plan -o/);
  expect(await list(stack)).toEqual([]);
});

test('a variable and a file of variables count as the stack file does', async () => {
  const web = { ...idle, user: '${WHO:-root}', env_file: 'env' };
  const stack = world.project('variable', { services: { web } });
  stack.write('env', 'B=1\n');
  const plan = await planned(stack);
  const other = await stack.stack(['up', '-d', '--plan', plan], { env: { WHO: 'nobody' } });
  expectError(other, 1, /services\.web\.user changed/);
  stack.write('env', 'B=2\n');
  expectError(await stack.stack(['up', '-d', '--plan', plan]), 1, /services\.web\.environment changed/);
});

test('where the machine is not as it was, nothing is done, and what moved is said', async () => {
  const stack = world.project('moved', file('a'));
  await stack.ok(['up', '-d']);
  stack.define(file('b'));
  const plan = await planned(stack);
  await stack.ok(['stop', '-t', '0', 'db']);
  const before = await ids(stack);
  const done = await stack.stack(['up', '-d', '--plan', plan]);
  expectError(done, 1, /container moved-db-1 \(\w{12}\): up, .* → stopped, /);
  expect(await ids(stack)).toEqual(before);
  await stack.ok(['start', 'db']);
  await stack.ok(['up', '-d', '--plan', plan]);
  const after = await ids(stack);
  expect(after.filter((line) => before.includes(line))).toHaveLength(1);
});

test('what a service is built from counts where the plan builds', async () => {
  const stack = world.project('builds', { services: { web: { build: { context: './app' } } } });
  stack.write('app/Dockerfile', 'FROM busybox:1\nCOPY a.txt /\nCMD ["sleep", "1000000"]\n');
  stack.write('app/a.txt', 'one');
  const plan = await planned(stack);
  stack.write('app/a.txt', 'two');
  expectError(await stack.stack(['up', '-d', '--plan', plan]), 1, /what services\.web is built from changed/);
  stack.write('app/a.txt', 'one');
  await stack.ok(['up', '-d', '--plan', plan]);
  expect(await stack.ok(['exec', '-T', 'web', 'cat', '/a.txt'])).toBe('one');
});

test('a file that is no plan of this machine is refused before anything is touched', async () => {
  const stack = world.project('hostile', file('a'));
  const plan = await planned(stack);
  const text = readFileSync(plan, 'utf8');
  const hostile: [string, RegExp][] = [
    ['', /not JSON/],
    [(await stack.stack(['plan', '--json'])).stdout, /another kind of file/],
    [text.replace('"version": 1', '"version": 2'), /later version/],
    [text.replace('"noDeps": false', '"noDeps": true'), /changed since/],
    [text.replace('"stack": "hostile"', '"stack": "other"'), /changed since/],
    ['['.repeat(100_000), /not JSON/],
  ];
  for (const [content, words] of hostile) {
    writeFileSync(plan, content);
    expectError(await stack.stack(['up', '-d', '--plan', plan]), 1, /no plan that can be applied here/, words);
  }
  await world.host.read(`rm ${plan}; mkfifo ${plan}`);
  expectError(await stack.stack(['up', '-d', '--plan', plan]), 1, /it is no file/);
  expectError(await stack.stack(['plan', '-o', plan]), 1, /cannot be written/);
  expectError(await stack.stack(['up', '-d', '--plan', '/dev/zero']), 1, /it is no file/);
  expectError(await stack.stack(['up', '-d', '--plan', 'not-there']), 1, /ENOENT/);
  expect(await list(stack)).toEqual([]);
});

test('a plan is not written through a link', async () => {
  const stack = world.project('linked', file('a'));
  const target = stack.write('target', 'kept');
  symlinkSync(target, join(stack.folder, 'plan.json'));
  expectError(await stack.stack(['plan', '-o', 'plan.json']), 1, /plan\.json/);
  expect(readFileSync(target, 'utf8')).toBe('kept');
});
