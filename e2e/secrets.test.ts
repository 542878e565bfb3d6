/** Secrets and configs as the users of a container find them. */
import { expect, test } from 'vitest';
import { expectError, idle, list, scenario } from './harness/scenario.ts';

const world = scenario();

test('from a file, the environment and the stack file, with owner and mode, read-only, and made anew on a change', async () => {
  const stack = world.project('secrets', {
    services: {
      one: {
        ...idle,
        user: '1000',
        secrets: [
          'file',
          { source: 'env', target: 'renamed', uid: '1000', gid: '7', mode: 0o400 },
          { source: 'file', target: '/etc/own', uid: '1000', mode: 0o440 },
        ],
        configs: [{ source: 'text', target: '/etc/app.conf' }, 'text'],
      },
    },
    secrets: { file: { file: './secret.txt' }, env: { environment: 'TOKEN' } },
    configs: { text: { content: 'key = $$value\n' } },
  });
  stack.write('secret.txt', 'from a file');
  const env = { ...world.host.env, TOKEN: 'hunter2' };
  await stack.ok(['up', '-d'], { env });
  const script =
    'cd /run/secrets; cat file; echo; cat renamed; echo; cat /etc/app.conf /text; stat -c "%u %g %a" renamed /etc/own /etc/app.conf; (echo x > file) 2>&1 | grep -o "Read-only"';
  expect(await stack.ok(['exec', '-T', 'one', 'sh', '-c', script], { env })).toBe(
    'from a file\nhunter2\nkey = $value\nkey = $value\n1000 7 400\n1000 0 440\n0 0 444\nRead-only\n',
  );
  const [before] = await list(stack);
  await stack.ok(['up', '-d'], { env });
  expect((await list(stack))[0]!.ID).toBe(before!.ID);
  const changed = { ...env, TOKEN: 'hunter3' };
  const plan = await stack.stack(['plan'], { env: changed });
  expect([plan.code, plan.stdout]).toEqual([2, expect.stringContaining('because secrets.env changed')]);
  expect(plan.stdout).not.toContain('hunter');
  await stack.ok(['up', '-d', '-t', '0'], { env: changed });
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/run/secrets/renamed'], { env: changed })).toBe('hunter3');
});

test('a secret that is not there is told before anything runs', async () => {
  const file = (secret: object) => ({ services: { one: { ...idle, secrets: ['s'] } }, secrets: { s: secret } });
  const missing = world.project('missing', file({ file: './nothing' }));
  expectError(await missing.stack(['up', '-d']), 1, /services\.one\.secrets\.0: .*nothing does not exist/);
  missing.define(file({ environment: 'STACK_E2E_UNSET' }));
  expectError(await missing.stack(['up', '-d']), 1, /the variable STACK_E2E_UNSET is not set/);
  missing.define(file({ external: true }));
  expectError(await missing.stack(['up', '-d']), 1, /no store of this machine holds secrets/);
});

test('what was written for a container lies in the run directory alone, and is written anew after the machine was off', async () => {
  const stack = world.project('volatile', {
    services: { one: { ...idle, user: '1000', secrets: ['s'] } },
    secrets: { s: { environment: 'TOKEN' } },
  });
  const env = { ...world.host.env, TOKEN: 'hunter2-volatile' };
  await stack.ok(['up', '-d'], { env });
  const held = await world.host.sh(`grep -rl hunter2-volatile ${world.host.root}`);
  expect(held.stdout).toBe('');
  const mounts = await stack.ok(['exec', '-T', 'one', 'cat', '/proc/self/mounts'], { env });
  expect(mounts).toMatch(/ \/run\/secrets\/s \S+ ro,/);
  await stack.ok(['stop', '-t', '0'], { env });
  await world.host.read(`rm -r ${world.host.run}/containers/*/secrets`);
  expectError(await world.host.stack(['-p', 'volatile', 'start'], { cwd: '/' }), 1, /kept in memory/, /stack up/);
  await stack.ok(['up', '-d'], { env });
  expect(await stack.ok(['exec', '-T', 'one', 'cat', '/run/secrets/s'], { env })).toBe('hunter2-volatile');
});
