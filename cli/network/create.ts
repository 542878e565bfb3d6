import { contains, parseAddress, parseSubnet } from '../../planner/network/address.ts';
import { noStack } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { IpamPool, Network } from '../../schemas/project.ts';
import { collect, define } from '../command.ts';

interface Flags {
  attachable?: boolean;
  auxAddress?: string[];
  driver: string;
  gateway?: string[];
  internal?: boolean;
  ipRange?: string[];
  ipv4: boolean;
  ipv6?: boolean;
  label?: string[];
  opt?: string[];
  subnet?: string[];
}

export const create = define<Flags>({
  usage: 'create NETWORK',
  summary: 'Make a network that stacks share with `external: true`',
  examples: [
    ['stack network create shared', 'Make one with a free subnet.'],
    ['stack network create --subnet 10.9.0.0/24 --ipv6 shared', 'Choose the IPv4 subnet, and add IPv6.'],
  ],
  options(command) {
    command
      .option('--attachable', 'as docker takes it: containers join by their stack files')
      .option('--aux-address <name=address>', 'an address that no container gets (repeatable)', collect)
      .option('-d, --driver <driver>', 'bridge, macvlan or ipvlan', 'bridge')
      .option('--gateway <address>', 'gateway of a subnet (repeatable)', collect)
      .option('--internal', 'reaches neither the world nor the host')
      .option('--ip-range <subnet>', 'part of a subnet that containers get addresses of (repeatable)', collect)
      .option('--no-ipv4', 'without IPv4')
      .option('--ipv6', 'with IPv6')
      .option('--label <label>', 'name=value (repeatable)', collect)
      .option('-o, --opt <option>', 'option of the driver: name=value (repeatable)', collect)
      .option('--subnet <subnet>', 'one a family (repeatable)', collect);
  },
  async action(context, [name = ''], flags) {
    const config = definition(name, flags);
    const [engine, host] = await Promise.all([context.engine(), context.host()]);
    const { lockStack } = await import('../../engine/state/lock.ts');
    using _lock = await lockStack(host, { stack: noStack, command: 'stack network create', emit: () => {} });
    const networks = await engine.networks();
    const known = networks.find(name);
    if (known) {
      throw new StackError('network.overlap', {
        message: `A network named ${name} exists already${known.stack === noStack ? '' : `: it belongs to the stack ${known.stack}`}.`,
        hint: 'Choose another name, or remove it first.',
        resource: `network ${name}`,
      });
    }
    const { id } = await networks.create(noStack, name, config);
    context.stdout.write(`${id}\n`);
  },
});

function definition(name: string, flags: Flags): Network {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name) || ['bridge', 'host', 'none', 'default'].includes(name)) {
    throw new StackError('usage', {
      message: `"${name}" cannot be the name of a network.`,
      hint: 'Write letters, digits, dots, underscores and hyphens, beginning with a letter or digit.',
    });
  }
  const pools = poolsOf(flags);
  return {
    name,
    driver: flags.driver,
    ipam: pools.length > 0 ? { config: pools } : {},
    ...(flags.opt ? { driver_opts: pairs(flags.opt) } : {}),
    ...(flags.internal ? { internal: true } : {}),
    ...(flags.attachable ? { attachable: true } : {}),
    ...(flags.ipv4 ? {} : { enable_ipv4: false }),
    ...(flags.ipv6 ? { enable_ipv6: true } : {}),
    labels: pairs(flags.label ?? []),
  };
}

function pairs(texts: string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf('=');
      return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}

/** Each gateway, range and address goes to the subnet that it lies in, as docker sorts them. */
function poolsOf({ subnet = [], gateway = [], ipRange = [], auxAddress = [] }: Flags): IpamPool[] {
  const pools = subnet.map((text): IpamPool => ({ subnet: text }));
  const poolOf = (flag: string, text: string): IpamPool => {
    const address = parseAddress(text.replace(/\/\d+$/, ''));
    const found = pools.find((pool) => {
      const parsed = parseSubnet(pool.subnet!);
      return parsed && address && contains(parsed, address);
    });
    if (found) return found;
    throw new StackError('usage', {
      message: `${flag} ${text} lies in no --subnet.`,
      hint: subnet.length === 0 ? 'Add the --subnet that it is of.' : `Given are ${subnet.join(', ')}.`,
    });
  };
  for (const text of gateway) poolOf('--gateway', text).gateway = text;
  for (const text of ipRange) poolOf('--ip-range', text).ip_range = text;
  for (const [name, text] of Object.entries(pairs(auxAddress))) {
    const pool = poolOf('--aux-address', text);
    pool.aux_addresses = { ...pool.aux_addresses, [name]: text };
  }
  return pools;
}
