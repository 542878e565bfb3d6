/** What a RUN step reaches. */
import { expect, test } from 'vitest';
import { scenario } from './harness/scenario.ts';

const world = scenario();

function demo(name: string, text: string, build: object = {}) {
  const stack = world.project(name, { services: { web: { build: { context: '.', ...build } } } });
  stack.write('Dockerfile', text);
  return stack;
}

const get = (url: string) => `wget -q -T 2 -O - ${url}`;

test('the world, by address and name; not the loopback of the host', async () => {
  const stack = demo(
    'world',
    `FROM busybox:1
RUN ${get('http://192.0.2.2/address')} && ${get('http://world.test/name')}
RUN ! ${get('http://127.0.0.1:5000/v2/')}
RUN ${get('http://own.test/extra')} && grep -c buildkitsandbox /etc/hosts
RUN --network=none ! ${get('http://192.0.2.2/')} && ! grep -v ^lo: /proc/net/dev | grep :
`,
    { extra_hosts: ['own.test=192.0.2.2'] },
  );
  const done = await stack.stack(['build']);
  expect(done, done.stderr).toMatchObject({ code: 0 });
  for (const path of ['address', 'name', 'extra']) expect(done.stderr).toMatch(new RegExp(`GET /${path}`));
});

test("the host's network needs the right to it", async () => {
  const text = `FROM busybox:1\nRUN --network=host ${get('http://127.0.0.1:5000/v2/')}\n`;
  const refused = await demo('refused', text).stack(['build']);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(/network\.host/);
  expect(refused.stderr).toMatch(/Dockerfile:2/);
  expect(await demo('granted', text, { entitlements: ['network.host'] }).stack(['build'])).toMatchObject({ code: 0 });
});

test('several builds at once keep out of each other’s way', async () => {
  const builds = [1, 2, 3].map((number) =>
    demo(
      `many${number}`,
      `FROM busybox:1\nRUN echo ${number} && ${get('http://192.0.2.2/x')} && sleep 0.3 && ${get('http://192.0.2.2/y')}\n`,
    ),
  );
  const done = await Promise.all(builds.map((stack) => stack.stack(['build'])));
  for (const each of done) expect(each, each.stderr).toMatchObject({ code: 0 });
});
