import { expect, test } from 'vitest';
import { type HostsRequest, hostnameFile, hostsFile, parseResolvConf, resolverFiles } from './spec-files.ts';

const hosts = (request: Partial<HostsRequest>) =>
  hostsFile({
    hostname: 'web',
    addresses: ['10.210.0.2'],
    hostGateway: ['10.210.0.1'],
    hasIpv6: false,
    resource: 'services.web',
    ...request,
  });

test('hosts: localhost, extra hosts, then the container itself', () => {
  expect(hosts({ domainname: 'example.org', extraHosts: ['db=192.0.2.7', 'six=2001:db8::7'] })).toBe(
    ['127.0.0.1\tlocalhost', '192.0.2.7\tdb', '2001:db8::7\tsix', '10.210.0.2\tweb.example.org web', ''].join('\n'),
  );
});

test('hosts: the names of IPv6 where there is IPv6', () => {
  expect(hosts({ hasIpv6: true, addresses: ['10.210.0.2', 'fd00::2'] })).toBe(
    [
      '127.0.0.1\tlocalhost',
      '::1\tlocalhost ip6-localhost ip6-loopback',
      'fe00::\tip6-localnet',
      'ff00::\tip6-mcastprefix',
      'ff02::1\tip6-allnodes',
      'ff02::2\tip6-allrouters',
      '10.210.0.2\tweb',
      'fd00::2\tweb',
      '',
    ].join('\n'),
  );
});

test.each([
  ['a=192.0.2.7', '192.0.2.7\ta'],
  ['a:192.0.2.7', '192.0.2.7\ta'],
  ['a:2001:db8::7', '2001:db8::7\ta'],
  ['a=[2001:db8::7]', '2001:db8::7\ta'],
  ['a=host-gateway', '10.210.0.1\ta'],
  ['a:host-gateway', '10.210.0.1\ta'],
])('extra_hosts %j', (entry, line) => {
  expect(hosts({ extraHosts: [entry] }).split('\n')).toContain(line);
});

test.each(['a', 'a=', '=192.0.2.7', 'a=192.0.2.700', 'a=db', 'a b=192.0.2.7', 'a=192.0.2.7\n1.1.1.1 b'])(
  'extra_hosts %j is refused',
  (entry) => {
    expect(() => hosts({ extraHosts: [entry] })).toThrow(/services\.web\.extra_hosts/);
  },
);

test('host-gateway without a way to the host is refused', () => {
  expect(() => hosts({ extraHosts: ['a=host-gateway'], hostGateway: [] })).toThrow(/no network through which/);
});

test('hostname is a line', () => expect(hostnameFile('web')).toBe('web\n'));

const host = [
  '# made by hand',
  'domain old.example',
  'search corp.example lab.example ; both',
  'nameserver 127.0.0.53',
  'nameserver fe80::1%eth0',
  'nameserver nonsense',
  'options edns0 trust-ad',
  'options timeout:1',
].join('\n');

test('the host says where to ask further, and the rest stands', () => {
  expect(resolverFiles({ host, mode: 'stack' })).toEqual({
    content: 'nameserver 127.0.0.11\nsearch corp.example lab.example\noptions edns0 trust-ad timeout:1 ndots:0\n',
    upstreams: ['127.0.0.53', 'fe80::1%eth0'],
  });
});

test('what the service says takes its place', () => {
  const service = { dns: ['192.0.2.53'], dnsSearch: ['a.example'], dnsOptions: ['ndots:2', 'rotate'] };
  expect(resolverFiles({ host, mode: 'stack', ...service })).toEqual({
    content: 'nameserver 127.0.0.11\nsearch a.example\noptions ndots:2 rotate\n',
    upstreams: ['192.0.2.53'],
  });
  expect(resolverFiles({ host, mode: 'stack', dnsSearch: ['.'] }).content).not.toContain('search');
});

test('in the host network the container asks as the host does', () => {
  expect(resolverFiles({ host, mode: 'host' })).toEqual({
    content:
      'nameserver 127.0.0.53\nnameserver fe80::1%eth0\nsearch corp.example lab.example\noptions edns0 trust-ad timeout:1\n',
    upstreams: [],
  });
});

test('a host without resolv.conf leaves nobody to ask', () => {
  expect(resolverFiles({ host: '', mode: 'stack' })).toEqual({
    content: 'nameserver 127.0.0.11\noptions ndots:0\n',
    upstreams: [],
  });
  expect(parseResolvConf('domain a.example\n')).toEqual({ servers: [], search: ['a.example'], options: [] });
});
