/** What a RUN step reaches. */
import { expect, test } from 'vitest';
import { scenario } from './harness/scenario.ts';

const world = scenario();

function demo(name: string, text: string, build: object = {}) {
  const stack = world.project(name, { services: { web: { build: { context: '.', ...build } } } });
  stack.write('Dockerfile', text);
  return stack;
}

const get = (address: string, path: string, port = 80) =>
  `printf 'GET ${path} HTTP/1.0\\r\\n\\r\\n' | nc -w 2 ${address} ${port}`;

test('the world, by address and name; not the loopback of the host', async () => {
  const stack = demo(
    'world',
    `FROM busybox:1
RUN ${get('192.0.2.2', '/address')} && nslookup -type=a world.test
RUN ! nc -w 2 127.0.0.1 5000 < /dev/null
RUN grep own.test /etc/hosts && grep -c buildkitsandbox /etc/hosts
RUN --network=none ! nc -w 2 192.0.2.2 80 < /dev/null && ! grep -v ' lo:' /proc/net/dev | grep :
`,
    { extra_hosts: ['own.test=192.0.2.2'] },
  );
  const done = await stack.stack(['build']);
  expect(done, done.stderr).toMatchObject({ code: 0 });
  for (const word of [/GET \/address/, /Address.*192\.0\.2\.2/, /192\.0\.2\.2\town\.test/])
    expect(done.stderr).toMatch(word);
});

test("the host's network needs the right to it", async () => {
  const text = `FROM busybox:1\nRUN --network=host ${get('127.0.0.1', '/v2/', 5000)}\n`;
  const refused = await demo('refused', text).stack(['build']);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(/network\.host/);
  expect(refused.stderr).toMatch(/Dockerfile:2/);
  const granted = await demo('granted', text, { entitlements: ['network.host'] }).stack(['build']);
  expect(granted, granted.stderr).toMatchObject({ code: 0 });
  expect(granted.stderr).toMatch(/HTTP\/1\.[01] 200/);
});

test('several builds at once keep out of each other’s way', async () => {
  const builds = [1, 2, 3].map((number) =>
    demo(
      `many${number}`,
      `FROM busybox:1\nRUN echo ${number} && ${get('192.0.2.2', '/x')} && sleep 0.3 && ${get('192.0.2.2', '/y')}\n`,
    ),
  );
  const done = await Promise.all(builds.map((stack) => stack.stack(['build'])));
  for (const each of done) expect(each, each.stderr).toMatchObject({ code: 0 });
});
