/** `deploy.update_config` on the real thing: containers replaced in batches under the eyes of a client that goes on asking. */
import { expect, test } from 'vitest';
import type { Project } from './harness/harness.ts';
import { until } from './harness/harness.ts';
import { list, scenario, shell } from './harness/scenario.ts';

const world = scenario();

/** Of the version `two` no more than `$ALLOWED` containers start. */
const admission = `if [ $VERSION = two ]; then
  [ $(ls /shared | wc -l) -lt $ALLOWED ] || { echo refused; exit 3; }
  touch /shared/$(hostname)
fi`;
const server = 'mkdir /www; echo $VERSION > /www/version; trap "exit 0" TERM; httpd -f -p 80 -h /www & wait';
const healthcheck = {
  test: ['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1/version'],
  interval: '200ms',
  retries: 3,
  start_period: '5s',
  start_interval: '100ms',
};

/** A round asks until one container answers, four times at most: as many as there are. */
const client = `while :; do
  answer=
  for try in 1 2 3 4; do answer=$(timeout 2 wget -q -O - http://web/version 2>/dev/null) && break; done
  echo "round $answer"
done`;

function definition(version: string, update: object, fields: object = {}): object {
  const environment = { VERSION: version, ALLOWED: '4' };
  const web = { environment, healthcheck, init: true, volumes: ['./shared:/shared'], ...fields };
  const depends_on = { web: { condition: 'service_healthy' } };
  const deploy = { replicas: 4, update_config: update, rollback_config: { parallelism: 0 } };
  return {
    services: {
      web: shell(`${admission}\n${server}`, { ...web, deploy }),
      client: shell(client, { init: true, depends_on }),
    },
  };
}

/** Version each web container was made with, and its state: `rolling-web-1 one running`. */
async function versions(stack: Project): Promise<string[]> {
  const containers = (await list(stack)).filter(({ Service }) => Service === 'web');
  return Promise.all(
    containers.map(async ({ Name, State, ID }) => {
      const record = await world.host.read(`cat ${world.host.root}/stacks/${stack.name}/${ID}*/container.json`);
      return `${Name} ${JSON.parse(record).config.environment.VERSION} ${State}`;
    }),
  );
}

const all = (name: string, version: string) => [1, 2, 3, 4].map((number) => `${name}-web-${number} ${version} running`);
const rounds = async (stack: Project) =>
  (await stack.ok(['logs', '--no-log-prefix', 'client'])).split('\n').filter((line) => line.startsWith('round'));

test('start-first: somebody answers at every moment, and in the end the new ones do', {
  timeout: 120_000,
}, async () => {
  const update = { order: 'start-first', parallelism: 2 };
  const stack = world.project('rolling', definition('one', update));
  await stack.ok(['up', '-d', '--wait']);
  await until('the client has asked', async () => (await rounds(stack)).length > 5);
  expect(await versions(stack)).toEqual(all('rolling', 'one'));
  stack.define(definition('two', update));
  await stack.ok(['up', '-d', '-t', '1']);
  expect(await versions(stack)).toEqual(all('rolling', 'two'));
  const told = (await rounds(stack)).length;
  await until('the client has asked the new ones', async () => (await rounds(stack)).length > told + 10);
  const answers = await rounds(stack);
  expect(answers.filter((line) => !/^round (one|two)$/.test(line))).toEqual([]);
  expect(answers.slice(-5)).toEqual(Array(5).fill('round two'));
  expect(answers).toContain('round one');
  expect((await stack.stack(['plan'])).code).toBe(0);
});

test('a version that is never healthy: pause keeps the rest, rollback brings the old ones back', {
  timeout: 240_000,
}, async () => {
  const stack = world.project('broken', definition('one', {}));
  await stack.ok(['up', '-d', '--wait']);
  const before = (await list(stack)).map(({ ID }) => ID).sort();
  const broken = { healthcheck: { ...healthcheck, test: ['CMD', 'false'], start_period: '0s' } };
  for (const order of ['start-first', 'stop-first']) {
    stack.define(definition('two', { order, failure_action: 'rollback' }, broken));
    const failed = await stack.stack(['up', '-d', '-t', '1']);
    expect(failed.stderr).toMatch(/The update of web ended with batch 1 of 4: broken-web-1 unhealthy/);
    expect(failed.code).toBe(1);
    expect(await versions(stack)).toEqual(all('broken', 'one'));
  }
  // Half way: two of the new version hold, the third one ends.
  const environment = { VERSION: 'two', ALLOWED: '2' };
  for (const [order, action] of [
    ['start-first', 'rollback'],
    ['stop-first', 'rollback'],
    ['start-first', 'pause'],
  ]) {
    await world.host.read(`rm -f ${stack.folder}/shared/*`);
    stack.define(definition('two', { order, failure_action: action, parallelism: 1 }, { environment }));
    const failed = await stack.stack(['up', '-d', '-t', '1']);
    expect(failed.stderr).toMatch(/The update of web ended with batch 3 of 4: broken-web-3 .*\n.*refused/);
    const kept = action === 'pause' ? all('broken', 'two').slice(0, 2) : [];
    expect(await versions(stack)).toEqual([...kept, ...all('broken', 'one').slice(kept.length)]);
    if (action === 'pause') break;
    expect((await list(stack)).map(({ ID }) => ID).sort()).toEqual(before);
  }
  stack.define(definition('one', {}));
  await stack.ok(['up', '-d', '-t', '1']);
  expect(await versions(stack)).toEqual(all('broken', 'one'));
  expect((await stack.stack(['plan'])).code).toBe(0);
});

test('a version whose command does not exist goes back, also where the batch before it held', {
  timeout: 60_000,
}, async () => {
  const update = { parallelism: 1, monitor: '300ms', failure_action: 'rollback' };
  const of = (version: string) => {
    const deploy = { replicas: 2, update_config: update, rollback_config: { monitor: '300ms' } };
    // What is to be started is a link that the first container of the new version takes away.
    const command = version === 'one' ? ['sleep', '1000'] : ['/shared/sh', '-c', 'rm /shared/sh; exec sleep 1000'];
    return {
      services: {
        web: {
          ...shell('true', { stop_grace_period: '0s' }),
          command,
          environment: { VERSION: version },
          volumes: ['./shared:/shared'],
          deploy,
        },
      },
    };
  };
  const stack = world.project('absent', of('one'));
  await stack.ok(['up', '-d']);
  await world.host.sh(`ln -s /bin/sh ${stack.folder}/shared/sh`);
  const before = (await list(stack)).map(({ ID }) => ID);
  stack.define(of('two'));
  const done = await stack.stack(['up', '-d']);
  expect([done.code, done.stderr]).toEqual([
    1,
    expect.stringMatching(/went back to the former container absent-web-1/),
  ]);
  expect((await list(stack)).map(({ ID }) => ID)).toEqual(before);
  expect(await versions(stack)).toEqual(['absent-web-1 one running', 'absent-web-2 one running']);
});
