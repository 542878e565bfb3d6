import { expect, test } from 'vitest';
import type { ContainerRecord } from '../../schemas/container.ts';
import type { Service } from '../../schemas/project.ts';
import { containerFiles } from './files.ts';

const host = {
  hostname: 'machine',
  hosts: '127.0.0.1 localhost machine\n',
  resolvConf: '# by dhcp\nnameserver 10.0.0.2\nnameserver fd00::2\nsearch corp.example\noptions timeout:1\n',
};

function files(config: Partial<Service>, hasNetwork = true) {
  const endpoint = { isDefaultRoute: true, ipv4: { address: '172.18.0.2', prefix: 16, gateway: '172.18.0.1' } };
  const record = { id: 'ab'.repeat(32), service: 'web', config, endpoints: hasNetwork ? [endpoint] : [] };
  return containerFiles(record as unknown as ContainerRecord, host);
}

test('a container on a network asks the embedded resolver, which asks the host’s servers', () => {
  const { resolvConf, upstreams } = files({});
  expect(resolvConf).toBe('nameserver 127.0.0.11\nsearch corp.example\noptions timeout:1 ndots:0\n');
  expect(upstreams).toEqual(['10.0.0.2', 'fd00::2']);
});

test('dns, dns_search and dns_opt replace the host’s', () => {
  const { resolvConf, upstreams } = files({ dns: ['9.9.9.9'], dns_search: ['a.test', 'b.test'], dns_opt: ['ndots:2'] });
  expect(resolvConf).toBe('nameserver 127.0.0.11\nsearch a.test b.test\noptions ndots:2\n');
  expect(upstreams).toEqual(['9.9.9.9']);
});

test('hosts carries its own name, extra hosts and the gateway under host-gateway', () => {
  const { hosts, hostname } = files({
    hostname: 'web',
    domainname: 'test',
    extra_hosts: ['db=10.1.1.1', 'six:[fd00::1]', 'host.docker.internal=host-gateway'],
  });
  expect(hostname).toBe('web\n');
  expect(hosts.split('\n').slice(1)).toEqual([
    '10.1.1.1\tdb',
    'fd00::1\tsix',
    '172.18.0.1\thost.docker.internal',
    '172.18.0.2\tweb.test web',
    '',
  ]);
});

test('in the host’s network everything is the host’s', () => {
  const { hosts, hostname, resolvConf } = files({ network_mode: 'host' }, false);
  expect(hostname).toBe('machine\n');
  expect(hosts).toBe(host.hosts);
  expect(resolvConf).toBe(host.resolvConf);
});

test('without a network there is nobody to ask', () => {
  expect(files({ network_mode: 'none' }, false).resolvConf).not.toContain('nameserver');
});
