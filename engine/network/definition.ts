/** A network of the stack file as the record of what is made of it. */
import { randomBytes } from 'node:crypto';
import type { NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Network } from '../../schemas/project.ts';
import { bridgeName } from './identity.ts';

const MTU_OPTION = 'com.docker.network.driver.mtu';

/** Undefined, the kernel's default, where none is asked for. RFC 791 and RFC 8200 set the least. */
function mtuOf({ name, driver_opts: options, enable_ipv6: hasIpv6 }: Network): number | undefined {
  const asked = options?.[MTU_OPTION];
  if (asked === undefined || Number(asked) === 0) return undefined;
  const mtu = Number(asked);
  const least = hasIpv6 ? 1280 : 68;
  if (Number.isInteger(mtu) && mtu >= least && mtu <= 65535) return mtu;
  throw new StackError('config.value', {
    message: `Network ${name} cannot have the MTU ${asked}.`,
    hint: `Set ${MTU_OPTION} to a number from ${least} to 65535.`,
    resource: `network ${name}`,
  });
}

/** @throws StackError config.not-supported */
export function checkDriver(key: string, { name, driver }: Network): void {
  if (!driver || driver === 'bridge' || driver === 'default') return;
  throw new StackError('config.not-supported', {
    message: `Not supported yet: networks.${key}.driver ${driver}.`,
    hint: 'Use the driver bridge.',
    resource: `network ${name}`,
  });
}

/** @throws StackError config.value for an MTU that cannot be */
export function defineNetwork(
  stack: string,
  key: string,
  config: Network,
  subnets: Pick<NetworkRecord, 'ipv4' | 'ipv6'>,
): NetworkRecord {
  const mtu = mtuOf(config);
  return {
    id: randomBytes(32).toString('hex'),
    key,
    name: config.name,
    stack,
    driver: 'bridge',
    bridge: bridgeName(config.name),
    isInternal: config.internal ?? false,
    ...subnets,
    ...(mtu ? { mtu } : {}),
    labels: config.labels ?? {},
    config,
  };
}
