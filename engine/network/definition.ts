/** A network of the stack file as the record of what is made of it. */
import { randomBytes } from 'node:crypto';
import { bridgeOptions } from '../../planner/network/bridge-options.ts';
import { isParentDriver, parentOptions } from '../../planner/network/parent-options.ts';
import type { NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Network } from '../../schemas/project.ts';
import { bridgeName } from './identity.ts';

/** @throws StackError config.not-supported */
export function checkDriver(key: string, { name, driver }: Network): void {
  if (!driver || driver === 'bridge' || driver === 'default' || isParentDriver(driver)) return;
  throw new StackError('config.not-supported', {
    message: `Not supported yet: networks.${key}.driver ${driver}.`,
    hint: 'Use the driver bridge, macvlan or ipvlan.',
    resource: `network ${name}`,
  });
}

/** @throws StackError config.value, config.not-supported for driver_opts that cannot be */
export function defineNetwork(
  stack: string,
  key: string,
  config: Network,
  subnets: Pick<NetworkRecord, 'ipv4' | 'ipv6'>,
): NetworkRecord {
  const made = isParentDriver(config.driver) ? onParent(config) : onBridge(config);
  return {
    id: randomBytes(32).toString('hex'),
    key,
    name: config.name,
    stack,
    isInternal: config.internal ?? false,
    ...subnets,
    ...made,
    labels: config.labels ?? {},
    createdAt: new Date().toISOString(),
    config,
  };
}

function onBridge(config: Network): Pick<NetworkRecord, 'driver' | 'bridge' | 'mtu'> {
  const { mtu, bridge = bridgeName(config.name) } = bridgeOptions(config);
  return { driver: 'bridge', bridge, ...(mtu ? { mtu } : {}) };
}

function onParent(config: Network): Pick<NetworkRecord, 'driver' | 'bridge' | 'mtu' | 'parent'> {
  const { driver, parent, mtu } = parentOptions(config);
  return { driver, bridge: '', parent, ...(mtu ? { mtu } : {}) };
}

type Family = 'ipv4' | 'ipv6';

/** The host has an address on the network: not where it is isolated, or the gateway is somebody else. */
export function hasHostAddress({ config }: Pick<NetworkRecord, 'config'>, family: Family): boolean {
  const { gatewayMode, inhibitsIpv4 } = bridgeOptions(config);
  return gatewayMode[family] !== 'isolated' && !(family === 'ipv4' && inhibitsIpv4);
}

/** Addresses of the network leave the host under its own. */
export function isMasqueraded({ config }: Pick<NetworkRecord, 'config'>, family: Family): boolean {
  const { gatewayMode, isMasqueraded } = bridgeOptions(config);
  return isMasqueraded && gatewayMode[family] !== 'routed';
}
