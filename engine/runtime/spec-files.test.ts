import { expect, test } from 'vitest';
import { extraHosts, hostnameFile, hostsFile, parseResolvConf, resolverFiles } from './spec-files.ts';

test('hosts: localhost, extra hosts, then the container itself; names of IPv6 where it has IPv6', () => {
  const hosts = { hostname: 'web', extra: [['db', '192.0.2.7']] as [string, string][] };
  expect(hostsFile({ ...hosts, domainname: 'example.org', addresses: ['10.210.0.2'] })).toBe(
    ['127.0.0.1\tlocalhost', '192.0.2.7\tdb', '10.210.0.2\tweb.example.org web', ''].join('\n'),
  );
  expect(hostsFile({ ...hosts, addresses: ['10.210.0.2', 'fd00::2'] })).toBe(
    [
      '127.0.0.1\tlocalhost',
      '::1\tlocalhost ip6-localhost ip6-loopback',
      'fe00::\tip6-localnet',
      'ff00::\tip6-mcastprefix',
      'ff02::1\tip6-allnodes',
      'ff02::2\tip6-allrouters',
      '192.0.2.7\tdb',
      '10.210.0.2\tweb',
      'fd00::2\tweb',
      '',
    ].join('\n'),
  );
});

const extra = (entry: string, gateway = ['10.210.0.1']) => extraHosts([entry], gateway, 'services.web');

test.each([
  ['a=192.0.2.7', '192.0.2.7'],
  ['a:192.0.2.7', '192.0.2.7'],
  ['a:2001:db8::7', '2001:db8::7'],
  ['a=[2001:db8::7]', '2001:db8::7'],
  ['a=host-gateway', '10.210.0.1'],
  ['a:host-gateway', '10.210.0.1'],
])('extra_hosts %j', (entry, address) => {
  expect(extra(entry)).toEqual([['a', address]]);
});

test.each(['a', 'a=', '=192.0.2.7', 'a=192.0.2.700', 'a=db', 'a b=192.0.2.7', 'a=192.0.2.7\n1.1.1.1 b'])(
  'extra_hosts %j is refused',
  (entry) => {
    expect(() => extra(entry)).toThrow(/services\.web\.extra_hosts/);
  },
);

test('host-gateway without a way to the host is refused', () => {
  expect(() => extra('a=host-gateway', [])).toThrow(/no network through which/);
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

test('in the host network the container asks as the host does, unless the service says otherwise', () => {
  expect(resolverFiles({ host, mode: 'host' })).toEqual({ content: host, upstreams: [] });
  expect(resolverFiles({ host, mode: 'host', dns: ['192.0.2.53'] })).toEqual({
    content: 'nameserver 192.0.2.53\nsearch corp.example lab.example\noptions edns0 trust-ad timeout:1\n',
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
