import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ContainerRecord, Endpoint } from '../../schemas/container.ts';
import type { FilesystemVerbs, KernelPort, ProcessVerbs } from '../../schemas/kernel.ts';
import type { Network } from '../../schemas/project.ts';
import { type Layout, layout } from '../state/layout.ts';
import { createNetworks } from './network.ts';

let folder: string;
let places: Layout;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-networks-'));
  places = layout({ STACK_ROOT: join(folder, 'root'), STACK_RUN: join(folder, 'run') });
});
afterEach(() => rmSync(folder, { recursive: true }));

const RTM_GETLINK = 18;

/** A kernel that does as it is told, and answers every question for a link with link number 7; fails at call `failAt`. */
function fake(failAt = -1) {
  const calls: string[] = [];
  const step = (name: string) => {
    calls.push(name);
    if (calls.length - 1 === failAt) throw Object.assign(new Error('out of memory'), { code: 'ENOMEM' });
  };
  const network = {
    createNamespace: async () => 0,
    bind: () => 0,
    writeSysctl: async (_: unknown, path: string) => step(path),
    netlink: async (protocol: number, _: unknown, batch: Uint8Array) => {
      step(protocol === 0 ? 'route' : 'netfilter');
      return answerLinks(Buffer.from(batch));
    },
  };
  const filesystem = { flock: async () => true } as unknown as FilesystemVerbs;
  const kernel = { network, filesystem, process: {} as ProcessVerbs } as unknown as KernelPort;
  return { calls, networks: createNetworks({ kernel, layout: places, settings: {} }) };
}

function answerLinks(batch: Buffer): Buffer {
  const answers: Buffer[] = [];
  for (let at = 0; at < batch.length; at += (batch.readUInt32LE(at) + 3) & ~3) {
    const isDump = (batch.readUInt16LE(at + 6) & 0x300) === 0x300;
    if (batch.readUInt16LE(at + 4) !== RTM_GETLINK || isDump) continue;
    const answer = Buffer.from(batch.subarray(at, at + batch.readUInt32LE(at)));
    answer.writeUInt16LE(16, 4);
    answer.writeInt32LE(7, 20);
    answers.push(answer);
  }
  return Buffer.concat(answers);
}

const config = (fields: Partial<Network> = {}): Network => ({
  name: 'demo_default',
  ipam: { config: [{ subnet: '10.123.0.0/16' }] },
  ...fields,
});

const request = (stack: string, id: string, record: Parameters<Map<string, never>['set']>[1] | object) => ({
  stack,
  id: id.padEnd(64, '0'),
  name: `${stack}-web-1`,
  service: 'web',
  isOneOff: false,
  config: { command: null, entrypoint: null, networks: { default: null } },
  networks: new Map([['default', record]]) as never,
});

/** What the containers room writes down. */
function writeContainer(stack: string, id: string, endpoints: Endpoint[]): void {
  const dir = places.containerDir(stack, id);
  mkdirSync(dir, { recursive: true });
  const record: Partial<ContainerRecord> = { id, name: `${stack}-web-1`, stack, endpoints, ports: [] };
  writeFileSync(join(dir, 'container.json'), JSON.stringify(record));
}

test('a network is made once: the record stays, the bridge is completed', async () => {
  const { networks } = fake();
  const record = await networks.create('demo', 'default', config());
  expect(record).toMatchObject({ name: 'demo_default', bridge: 'st-ccd8f48829', ipv4: { gateway: '10.123.0.1' } });
  expect(await fake().networks.create('demo', 'default', config())).toEqual(record);
  expect(networks.list('demo')).toEqual([record]);
  expect(networks.list('other')).toEqual([]);
  await networks.remove([record]);
  await networks.remove([record]);
  expect(networks.find('demo_default')).toBeUndefined();
  expect(readdirSync(places.networks)).toEqual([]);
});

test('networks removed by calls of their own take the rules of their stack along', async () => {
  const { networks, calls } = fake();
  const records = await Promise.all(
    ['a', 'b'].map((name, i) =>
      networks.create('demo', name, config({ name, ipam: { config: [{ subnet: `10.12${i}.0.0/16` }] } })),
    ),
  );
  calls.length = 0;
  await Promise.all(records.map((record) => networks.remove([record])));
  // One transaction for the rules, and each call looks once for a forwarding switch to put back.
  expect(calls.filter((call) => call === 'netfilter')).toHaveLength(3);
  calls.length = 0;
  const [one, other] = await Promise.all(
    ['a', 'b'].map((name, i) =>
      networks.create('demo', name, config({ name, ipam: { config: [{ subnet: `10.12${i}.0.0/16` }] } })),
    ),
  );
  calls.length = 0;
  await networks.remove([one!]);
  expect(calls.filter((call) => call === 'netfilter')).toHaveLength(1);
  await networks.remove([other!]);
});

