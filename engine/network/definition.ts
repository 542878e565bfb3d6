/** A network of the stack file as the record of what is made of it. */
import { randomBytes } from 'node:crypto';
import { bridgeOptions } from '../../planner/network/bridge-options.ts';
import type { NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Network } from '../../schemas/project.ts';
import { bridgeName } from './identity.ts';

/** @throws StackError config.not-supported */
export function checkDriver(key: string, { name, driver }: Network): void {
  if (!driver || driver === 'bridge' || driver === 'default') return;
  throw new StackError('config.not-supported', {
    message: `Not supported yet: networks.${key}.driver ${driver}.`,
    hint: 'Use the driver bridge.',
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
  const { mtu, bridge = bridgeName(config.name) } = bridgeOptions(config);
  return {
    id: randomBytes(32).toString('hex'),
    key,
    name: config.name,
    stack,
    driver: 'bridge',
    bridge,
    isInternal: config.internal ?? false,
    ...subnets,
    ...(mtu ? { mtu } : {}),
    labels: config.labels ?? {},
    config,
  };
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
