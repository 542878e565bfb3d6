import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';

const addon = join(import.meta.dirname, '../../build/Release/stack_native.node');
const missing = process.getuid?.() !== 0 ? 'root rights' : existsSync(addon) ? '' : 'the built addon';
if (missing) console.log(`skipped: the networks of a real kernel need ${missing}`);

interface Facts extends Record<string, unknown> {
  addresses: Record<'web' | 'client' | 'far' | 'six' | 'six6', string>;
  gateways: Record<'front' | 'back' | 'closed' | 'six', string>;
  sixGateway: string;
}

// Each fact about traffic is the address the server saw the question come from.
describe.skipIf(missing).each(['0', '1'])('networks in the kernel, bridge-nf-call-iptables %s', (filter) => {
  let facts: Facts;
  beforeAll(async () => {
    const args = ['--net', '--mount', process.execPath, join(import.meta.dirname, 'kernel-world.ts')];
    const env = { ...process.env, BRIDGE_FILTER: filter };
    const { stdout } = await promisify(execFile)('unshare', args, { env, timeout: 60_000 });
    facts = JSON.parse(stdout);
    console.log(`milliseconds: ${JSON.stringify(facts.timing)}`);
  }, 70_000);

  test('containers of one network reach each other', () => {
    expect(facts.neighbour).toBe(facts.addresses.client);
    expect(facts.internalNeighbour).toMatch(/^172\.20\./);
    expect(facts.resolver).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  test('links are as their network asks: MTU, and no IPv6 where there is none', () => {
    expect(facts.mtu).toBe('mtu 1000');
    expect(facts.linkLocal).toBe('');
  });

  test('a published port answers the world, who is seen as who he is', () => {
    expect(facts.outside).toBe('192.0.2.2');
    expect(facts.outsideUdp).toBe('192.0.2.2');
    expect(facts.outside6).toBe('2001:db8::2');
  });

  test('a published port answers the host, on loopback too', () => {
    const { front } = facts.gateways;
    expect(facts.loopback).toBe(front);
    expect(facts.loopbackBound).toBe(front);
    expect(facts.loopbackUdp).toBe(front);
    expect(facts.hostAddress).toBe('192.0.2.1');
    expect(facts.hostToContainer).toBe(front);
    expect(facts.loopback6).toBe(filter === '0' ? facts.sixGateway : 'ECONNREFUSED');
  });

  test('a published port answers containers: its own, its neighbour, one of another network', () => {
    const { front } = facts.gateways;
    expect(facts.hairpin).toBe(front);
    expect(facts.hairpinUdp).toBe(front);
    expect(facts.hairpin6).toBe(facts.sixGateway);
    expect(facts.neighbourByHost).toBe(front);
    expect(facts.otherNetworkByHost).toBe(facts.addresses.far);
  });

  test('a UDP client follows a port that another container takes over', () => {
    expect(facts.udpBefore).toBe('192.0.2.2');
    expect(facts.udpAfter).toBe('192.0.2.2');
  });

  test('what is not published is closed to the world and to other networks', () => {
    expect(facts.outsideToLoopbackPort).toBe('ECONNREFUSED');
    expect(facts.outsideToContainer).toBe('silence');
    expect(facts.outsideToContainer6).toBe('silence');
    expect(facts.otherNetwork).toBe('silence');
    expect(facts.guard).toBe('silence');
  });

  test('containers reach the world under the host’s address', () => {
    expect(facts.outbound).toBe('192.0.2.1');
    expect(facts.outbound6).toBe('2001:db8::1');
    expect(facts.toHost).toBe(facts.addresses.client);
  });

  test('an internal network is closed', () => {
    expect(facts.internalOut).toBe('silence');
    expect(facts.internalToHost).toBe('silence');
    expect(facts.internalToPublished).toBe('silence');
    expect(facts.outsideToInternalPort).toBe('ECONNREFUSED');
  });

  test('ports are reserved, and the taken one names its holder', () => {
    expect(facts.reserved).toEqual({
      ports: [9000, 9001],
      isSame: true,
      said: [
        'demo-b-1 cannot publish 0.0.0.0:9000/tcp: someone else has the port.',
        expect.stringMatching(/^demo-b-1 cannot publish 0\.0\.0\.0:7000\/tcp: the process \S+ \(pid\) has the port\.$/),
      ],
    });
  });

  test('others’ rules are left alone, and nothing of ours is left', () => {
    expect(facts.forwardingOpened).toBe('1 1');
    expect(facts.tables).toEqual([
      'table inet foreign',
      'table inet stack-demo',
      'table ip stack-forwarding',
      'table ip6 stack-forwarding',
    ]);
    expect(facts.foreignDuring).toBe(true);
    expect(facts.foreignAfter).toBe(true);
    expect(facts.linksDetached).toBe(1);
    expect(facts.linksAfter).toBe(true);
    expect(facts.forwardingAfter).toBe(true);
    expect(facts.filesAfter).toEqual(['/run/locks/.networks']);
  });
});