test('wherever making or removing a network is cut short, doing it again brings it to its end', async () => {
  const whole = fake();
  const record = await whole.networks.create('demo', 'default', config());
  const made = whole.calls.length;
  await whole.networks.remove([record]);
  expect(made).toBeGreaterThan(3);
  for (let step = 0; step < whole.calls.length; step++) {
    const { networks } = fake(step);
    const cut = (async () => networks.remove([await networks.create('demo', 'default', config())]))();
    await expect(cut, `step ${step}`).rejects.toMatchObject({ code: expect.stringMatching(/network\.kernel|ENOMEM/) });
    const again = fake().networks;
    // The same but for its id and its birth: what was cut short left nothing.
    const { id, createdAt } = record;
    expect({ ...(await again.create('demo', 'default', config())), id, createdAt }).toEqual(record);
    await again.remove([record]);
    expect(readdirSync(places.networks)).toEqual([]);
  }
});

test('what is not there yet says so', async () => {
  const { networks, calls } = fake();
  await expect(networks.create('demo', 'default', config({ driver: 'overlay' }))).rejects.toMatchObject({
    code: 'config.not-supported',
  });
  expect(calls).toEqual([]);
  expect(await networks.create('demo', 'default', config({ driver: 'default' }))).toMatchObject({ driver: 'bridge' });
});

test.each([
  ['1400', 1400],
  ['0', undefined],
  ['many', 'config.value'],
  ['70000', 'config.value'],
  ['60', 'config.value'],
])('an MTU of %s', async (mtu, expected) => {
  const made = fake().networks.create('demo', 'd', config({ driver_opts: { 'com.docker.network.driver.mtu': mtu } }));
  expect(await made.then(({ mtu }) => mtu).catch(({ code }) => code)).toBe(expected);
});

test('a network shared by two stacks: no address twice, names of both, and it stays while it is used', async () => {
  const { networks } = fake();
  const record = await networks.create('demo', 'default', config());
  await expect(networks.create('other', 'default', config())).rejects.toMatchObject({ code: 'network.overlap' });
  const mine = networks.allocate(request('demo', 'a', record), []);
  writeContainer('demo', 'a'.padEnd(64, '0'), mine);
  const other = fake().networks;
  const theirs = other.allocate(request('other', 'b', record), []);
  writeContainer('other', 'b'.padEnd(64, '0'), theirs);
  expect([mine[0]!.ipv4?.address, mine[0]!.slot]).toEqual(['10.123.0.2', 0]);
  expect([theirs[0]!.ipv4?.address, theirs[0]!.slot]).toEqual(['10.123.0.3', 1]);

  await networks.sync('demo', [record], [{ id: 'a', name: 'demo-web-1', endpoints: mine, ports: [] }]);
  const names = readFileSync(places.networkNames('demo_default')).toString('latin1');
  expect(names).toContain('demo-web-1.demo_default');
  expect(names).toContain('other-web-1.demo_default');

  await expect(networks.remove([record])).rejects.toMatchObject({
    code: 'network.in-use',
    message: 'Network demo_default is still used by other-web-1 (stack other).',
  });
  expect(networks.find('demo_default')).toEqual(record);
  rmSync(places.stackDir('other'), { recursive: true });
  await networks.remove([record]);
  expect(existsSync(places.networkNames('demo_default'))).toBe(false);
});

test('an address is promised to one container until it is released', async () => {
  const { networks } = fake();
  const record = await networks.create('demo', 'default', config());
  const address = (id: string) => networks.allocate(request('demo', id, record), [])[0]!.ipv4?.address;
  expect([address('a'), address('b'), address('a')]).toEqual(['10.123.0.2', '10.123.0.3', '10.123.0.2']);
  networks.release('a'.padEnd(64, '0'));
  expect(address('c')).toBe('10.123.0.2');
});

test('a damaged record says which file', async () => {
  const { networks } = fake();
  mkdirSync(places.networks, { recursive: true });
  writeFileSync(places.networkRecord('demo_default'), '{"name":');
  expect(() => networks.find('demo_default')).toThrow(expect.objectContaining({ code: 'state.damaged' }));
});
