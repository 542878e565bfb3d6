import { expect, test } from 'vitest';
import type { Network } from '../../schemas/project.ts';
import { bridgeOptions, readBridgeOptions } from './bridge-options.ts';

const network = (driver_opts: Record<string, string>, fields: Partial<Network> = {}): Network => ({
  name: 'demo_n',
  ipam: {},
  driver_opts,
  ...fields,
});
const bridge = (name: string, value: string) => network({ [`com.docker.network.bridge.${name}`]: value });

test('without options everything is as docker has it', () => {
  expect(bridgeOptions({ name: 'n', ipam: {} })).toEqual({
    isMasqueraded: true,
    isConnected: true,
    inhibitsIpv4: false,
    gatewayMode: { ipv4: 'nat', ipv6: 'nat' },
    interfacePrefix: 'eth',
  });
});

test('each option', () => {
  const options = {
    'com.docker.network.bridge.name': 'br-demo',
    'com.docker.network.bridge.enable_ip_masquerade': 'false',
    'com.docker.network.bridge.enable_icc': '0',
    'com.docker.network.bridge.host_binding_ipv4': '127.0.0.1',
    'com.docker.network.bridge.inhibit_ipv4': 'true',
    'com.docker.network.bridge.gateway_mode_ipv4': 'routed',
    'com.docker.network.bridge.gateway_mode_ipv6': 'nat-unprotected',
    'com.docker.network.container_iface_prefix': 'net',
    'com.docker.network.driver.mtu': '1400',
  };
  expect(readBridgeOptions(network(options))).toEqual({
    problems: [],
    options: {
      bridge: 'br-demo',
      isMasqueraded: false,
      isConnected: false,
      hostBinding: '127.0.0.1',
      inhibitsIpv4: true,
      gatewayMode: { ipv4: 'routed', ipv6: 'nat-unprotected' },
      interfacePrefix: 'net',
      mtu: 1400,
    },
  });
});

test.each([
  ['name', 'a/b', 'no name of a bridge'],
  ['name', 'sixteen-letters-', 'no name of a bridge'],
  ['name', 'lo', 'no name of a bridge'],
  ['name', 'st-0123456789', 'no name of a bridge'],
  ['enable_icc', 'perhaps', 'neither true nor false'],
  ['host_binding_ipv4', '127.0.0.256', 'no IPv4 address'],
  ['host_binding_ipv4', '::1', 'no IPv4 address'],
  ['gateway_mode_ipv4', 'open', 'none of nat, nat-unprotected, routed, isolated'],
  ['gateway_mode_ipv4', 'isolated', 'only of an internal network'],
])('%s: %s is %s', (name, value, message) => {
  const { problems } = readBridgeOptions(bridge(name, value));
  expect(problems).toEqual([
    {
      option: `com.docker.network.bridge.${name}`,
      code: 'config.value',
      message: expect.stringContaining(message),
      hint: expect.any(String),
    },
  ]);
  expect(() => bridgeOptions(bridge(name, value))).toThrow(expect.objectContaining({ code: 'config.value' }));
});

test('isolated networks are internal', () => {
  const isolated = { 'com.docker.network.bridge.gateway_mode_ipv4': 'isolated' };
  expect(readBridgeOptions(network(isolated, { internal: true })).problems).toEqual([]);
});

test.each([
  ['67', {}],
  ['1279', { enable_ipv6: true }],
  ['70000', {}],
  ['big', {}],
])('an MTU of %s', (mtu, fields) => {
  const { problems } = readBridgeOptions(network({ 'com.docker.network.driver.mtu': mtu }, fields));
  expect(problems).toEqual([expect.objectContaining({ code: 'config.value', message: expect.stringContaining(mtu) })]);
});

test('an option nobody knows is told with the one that was meant', () => {
  const { problems } = readBridgeOptions(
    network({ 'com.docker.network.bridge.enable_ip_masquerad': 'true', parent: 'eth0' }),
  );
  expect(problems).toEqual([
    {
      option: 'com.docker.network.bridge.enable_ip_masquerad',
      code: 'config.not-supported',
      message: expect.any(String),
      hint: 'Did you mean `com.docker.network.bridge.enable_ip_masquerade`?',
    },
    { option: 'parent', code: 'config.not-supported', message: expect.any(String), hint: expect.stringMatching(/mtu/) },
  ]);
});
