/** Services that a program of the machine provides, by docker's protocol. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { expectError, idle, list, scenario } from './harness/scenario.ts';

const world = scenario();

/** A provider that notes how it was called; `says` are lines of shell for `up`. */
function provider(says: string, metadata = 'exit 1'): { PATH: string; calls: () => Promise<string[]> } {
  const folder = `${world.host.folder}/bin-${Math.random().toString(36).slice(2)}`;
  mkdirSync(folder);
  const script = `#!/bin/sh
if [ "$2" = metadata ]; then ${metadata}; fi
echo "$*" >> ${folder}/calls
case "$3" in up) ${says} ;; esac
`;
  writeFileSync(`${folder}/cloud`, script);
  chmodSync(`${folder}/cloud`, 0o755);
  return {
    PATH: `${folder}:${world.host.env.PATH}`,
    calls: async () => (await world.host.read(`touch ${folder}/calls; cat ${folder}/calls`)).trimEnd().split('\n'),
  };
}

const file = (more: object = {}) => ({
  services: {
    database: { provider: { type: 'cloud', options: { type: 'mysql', size: 256, zone: ['a', 'b'], ...more } } },
    app: { ...idle, depends_on: ['database'], environment: { KEY: 'own' } },
    other: { ...idle },
  },
});

test('up hands its variables to those that depend on it, plan knows them, stop and down are told', async () => {
  const cloud = provider(
    [
      `echo '{"type":"info","message":"preparing"}'`,
      `echo '{"type":"debug","message":"quiet"}'`,
      `echo '{"type":"setenv","message":"URL=https://db:1/x=y"}'`,
      `echo '{"type":"rawsetenv","message":"KEY=given"}'`,
    ].join('; '),
  );
  const stack = world.project('cloud', file());
  const env = { ...world.host.env, PATH: cloud.PATH };
  const up = await stack.stack(['up', '-d'], { env });
  expect([up.code, up.stderr]).toEqual([0, expect.stringContaining('preparing')]);
  expect(up.stderr).toMatch(/environment\.KEY: the provider of database gives it another value/);
  expect(up.stderr).not.toContain('quiet');
  expect(await stack.ok(['exec', '-T', 'app', 'sh', '-c', 'echo $DATABASE_URL $KEY'])).toBe('https://db:1/x=y given\n');
  expect(await stack.ok(['exec', '-T', 'other', 'sh', '-c', 'echo "$DATABASE_URL"'])).toBe('\n');
  expect((await list(stack)).map(({ Service }) => Service)).toEqual(['app', 'other']);
  expect((await stack.stack(['plan'], { env })).code).toBe(0);
  const before = (await list(stack)).map(({ ID }) => ID);
  await stack.ok(['up', '-d'], { env });
  expect((await list(stack)).map(({ ID }) => ID)).toEqual(before);
  expect(await stack.ok(['run', '--rm', '-T', 'app', 'sh', '-c', 'echo $DATABASE_URL'], { env })).toBe(
    'https://db:1/x=y\n',
  );
  await stack.ok(['stop', '-t', '0'], { env });
  await stack.ok(['down', '-t', '0'], { env });
  const calls = await cloud.calls();
  expect(calls[0]).toBe('compose --project-name=cloud up --type=mysql --size=256 --zone=a --zone=b database');
  expect(calls.map((call) => call.split(' ')[2])).toEqual(['up', 'up', 'up', 'down']);
  expect(existsSync(`${world.host.root}/providers/cloud.json`)).toBe(false);
});

test('what a provider says of itself decides which options it gets, and whether it is told to stop', async () => {
  const metadata = JSON.stringify({
    description: 'x',
    up: {
      parameters: [
        { name: 'type', required: true },
        { name: 'region', required: false },
      ],
    },
    down: { parameters: [] },
    stop: { parameters: [] },
  });
  const cloud = provider('true', `echo '${metadata}'; exit 0`);
  const env = { ...world.host.env, PATH: cloud.PATH };
  const stack = world.project('told', file());
  await stack.ok(['up', '-d'], { env });
  await stack.ok(['stop', '-t', '0'], { env });
  await stack.ok(['down', '-t', '0'], { env });
  expect(await cloud.calls()).toEqual([
    'compose --project-name=told up --type=mysql database',
    'compose --project-name=told stop database',
    'compose --project-name=told down database',
  ]);
});

