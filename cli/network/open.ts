/** What the commands of `stack network` share: the networks with who is on them. */
import type { Networks } from '../../engine/network/network.ts';
import type { ContainerRecord, NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { ObservedContainer } from '../../schemas/snapshot.ts';
import type { Context } from '../command.ts';

export interface Opened {
  networks: Networks;
  /** Of every stack. */
  containers: ObservedContainer[];
}

export async function openNetworks(context: Context): Promise<Opened> {
  const engine = await context.engine();
  const networks = await engine.networks();
  return { networks, containers: engine.stacks().flatMap((stack) => engine.observeContainers(stack)) };
}

/** By name, id, or the beginning of an id that is no other's. @throws StackError network.not-found */
export function findNetwork({ networks }: Opened, name: string): NetworkRecord {
  const all = networks.list();
  const found = all.find((one) => one.name === name) ?? all.find(({ id }) => id === name);
  if (found) return found;
  const begun = /^[0-9a-f]+$/.test(name) ? all.filter(({ id }) => id?.startsWith(name)) : [];
  if (begun.length === 1) return begun[0]!;
  throw new StackError('network.not-found', {
    message: begun.length > 1 ? `Several networks have ids that begin with ${name}.` : `There is no network ${name}.`,
    hint: '`stack network ls` lists those of this machine.',
    resource: `network ${name}`,
  });
}

/** Containers on a network, running or not. */
export const usersOf = ({ containers }: Opened, { name }: NetworkRecord): ContainerRecord[] =>
  containers.map(({ record }) => record).filter(({ endpoints }) => endpoints.some((one) => one.networkName === name));

/** Removes a network that nobody is on. @throws StackError network.in-use */
export async function removeNetwork(context: Context, opened: Opened, record: NetworkRecord): Promise<void> {
  const users = usersOf(opened, record);
  if (users.length > 0) {
    throw new StackError('network.in-use', {
      message: `Network ${record.name} is still used by ${users.map(({ name, stack }) => `${name} (stack ${stack})`).join(', ')}.`,
      hint: 'Take those containers down first.',
      resource: `network ${record.name}`,
    });
  }
  const { lockStack } = await import('../../engine/state/lock.ts');
  using _lock = await lockStack(await context.host(), {
    stack: record.stack,
    command: 'stack network',
    emit: () => {},
  });
  await opened.networks.remove([record]);
  const left = opened.networks.list(record.stack);
  if (left.length > 0) await (await (await context.engine()).containers()).publish(record.stack);
}
