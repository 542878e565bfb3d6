/**
 * Plays the host in network.kernel.test.ts: runs in network and mount namespaces of its own, makes networks and
 * containers' namespaces with the real kernel port, sends traffic, and prints what came of it as one JSON object.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
// biome-ignore lint/style/noRestrictedImports: a composition root of its own, never part of the product
import { loadKernel } from '../../native/index.ts';
import type { NetworkRecord, PublishedPort } from '../../schemas/container.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { Network, Service } from '../../schemas/project.ts';
import { layout } from '../state/layout.ts';
import { createNetworks, type Member } from './network.ts';

const kernel = loadKernel();
const state = mkdtempSync(join(tmpdir(), 'stack-network-'));
const places = layout({ STACK_ROOT: join(state, 'root'), STACK_RUN: join(state, 'run') });
const networks = createNetworks({ kernel, layout: places, settings: {} });
const facts: Record<string, unknown> = {};
const children: ChildProcess[] = [];

const sh = (script: string): string => execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim();
const enter = (namespace: Fd): string => `nsenter --net=/proc/${process.pid}/fd/${namespace}`;

/** A peer in a namespace; null is the host. */
function peer(namespace: Fd | null) {
  const words = [...(namespace === null ? [] : enter(namespace).split(' ')), process.execPath];
  const [program, ...args] = words as [string, ...string[]];
  const child = spawn(program, [...args, join(import.meta.dirname, 'kernel-peer.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  let last: Promise<unknown> = Promise.resolve();
  const request = (message: object): Promise<string> => {
    const answer = last.then(async () => {
      child.stdin!.write(`${JSON.stringify(message)}\n`);
      return JSON.parse((await lines.next()).value ?? 'null');
    });
    last = answer.catch(() => {});
    return answer;
  };
  return {
    serve: (kind: 'tcp' | 'udp', port: number, host = '0.0.0.0') => request({ operation: 'serve', kind, port, host }),
    ask: (host: string, port: number, kind: 'tcp' | 'udp' = 'tcp', from?: number) =>
      request({ operation: 'ask', kind, port, host, from }),
  };
}

const stack = 'demo';
const records = new Map<string, NetworkRecord>();
const containers: Member[] = [];
const namespaces: Fd[] = [];

async function network(key: string, config: Partial<Network> = {}): Promise<void> {
  records.set(key, await networks.create(stack, key, { name: `${stack}_${key}`, ipam: {}, ...config }));
}

async function container(service: string, joined: string[], ports: PublishedPort[] = []) {
  const id = Buffer.from(service.padEnd(32, '.')).toString('hex');
  const name = `${stack}-${service}-1`;
  const config: Service = {
    command: null,
    entrypoint: null,
    networks: Object.fromEntries(joined.map((n) => [n, null])),
  };
  const request = { stack, id, name, service, isOneOff: false, config, networks: records };
  const endpoints = networks.allocate(request, []);
  const namespace = await kernel.network.createNamespace();
  namespaces.push(namespace);
  await networks.attach(namespace, { stack, id, endpoints });
  containers.push({ id, name, endpoints, ports });
  const first = endpoints[0]!;
  return {
    ...peer(namespace),
    id,
    namespace,
    endpoints,
    ipv4: first.ipv4?.address ?? '',
    ipv6: first.ipv6?.address ?? '',
  };
}

const tcp = (hostPort: number, containerPort: number, hostAddress = '0.0.0.0'): PublishedPort => ({
  protocol: 'tcp',
  hostAddress,
  hostPort,
  containerPort,
});

async function main(): Promise<void> {
  for (const which of ['iptables', 'ip6tables']) {
    const file = `/proc/sys/net/bridge/bridge-nf-call-${which}`;
    if (existsSync(file)) writeFileSync(file, process.env.BRIDGE_FILTER ?? '1');
  }
  sh(
    'ip link set lo up; nft add table inet foreign; nft add chain inet foreign c "{ type filter hook forward priority 5; }"',
  );
  sh('nft add rule inet foreign c tcp dport 9 drop');
  const outsideNamespace = await kernel.network.createNamespace();
  namespaces.push(outsideNamespace);
  const there = enter(outsideNamespace);
  sh(`ip link add up0 type veth peer name eth0; ip link set eth0 netns /proc/${process.pid}/fd/${outsideNamespace}`);
  sh(`ip addr add 192.0.2.1/24 dev up0; ip -6 addr add 2001:db8::1/64 dev up0 nodad; ip link set up0 up`);
  sh(
    `${there} sh -c 'ip link set lo up; ip addr add 192.0.2.2/24 dev eth0; ip -6 addr add 2001:db8::2/64 dev eth0 nodad'`,
  );
  sh(
    `${there} sh -c 'ip link set eth0 up; ip route add default via 192.0.2.1; ip -6 route add default via 2001:db8::1'`,
  );
  const before = { foreign: sh('nft list table inet foreign'), links: sh('ip -o link'), forward: forwarding() };

  await network('front');
  await network('back');
  await network('closed', { internal: true });
  await network('six', { enable_ipv6: true });
  await network('small', { driver_opts: { 'com.docker.network.driver.mtu': '1000' } });
  facts.forwardingOpened = forwarding();
  const udp: PublishedPort = { protocol: 'udp', hostAddress: '0.0.0.0', hostPort: 8053, containerPort: 53 };
  const web = await container('web', ['front'], [tcp(8080, 80), tcp(8081, 80, '127.0.0.1'), udp]);
  const client = await container('client', ['front']);
  const far = await container('far', ['back']);
  const shut = await container('shut', ['closed'], [tcp(8084, 80)]);
  const shut2 = await container('shut2', ['closed']);
  const six = await container('six', ['six'], [tcp(8086, 80, '::'), tcp(8086, 80)]);
  const small = await container('small', ['small']);
  facts.mtu = sh(`${enter(small.namespace)} ip -o link show eth0 | grep -o 'mtu [0-9]*'`);
  facts.linkLocal = sh(
    `${enter(web.namespace)} ip -6 -o addr show dev eth0; ip -6 -o addr show dev ${web.endpoints[0]!.bridge}`,
  );
  await networks.sync(stack, [...records.values()], containers);
  const host = peer(null);
  const outside = peer(outsideNamespace);
  for (const one of [web, far, shut]) await one.serve('tcp', 80);
  await web.serve('udp', 53);
  await six.serve('tcp', 80, '::');
  await host.serve('tcp', 7000);
  await outside.serve('tcp', 7001);
  await outside.serve('tcp', 7002, '::');

  const addresses = { web: web.ipv4, client: client.ipv4, far: far.ipv4, six: six.ipv4, six6: six.ipv6 };
  facts.addresses = addresses;
  facts.gateways = Object.fromEntries([...records].map(([key, record]) => [key, record.ipv4!.gateway]));
  facts.sixGateway = records.get('six')!.ipv6!.gateway;
  const asked = {
    neighbour: client.ask(web.ipv4, 80),
    outside: outside.ask('192.0.2.1', 8080),
    outsideUdp: outside.ask('192.0.2.1', 8053, 'udp'),
    outsideToLoopbackPort: outside.ask('192.0.2.1', 8081),
    outsideToContainer: outside.ask(web.ipv4, 80),
    outsideToInternalPort: outside.ask('192.0.2.1', 8084),
    loopback: host.ask('127.0.0.1', 8080),
    loopbackBound: host.ask('127.0.0.1', 8081),
    loopbackUdp: host.ask('127.0.0.1', 8053, 'udp'),
    hostAddress: host.ask('192.0.2.1', 8080),
    hostToContainer: host.ask(web.ipv4, 80),
    hairpin: web.ask('192.0.2.1', 8080),
    hairpinUdp: web.ask('192.0.2.1', 8053, 'udp'),
    neighbourByHost: client.ask('192.0.2.1', 8080),
    otherNetworkByHost: far.ask('192.0.2.1', 8080),
    otherNetwork: far.ask(web.ipv4, 80),
    outbound: client.ask('192.0.2.2', 7001),
    toHost: client.ask(records.get('front')!.ipv4!.gateway, 7000),
    internalNeighbour: shut2.ask(shut.ipv4, 80),
    internalOut: internalEscape(shut2.namespace, () => shut2.ask('192.0.2.2', 7001)),
    internalToHost: shut2.ask(records.get('closed')!.ipv4!.gateway, 7000),
    internalToPublished: shut2.ask(records.get('closed')!.ipv4!.gateway, 8080),
    outside6: outside.ask('2001:db8::1', 8086),
    loopback6: host.ask('::1', 8086),
    hairpin6: six.ask('2001:db8::1', 8086),
    outbound6: six.ask('2001:db8::2', 7002),
    outsideToContainer6: outside.ask(six.ipv6, 80),
  };
  for (const [name, answer] of Object.entries(asked)) facts[name] = await answer;
  facts.guard = await reachHostLoopback(client.namespace, () => client.ask('127.0.0.1', 7000));
  await web.serve('tcp', 61053, '127.0.0.11');
  await web.serve('udp', 61053, '127.0.0.11');
  facts.resolver = [await web.ask('127.0.0.11', 53), await web.ask('127.0.0.11', 53, 'udp')];
  facts.foreignDuring = sh('nft list table inet foreign') === before.foreign;
  facts.tables = sh('nft list tables').split('\n').sort();
  facts.aliases = sh(`ip -d link | grep -o 'alias stack:.*' | sort | uniq -c | wc -l`);

  // A UDP client that keeps its port while another container takes the published one over.
  facts.udpBefore = await outside.ask('192.0.2.1', 8053, 'udp', 5555);
  const heir = await container('heir', ['front'], [udp]);
  await heir.serve('udp', 53);
  const [first] = containers.filter(({ name }) => name === 'demo-web-1');
  first!.ports = first!.ports.filter((port) => port !== udp);
  sh(`${enter(web.namespace)} ip link set eth0 down`);
  await networks.sync(stack, [...records.values()], containers);
  facts.udpAfter = await outside.ask('192.0.2.1', 8053, 'udp', 5555);

  facts.reserved = reserve();
  networks.detach(containers.flatMap(({ endpoints }) => endpoints));
  await networks.settle();
  facts.linksDetached = sh('ip -o link show type veth').split('\n').length;
  await networks.sync(stack, [...records.values()], []);
  sh(`ip link del ${records.get('back')!.bridge}`);
  await networks.remove([...records.values()]);
  await networks.remove([...records.values()]);
  facts.foreignAfter = sh('nft list ruleset') === before.foreign;
  facts.linksAfter = sh('ip -o link') === before.links;
  facts.forwardingAfter = forwarding() === before.forward;
  facts.filesAfter = sh(`find ${state} -type f`).replaceAll(state, '').split('\n');
  facts.timing = await timing();
}

const forwarding = (): string =>
  ['ipv4/ip_forward', 'ipv6/conf/all/forwarding']
    .map((f) => readFileSync(`/proc/sys/net/${f}`, 'utf8').trim())
    .join(' ');

/** An internal network gives no default route; whoever is root in the container can set one. */
async function internalEscape(namespace: Fd, ask: () => Promise<string>): Promise<string> {
  sh(`${enter(namespace)} ip route add default via ${records.get('closed')!.ipv4!.gateway}`);
  return ask();
}

/** CVE-2020-8558: packets for 127.0.0.1 put on the wire. */
async function reachHostLoopback(namespace: Fd, ask: () => Promise<string>): Promise<string> {
  const { gateway } = records.get('front')!.ipv4!;
  sh(`${enter(namespace)} sh -c '
    mount -t sysfs none /sys 2>/dev/null; ip addr del 127.0.0.1/8 dev lo
    echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet; ip route add 127.0.0.0/8 via ${gateway}'`);
  return ask();
}

function reserve(): unknown {
  const port = (published: string) => ({ target: 80, published, protocol: 'tcp' });
  const first = networks.reserve({
    container: 'demo-a-1',
    ports: [port('9000-9002'), port('9000-9002')],
    publishing: { hasIpv6: false, routed: [] },
  });
  const free = networks.reserve({
    container: 'demo-a-1',
    ports: [{ target: 80, protocol: 'udp' }],
    publishing: { hasIpv6: true, routed: [] },
  });
  const taken = (published: string) => {
    try {
      networks.reserve({ container: 'demo-b-1', ports: [port(published)], publishing: { hasIpv6: false, routed: [] } });
      return 'bound';
    } catch (error) {
      return (error as Error).message.replace(/\d+\)/, 'pid)');
    }
  };
  const said = [taken('9000-9001'), taken('7000')];
  const result = {
    ports: first.ports.map((one) => one.hostPort),
    isSame: free.ports[0]!.hostPort === free.ports[1]!.hostPort && free.fds.length === 2,
    said,
  };
  for (const fd of [...first.fds, ...free.fds]) closeSync(fd);
  return result;
}

/** Milliseconds for 30 containers. */
async function timing(): Promise<Record<string, number>> {
  const started = performance.now();
  containers.length = 0;
  await network('front');
  const created = performance.now();
  const own: Fd[] = [];
  await Promise.all(
    Array.from({ length: 30 }, async (_, i) => {
      const id = i.toString(16).padStart(2, '0').repeat(32);
      const config: Service = { command: null, entrypoint: null, networks: { front: null } };
      const name = `demo-n-${i}`;
      const endpoints = networks.allocate(
        { stack, id, name, service: 'n', isOneOff: false, config, networks: records },
        [],
      );
      const namespace = await kernel.network.createNamespace();
      own.push(namespace);
      await networks.attach(namespace, { stack, id, endpoints });
      containers.push({ id, name, endpoints, ports: [tcp(10000 + i, 80)] });
    }),
  );
  const attached = performance.now();
  await networks.sync(stack, [records.get('front')!], containers);
  const synced = performance.now();
  networks.detach(containers.flatMap(({ endpoints }) => endpoints));
  await networks.settle();
  const detached = performance.now();
  await networks.remove([records.get('front')!]);
  const removed = performance.now();
  for (const fd of own) closeSync(fd);
  const round = (from: number, to: number) => Math.round((to - from) * 10) / 10;
  return {
    create: round(started, created),
    attach30: round(created, attached),
    sync30: round(attached, synced),
    detach30: round(synced, detached),
    remove: round(detached, removed),
  };
}

try {
  await main();
  console.log(JSON.stringify(facts));
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(state, { recursive: true, force: true });
}