test.each([
  [`echo '{"type":"error","message":"quota exceeded"}'`, /provider of database failed to up: quota exceeded/],
  ['echo hello', /it said what is no message: hello/],
  [`echo '{"type":"setenv","message":"nothing"}'`, /it set no variable/],
  [`echo '{"type":"other","message":"x"}'`, /unknown type: other/],
  ['echo broken >&2; exit 3', /it exited with 3: broken/],
])('a provider that fails starts nothing: %s', async (says, words) => {
  const cloud = provider(says);
  const stack = world.project('failing', file());
  expectError(await stack.stack(['up', '-d'], { env: { ...world.host.env, PATH: cloud.PATH } }), 1, words);
  expect(await list(stack)).toEqual([]);
});

test('a provider that is not there, and one that would wait for a container', async () => {
  const stack = world.project('missing', file());
  expectError(await stack.stack(['up', '-d']), 1, /there is no provider "cloud" on this machine/);
  const late = world.project('late', { services: { db: { provider: { type: 'cloud' }, depends_on: ['a'] }, a: idle } });
  expectError(await late.stack(['up', '-d']), 1, /providers are brought up before any container/);
});

test('a plan that fits no more, a dry run and --no-deps ask no provider', async () => {
  const cloud = provider(`echo '{"type":"setenv","message":"URL=one"}'`);
  const stack = world.project('asked', file());
  const env = { ...world.host.env, PATH: cloud.PATH };
  const dry = await stack.stack(['--dry-run', 'up', '-d'], { env });
  expect([dry.code, dry.stderr]).toEqual([0, expect.stringMatching(/DRY-RUN MODE - {2}Up provider database /)]);
  const plan = `${stack.folder}/plan.json`;
  expect((await stack.stack(['plan', '-o', plan], { env })).code).toBe(2);
  await stack.ok(['up', '-d', '--no-deps', 'other'], { env });
  expectError(await stack.stack(['up', '-d', '--plan', plan], { env }), 1, /container asked-other-1 .*not there → up/);
  await stack.ok(['up', '-d', '--no-deps', 'app'], { env });
  expect(await cloud.calls()).toEqual(['']);
  await stack.ok(['up', '-d'], { env });
  expect(await cloud.calls()).toHaveLength(1);
  expect((await stack.stack(['plan', '-o', plan, '--force-recreate', 'app'], { env })).code).toBe(2);
  await stack.ok(['up', '-d', '--plan', plan], { env });
  expect(await stack.ok(['exec', '-T', 'app', 'sh', '-c', 'echo $DATABASE_URL'])).toBe('one\n');
  const down = await stack.stack(['down', '--dry-run'], { env });
  expect(down.stderr).toMatch(/DRY-RUN MODE - {2}Down provider database /);
  expect((await cloud.calls()).map((call) => call.split(' ')[2])).toEqual(['up', 'up']);
  await stack.ok(['down', '-t', '0'], { env });
});

test('two commands of one stack never ask a provider at once', async () => {
  const cloud = provider('echo begin >> "$0.log"; sleep 1; echo end >> "$0.log"');
  const stack = world.project('turns', file());
  const env = { ...world.host.env, PATH: cloud.PATH };
  const both = await Promise.all([stack.stack(['up', '-d'], { env }), stack.stack(['up', '-d'], { env })]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  const log = await world.host.read(`cat ${cloud.PATH.split(':')[0]}/cloud.log`);
  expect(log.split('\n').filter(Boolean)).toEqual(['begin', 'end', 'begin', 'end']);
  await stack.ok(['down', '-t', '0'], { env });
});
