/** `stack network connect` and `disconnect`. */
import type { Connecting } from '../../engine/containers/connect.ts';
import { StackError } from '../../schemas/errors.ts';
import type { ServiceNetwork } from '../../schemas/project.ts';
import { type Context, collect, define } from '../command.ts';
import { findNetwork, type Opened, openNetworks } from './open.ts';

interface Flags {
  alias?: string[];
  gwPriority?: string;
  ip?: string;
  ip6?: string;
  linkLocalIp?: string[];
}

export const connect = define<Flags>({
  usage: 'connect NETWORK CONTAINER',
  summary: 'Join a container to a network, until it is made anew',
  examples: [['stack network connect shared demo-web-1', 'Let demo-web-1 be found on the network shared too.']],
  options(command) {
    command
      .option('--alias <name>', 'another name on the network (repeatable)', collect)
      .option('--ip <address>', 'its IPv4 address')
      .option('--ip6 <address>', 'its IPv6 address')
      .option('--link-local-ip <address>', 'a link-local address more (repeatable)', collect);
  },
  async action(context, [network = '', container = ''], { alias, ip, ip6, linkLocalIp }) {
    const options: ServiceNetwork = {
      ...(alias ? { aliases: alias } : {}),
      ...(ip ? { ipv4_address: ip } : {}),
      ...(ip6 ? { ipv6_address: ip6 } : {}),
      ...(linkLocalIp ? { link_local_ips: linkLocalIp } : {}),
    };
    await underLock(context, network, container, async (connecting) => {
      const { connect } = await import('../../engine/containers/connect.ts');
      await connect(connecting, options);
    });
  },
});

export const disconnect = define<{ force?: boolean }>({
  usage: 'disconnect NETWORK CONTAINER',
  summary: 'Take a container off a network',
  examples: [['stack network disconnect shared demo-web-1', 'Undo what `connect` did.']],
  options(command) {
    command.option('-f, --force', 'as docker takes it; a container never clings to a network');
  },
  async action(context, [network = '', container = '']) {
    await underLock(context, network, container, async (connecting) => {
      const { disconnect } = await import('../../engine/containers/connect.ts');
      await disconnect(connecting);
    });
  },
});

/** Looked up again once the lock is held. @throws StackError network.not-found, config.no-container */
async function underLock(
  context: Context,
  network: string,
  container: string,
  work: (connecting: Connecting) => Promise<void>,
): Promise<void> {
  const [host, engine] = [await context.host(), await context.engine()];
  const { stack } = findContainer(await openNetworks(context), container);
  const { lockStack } = await import('../../engine/state/lock.ts');
  using _lock = await lockStack(host, { stack, command: 'stack network', emit: () => {} });
  const opened = await openNetworks(context);
  const record = findContainer(opened, container);
  const siblings = opened.containers.map((one) => one.record).filter((one) => one.stack === stack);
  const { networks } = opened;
  const containers = await engine.containers();
  await work({ host, networks, containers, record, network: findNetwork(opened, network), siblings });
}

function findContainer({ containers }: Opened, name: string) {
  const records = containers.map(({ record }) => record);
  const begun = /^[0-9a-f]{4,}$/.test(name) ? records.filter(({ id }) => id.startsWith(name)) : [];
  const found = records.find((one) => one.name === name) ?? (begun.length === 1 ? begun[0] : undefined);
  if (found) return found;
  throw new StackError('config.no-container', {
    message: `There is no container ${name}.`,
    hint: '`stack -p STACK ps` lists those of a stack.',
    resource: `container ${name}`,
  });
}
