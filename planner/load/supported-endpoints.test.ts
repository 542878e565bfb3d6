import { expect, test } from 'vitest';
import { loadText, oneLine } from './fixture.ts';
import { checkSupported } from './supported.ts';

/** Line 3 is service a, line 4 service b, line 6 network n, line 7 network m. */
const refused = (a: string, n = '', b = '', m = '') =>
  checkSupported(
    loadText(
      `# networks\nservices:\n  a: {image: x, networks: {n: , m: }, ${a}}\n  b: {image: x, networks: {n: , m: }, ${b}}\nnetworks:\n  n: {${n}}\n  m: {${m}}\n`.replace(
        /networks: \{n: , m: \}, (networks: )/g,
        '$1',
      ),
    ),
  ).map(oneLine);
const subnet = 'ipam: {config: [{subnet: 10.0.0.0/24}]}';
const address = (text: string) => `networks: {n: {ipv4_address: ${text}}}`;

test('what can be', () => {
  const all =
    'networks: {n: {ipv4_address: 10.0.0.9, link_local_ips: [169.254.8.8, "fe80::8"], mac_address: "02:42:00:00:00:09", interface_name: lan}, m: {interface_name: wan}}, links: [b, "b:c"], external_links: [x, "y-1:z"], mac_address: "02:42:00:00:00:08"';
  expect(refused(all, subnet, address('10.0.0.8'))).toEqual([]);
});

test.each([
  [address('10.0.1.9'), 'network.address', '10.0.1.9 is not in the subnet 10.0.0.0/24'],
  [address('10.0.0.1'), 'network.address', 'is the gateway'],
  [address('10.0.0.300'), 'network.address', 'is no IPv4 address'],
  [`${address('10.0.0.9')}, scale: 2`, 'network.address', 'of 2 containers'],
  ['networks: {n: {link_local_ips: [10.0.0.2]}}', 'config.value', 'no link-local address'],
  ['networks: {n: {mac_address: "03:00:00:00:00:01"}}', 'config.value', 'not the MAC address'],
  ['mac_address: nonsense', 'config.value', 'not the MAC address'],
  ['networks: {n: {interface_name: a/b}}', 'config.value', 'no name of an interface'],
  ['networks: {n: {interface_name: lo}}', 'config.value', 'no name of an interface'],
  ['networks: {n: {interface_name: x}, m: {interface_name: x}}', 'config.value', 'of another interface'],
  ['external_links: ["a b"]', 'config.value', 'is no link'],
])('%s', (a, code, message) => {
  const errors = refused(a, subnet);
  expect(errors).toEqual([expect.stringMatching(/^compose.yaml:3:\d+ /)]);
  expect(errors[0]).toContain(code);
  expect(errors[0]).toContain(message);
});

test('an address is asked for once', () => {
  expect(refused(address('10.0.0.9'), subnet, address('10.0.0.9'))).toEqual([
    expect.stringMatching(/^compose.yaml:4:\d+ .*another service/),
  ]);
});

test.each([
  [subnet, 'ipam: {config: [{subnet: 10.0.0.128/25}]}', 7, 'network.overlap'],
  ['ipam: {config: [{subnet: 10.0.0.0}]}', '', 6, 'is not a subnet'],
  ['ipam: {config: [{subnet: 10.0.0.0/24, gateway: 10.0.1.1}]}', '', 6, 'gateway 10.0.1.1 is not in'],
  ['ipam: {config: [{subnet: 10.0.0.0/24, ip_range: 10.0.0.0/16}]}', '', 6, 'ip_range'],
  ['ipam: {config: [{subnet: 10.0.0.0/24, aux_addresses: {x: 10.0.1.1}}]}', '', 6, 'aux_addresses.x'],
  ['ipam: {config: [{gateway: 10.0.0.1}]}', '', 6, 'of no subnet'],
  ['ipam: {config: [{subnet: 10.0.0.0/24}, {subnet: 10.0.1.0/24}]}', '', 6, 'several IPv4'],
  ['enable_ipv4: false', '', 6, 'neither IPv4 nor IPv6'],
])('networks %s %s', (n, m, line, message) => {
  const errors = refused('', n, '', m);
  expect(errors).toEqual([expect.stringContaining(message)]);
  expect(errors[0]).toMatch(new RegExp(`^compose.yaml:${line}:`));
});
