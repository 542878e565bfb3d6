/** What keeps a network from being made, changed or removed, as errors. */
import type { ContainerRecord, NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Network } from '../../schemas/project.ts';

export function notThere({ name }: Network): StackError {
  return new StackError('network.not-found', {
    message: `The network ${name} is not there any more.`,
    hint: 'Run the command again: it makes it anew.',
    resource: `network ${name}`,
  });
}

export function bridgeTaken({ name }: Network, { bridge, name: rival, stack }: NetworkRecord): StackError {
  return new StackError('network.overlap', {
    message: `Network ${name} cannot have the bridge ${bridge}: it is that of network ${rival} of the stack ${stack}.`,
    hint: 'Choose another com.docker.network.bridge.name, or leave it out.',
    resource: `network ${name}`,
  });
}

export function foreign(record: NetworkRecord): StackError {
  return new StackError('network.overlap', {
    message: `A network named ${record.name} exists already: it belongs to the stack ${record.stack}.`,
    hint: 'Mark the network `external: true` to share it, or give it another name.',
    resource: `network ${record.name}`,
  });
}

export function inUse(record: NetworkRecord, users: ContainerRecord[]): StackError {
  const names = users.map(({ name, stack }) => `${name} (stack ${stack})`).join(', ');
  return new StackError('network.in-use', {
    message: `Network ${record.name} is still used by ${names}.`,
    hint: 'Take those containers down first.',
    resource: `network ${record.name}`,
  });
}
