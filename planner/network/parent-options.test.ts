import { expect, test } from 'vitest';
import { parentOptions, readParentOptions } from './parent-options.ts';

const network = (driver: 'macvlan' | 'ipvlan', driver_opts: Record<string, string>) => ({
  name: 'demo_n',
  ipam: {},
  driver,
  driver_opts,
});

test('what an interface is made of', () => {
  expect(parentOptions(network('macvlan', { parent: 'eth0' }))).toEqual({
    driver: 'macvlan',
    parent: 'eth0',
    mode: 4,
    flags: 0,
  });
  const options = {
    parent: 'eth0.10',
    ipvlan_mode: 'l3',
    ipvlan_flag: 'private',
    'com.docker.network.driver.mtu': '1400',
  };
  expect(parentOptions(network('ipvlan', options))).toEqual({
    driver: 'ipvlan',
    parent: 'eth0.10',
    mode: 1,
    flags: 1,
    mtu: 1400,
  });
});

test.each([
  ['macvlan', {}, 'parent', 'config.value'],
  ['macvlan', { parent: 'a/b' }, 'parent', 'config.value'],
  ['macvlan', { parent: 'eth0', macvlan_mode: 'l2' }, 'macvlan_mode', 'config.value'],
  ['macvlan', { parent: 'eth0', ipvlan_mode: 'l2' }, 'ipvlan_mode', 'config.not-supported'],
  ['ipvlan', { parent: 'eth0', ipvlan_flag: 'x' }, 'ipvlan_flag', 'config.value'],
  ['ipvlan', { parent: 'eth0', 'com.docker.network.driver.mtu': '9' }, 'com.docker.network.driver.mtu', 'config.value'],
] as const)('%s %j', (driver, options, option, code) => {
  const asked = network(driver, options as Record<string, string>);
  expect(readParentOptions(asked).problems).toEqual([expect.objectContaining({ option, code })]);
  expect(() => parentOptions(asked)).toThrow(expect.objectContaining({ code }));
});
