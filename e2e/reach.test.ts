/** What a container reaches and what it does not: each line of the table in docs/networks.md. */
import { expect, test } from 'vitest';
import type { Project } from './harness/harness.ts';
import { idle, scenario, shell } from './harness/scenario.ts';

const world = scenario();
const web = (more: object = {}) =>
  shell('mkdir -p /www && echo web > /www/index.html && exec httpd -f -p 80 -h /www', { init: true, ...more });
const reaches = async (stack: Project, from: string, url: string) => {
  const done = await stack.stack(['exec', '-T', from, 'timeout', '2', 'wget', '-q', '-O', '-', url]);
  return done.code === 0 ? done.stdout.trim() : '';
};
const gateway = async (stack: Project, service: string) =>
  /default via (\S+)/.exec(await stack.ok(['exec', '-T', service, 'ip', 'route']))![1]!;

test('the world, the host, other stacks and link-local services, from open and from internal networks', async () => {
  const rules = await world.host.read('nft list ruleset');
  const serve = (address: string, port: number) =>
    world.host.background(
      [
        process.execPath,
        '-e',
        `require('http').createServer((q, r) => r.end('host')).listen(${port}, '${address}', () => console.log('up'))`,
      ],
      /up/,
    );
  const everywhere = await serve('0.0.0.0', 7000);
  const loopback = await serve('127.0.0.1', 7001);
  await world.host.read('ip address add 169.254.169.254/32 dev eth0', { from: 'outside' });
  await world.host.read('ip route add 169.254.169.254/32 via 192.0.2.2');
  try {
    const other = world.project('other', { services: { web: web({ ports: ['8080:80'] }) } });
    const stack = world.project('mine', {
      services: {
        open: { ...idle, networks: ['open'] },
        closed: { ...idle, networks: ['closed'] },
        none: { ...idle, network_mode: 'none' },
      },
      networks: { open: {}, closed: { internal: true } },
    });
    await other.ok(['up', '-d']);
    await stack.ok(['up', '-d']);
    await world.host.answered('http://127.0.0.1:8080/');
    const theirs = (await other.ok(['exec', '-T', 'web', 'hostname', '-i'])).trim();
    const host = await gateway(stack, 'open');
    const hostThere = await gateway(other, 'web');
    const targets: [url: string, open: string][] = [
      ['http://192.0.2.2/x', '192.0.2.1 GET /x'],
      ['http://169.254.169.254/x', '192.0.2.1 GET /x'],
      [`http://${host}:7000/`, 'host'],
      ['http://192.0.2.1:7000/', 'host'],
      [`http://${hostThere}:7000/`, 'host'],
      [`http://${host}:7001/`, ''],
      ['http://192.0.2.1:7001/', ''],
      [`http://${theirs}/`, ''],
      ['http://192.0.2.1:8080/', 'web'],
      [`http://${host}:8080/`, 'web'],
    ];
    for (const [url, expected] of targets) {
      expect([url, await reaches(stack, 'open', url)]).toEqual([url, expected]);
      expect([url, await reaches(stack, 'closed', url)]).toEqual([url, '']);
      expect([url, await reaches(stack, 'none', url)]).toEqual([url, '']);
    }
    await stack.ok(['down', '-t', '0']);
    await other.ok(['down', '-t', '0']);
    expect(await world.host.read('nft list ruleset')).toBe(rules);
  } finally {
    await world.host.read('ip route del 169.254.169.254/32');
    await world.host.read('ip address del 169.254.169.254/32 dev eth0', { from: 'outside' });
    await everywhere.stop();
    await loopback.stop();
  }
});
