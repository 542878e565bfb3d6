/** `stack network`, and networks that stacks share. */
import { expect, test } from 'vitest';
import { expectError, idle, scenario, shell } from './harness/scenario.ts';

const world = scenario();
const ok = async (...args: string[]) => {
  const done = await world.host.stack(['network', ...args]);
  expect(done).toMatchObject({ code: 0 });
  return done.stdout;
};
const sharing = { networks: { default: { name: 'shared', external: true } } };
const web = () =>
  shell('mkdir -p /www && echo web > /www/index.html && exec httpd -f -p 80 -h /www', {
    init: true,
    ports: ['8080:80'],
  });

test('a network is made, listed, shared by two stacks, and removed', async () => {
  const id = (
    await ok(
      'create',
      '--subnet',
      '10.80.0.0/24',
      '--gateway',
      '10.80.0.9',
      '--label',
      'use=test',
      '-o',
      'com.docker.network.bridge.name=br-shared',
      'shared',
    )
  ).trim();
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  expect(await world.host.read('ip -br -4 addr show br-shared')).toContain('10.80.0.9/24');
  expect(await ok('ls')).toMatch(
    new RegExp(`^NETWORK ID\\s+NAME\\s+DRIVER\\s+SCOPE\\n${id.slice(0, 12)}\\s+shared\\s+bridge\\s+local\\n$`),
  );
  const [line] = (await ok('ls', '--format', 'json', '--filter', 'label=use=test')).split('\n');
  expect(JSON.parse(line!)).toMatchObject({ ID: id.slice(0, 12), Name: 'shared', Labels: 'use=test', IPv6: 'false' });
  expectError(await world.host.stack(['network', 'create', 'shared']), 1, /exists already/);

  const one = world.project('one', { services: { web: web() }, ...sharing });
  const two = world.project('two', { services: { client: idle }, ...sharing });
  await one.ok(['up', '-d']);
  await two.ok(['up', '-d']);
  const get = (url: string) => two.ok(['exec', '-T', 'client', 'wget', '-q', '-O', '-', url]);
  expect(await get('http://web/')).toBe('web\n');
  expect(await get('http://one-web-1/')).toBe('web\n');
  expect(await get('http://192.0.2.2/out')).toBe('192.0.2.1 GET /out\n');
  expect(await world.host.answered('http://192.0.2.1:8080/', { from: 'outside' })).toBe('web\n');
  const [document] = JSON.parse(await ok('inspect', 'shared'));
  expect(document).toMatchObject({
    Name: 'shared',
    Driver: 'bridge',
    IPAM: { Config: [{ Subnet: '10.80.0.0/24', Gateway: '10.80.0.9' }] },
    Labels: { use: 'test' },
  });
  expect(Object.values(document.Containers)).toContainEqual(
    expect.objectContaining({ Name: 'one-web-1', IPv4Address: '10.80.0.1/24' }),
  );
  expectError(await world.host.stack(['network', 'rm', 'shared']), 1, /one-web-1 \(stack one\)/);
  expect(await ok('prune', '-f')).toBe('');

  await one.ok(['down', '-t', '0']);
  expect(await get('http://192.0.2.2/out')).toBe('192.0.2.1 GET /out\n');
  await two.ok(['down', '-t', '0']);
  expect(await ok('inspect', '-f', '{{.Name}}', id.slice(0, 6))).toBe('shared\n');
  // After a boot the bridge is gone: who needs it brings it back.
  await world.host.read('ip link del br-shared; nft delete table inet stack-_networks');
  await two.ok(['up', '-d']);
  expect(await get('http://192.0.2.2/out')).toBe('192.0.2.1 GET /out\n');
  await two.ok(['down', '-t', '0']);
  expect(await ok('rm', 'shared')).toBe('shared\n');
});

