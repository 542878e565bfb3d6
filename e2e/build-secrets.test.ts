/** What a build is told in confidence stays nowhere. */
import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { scenario } from './harness/scenario.ts';

const world = scenario();
const word = 'tops3cret-Zq81';

test('secrets are there for the steps that ask, and nowhere afterwards', async () => {
  const stack = world.project('secrets', {
    services: { web: { build: { context: '.', secrets: ['file', { source: 'variable', target: 'other' }] } } },
    secrets: { file: { file: './secret.txt' }, variable: { environment: 'HIDDEN' } },
  });
  stack.write('secret.txt', `${word}-file`);
  stack.write('.dockerignore', 'secret.txt\n');
  stack.write(
    'Dockerfile',
    `
FROM busybox:1
RUN --mount=type=secret,id=file stat -c '%a %u:%g' /run/secrets/file && wc -c < /run/secrets/file
RUN --mount=type=secret,id=file,target=/deep/er/s,mode=0440,uid=7,gid=8 stat -c '%a %u:%g' /deep/er/s
RUN --mount=type=secret,id=other,env=TOKEN test "$TOKEN" = ${'tops3cret'}-Zq81-variable
RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent
RUN test -z "$TOKEN" && test ! -e /run/secrets && test ! -e /deep
COPY . /all
`.replace('tops3cret-Zq81-variable', '"$(printf "%s-%s-%s" tops3cret Zq81 variable)"'),
  );
  const env = { HIDDEN: `${word}-variable` };
  const done = await stack.stack(['build', '--progress', 'plain'], { env });
  expect(done, done.stderr).toMatchObject({ code: 0 });
  expect(done.stderr).toMatch(/400 0:0/);
  expect(done.stderr).toMatch(/440 7:8/);
  expect(done.stdout + done.stderr).not.toContain(word);
  const history = await stack.ok(['image', 'history', '--no-trunc', 'secrets-web']);
  expect(history).not.toContain(word);
  const found = await world.host.read(
    `grep -rl ${word} ${world.host.root} ${world.host.run} ${world.host.folder}/tmp || true`,
  );
  expect(found).toBe('');
  // Another value is no other build.
  stack.write('secret.txt', 'changed');
  const again = await stack.stack(['build'], { env: { HIDDEN: `${word}-variable2` } });
  expect(again.stderr).not.toMatch(/ DONE /);
  expect(again.code).toBe(0);
});

test('a secret is on the machine as long as its step, and no longer', async () => {
  const stack = world.project('short', {
    services: { web: { build: { context: '.', secrets: ['one'] } } },
    secrets: { one: { environment: 'ONE' } },
  });
  stack.write(
    'Dockerfile',
    `FROM busybox:1
RUN --mount=type=secret,id=one echo first; sleep 1
RUN echo second; sleep 1
`,
  );
  const held = () => world.host.read(`grep -rl ${word} ${world.host.run} || true`);
  const live = stack.start(['build'], { env: { ONE: `${word}-short` } });
  await live.output(/^#\d+ first/m);
  expect(await held()).toMatch(/secret/);
  await live.output(/^#\d+ second/m);
  expect(await held()).toBe('');
  expect(await live.exited).toMatchObject({ code: 0 });
});

test('a required secret that was not handed over', async () => {
  const stack = world.project('required', { services: { web: { build: { context: '.' } } } });
  stack.write('Dockerfile', 'FROM busybox:1\nRUN --mount=type=secret,id=nobody,required=true true\n');
  const done = await stack.stack(['build']);
  expect(done.code).not.toBe(0);
  expect(done.stderr).toMatch(/Dockerfile:2/);
  expect(done.stderr).toMatch(/nobody/);
});

test('an ssh agent is there for the step that asks, and its key is not', async () => {
  const stack = world.project('agent', { services: { web: { build: { context: '.', ssh: ['default'] } } } });
  stack.write(
    'Dockerfile',
    [
      'FROM busybox:1',
      // SSH2_AGENTC_REQUEST_IDENTITIES and the answer's type, 12.
      `RUN --mount=type=ssh,uid=5,mode=0600 stat -c '%F %a %u' "$SSH_AUTH_SOCK" && printf '\\000\\000\\000\\001\\013' | nc local:"$SSH_AUTH_SOCK" | od -An -tu1 | head -n1`,
      'RUN test -z "$SSH_AUTH_SOCK" && test ! -e /run/buildkit',
    ].join('\n'),
  );
  const socket = `${world.host.folder}/tmp/agent`;
  const agent = await world.host.background(['ssh-agent', '-D', '-a', socket], /SSH_AUTH_SOCK/);
  try {
    // Longer than a socket's path may be.
    const far = `${world.host.folder}/tmp/${'far'.repeat(30)}`;
    const done = await stack.stack(['build'], { env: { SSH_AUTH_SOCK: socket, STACK_RUN: far } });
    rmSync(far, { recursive: true });
    expect(done, done.stderr).toMatchObject({ code: 0 });
    expect(done.stderr).toMatch(/socket 600 5/);
  } finally {
    await agent.stop();
  }
});
