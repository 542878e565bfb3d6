/** Names by which the kernel's objects tell whose they are, with every state file gone. */
import { createHash } from 'node:crypto';
import { addressBytes, parseAddress } from '../../planner/network/address.ts';

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Links have at most 15 characters, networks any number: the alias has the full name. */
export const bridgeName = (network: string): string => `st-${hash(network).toString('hex', 0, 5)}`;

/** Names that nobody chose. No stack file may choose one of them. */
export const isOwnName = (bridge: string): boolean => bridge.startsWith('st-');

/** `index` counts the container's endpoints. */
export const hostInterfaceName = (id: string, index: number): string => `st${id.slice(0, 10)}${index.toString(36)}`;

export const bridgeAlias = (stack: string, network: string): string => `stack:${stack}:network:${network}`;
export const endpointAlias = (stack: string, id: string): string => `stack:${stack}:${id}`;

/** The group of all links of a stack: never 0, the group of every link without one, and below the scratch groups. */
export const linkGroup = (stack: string): number => (hash(`group ${stack}`).readUInt32LE(0) & 0x3fffffff) | 1;

/** Locally administered, and the same for the same address: neighbours' caches stay right when a container is replaced. */
export function macOf(address: string): string {
  const bytes = addressBytes(parseAddress(address)!);
  const tail = bytes.length === 4 ? bytes : hash(address).subarray(0, 4);
  return `02:42:${tail.toString('hex').replace(/(..)(?=.)/g, '$1:')}`;
}