test('networks that nobody is on are pruned, and what cannot be is told', async () => {
  await ok('create', 'unused');
  await ok('create', '--internal', '--ipv6', 'closed');
  const stack = world.project('busy', { services: { web: idle } });
  await stack.ok(['up', '-d']);
  expect(await ok('prune', '-f')).toBe('Deleted Networks:\nclosed\nunused\n\n');
  expect(await ok('ls', '-q', '--no-trunc')).toMatch(/^[0-9a-f]{64}\n$/);
  const wrong = (...args: string[]) => world.host.stack(['network', ...args]);
  expectError(await wrong('rm', 'nobody'), 1, /no network nobody/);
  expectError(await wrong('create', '-d', 'weave', 'x'), 1, /weave/);
  expectError(await wrong('create', '-o', 'a=b', 'x'), 1, /no option a/);
  expectError(
    await wrong('create', '--subnet', '10.80.0.0/24', '--gateway', '10.81.0.1', 'x'),
    1,
    /lies in no --subnet/,
  );
  expectError(await wrong('create', '--subnet', '192.0.2.0/25', 'x'), 1, /overlaps/);
  expect(await ok('rm', '-f', 'nobody')).toBe('');
});

test('a container joins a network and leaves it while it runs', async () => {
  await ok('create', '--subnet', '10.83.0.0/24', 'joined');
  const one = world.project('one', { services: { web: web() } });
  const two = world.project('two', {
    services: { client: idle },
    networks: { default: { name: 'joined', external: true } },
  });
  await one.ok(['up', '-d']);
  await two.ok(['up', '-d']);
  await world.host.answered('http://127.0.0.1:8080/');
  const get = (url: string) => two.stack(['exec', '-T', 'client', 'timeout', '2', 'wget', '-q', '-O', '-', url]);
  expect(await get('http://web/')).not.toMatchObject({ code: 0 });
  await ok('connect', '--alias', 'site', '--ip', '10.83.0.77', 'joined', 'one-web-1');
  for (const name of ['web', 'site', 'one-web-1', '10.83.0.77']) {
    expect([name, (await get(`http://${name}/`)).stdout]).toEqual([name, 'web\n']);
  }
  // It finds the others too, and keeps the way out, its ports and all of this over a restart.
  const looks = () => one.ok(['exec', '-T', 'web', 'nslookup', '-type=a', 'client.']);
  expect(await looks()).toMatch(/10\.83\.0\./);
  await one.ok(['restart', '-t', '0']);
  expect(await looks()).toMatch(/10\.83\.0\./);
  expect(await world.host.answered('http://192.0.2.1:8080/', { from: 'outside' })).toBe('web\n');
  expect((await get('http://site/')).stdout).toBe('web\n');
  expectError(
    await world.host.stack(['network', 'connect', 'joined', 'one-web-1']),
    1,
    /on the network joined already/,
  );
  expectError(await world.host.stack(['network', 'connect', 'joined', 'nobody']), 1, /no container nobody/);
  // Off the network of its default route the other leads out.
  await ok('disconnect', 'one_default', 'one-web-1');
  expect(await one.ok(['exec', '-T', 'web', 'ip', 'route'])).toMatch(/^default via 10\.83\.0\.1 dev eth1/m);
  expect(await world.host.answered('http://192.0.2.1:8080/', { from: 'outside' })).toBe('web\n');
  expectError(await world.host.stack(['network', 'disconnect', 'joined', 'one-web-1']), 1, /on no other network/);
  await ok('connect', 'one_default', 'one-web-1');
  await ok('disconnect', 'joined', 'one-web-1');
  expect(await get('http://10.83.0.77/')).not.toMatchObject({ code: 0 });
  expect(await get('http://site/')).not.toMatchObject({ code: 0 });
  expect(await one.ok(['exec', '-T', 'web', 'ls', '/sys/class/net'])).toBe('eth0\nlo\n');
  expect(await world.host.answered('http://192.0.2.1:8080/', { from: 'outside' })).toBe('web\n');
  expect((await one.stack(['plan'])).code).toBe(0);
  await one.ok(['down', '-t', '0']);
  await two.ok(['down', '-t', '0']);
  await ok('rm', 'joined');
});
