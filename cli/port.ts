import { InvalidArgumentError } from 'commander';
import { StackError } from '../schemas/errors.ts';
import { define, integer } from './command.ts';
import { oneContainer, openStack } from './containers.ts';

interface Flags {
  index?: number;
  protocol: string;
}

export const port = define<Flags>({
  usage: 'port SERVICE PRIVATE_PORT',
  summary: 'Print where on the host a port of a service is published',
  dryRun: 'harmless',
  examples: [['stack port web 80', 'Print an address such as 0.0.0.0:8080.']],
  options(command) {
    command
      .option('--index <number>', 'number of the container where the service has several', integer)
      .option('--protocol <protocol>', 'tcp or udp', protocol, 'tcp');
  },
  async action(context, [service = '', asked = ''], flags) {
    const wanted = portNumber(asked, flags.protocol);
    const { engine, stack } = await openStack(context);
    const { record } = await oneContainer(engine, stack, service, flags.index);
    const found = record.ports.find(
      ({ containerPort, protocol }) => containerPort === wanted.number && protocol === wanted.protocol,
    );
    if (!found) {
      const ports = record.ports.map((each) => `${each.containerPort}/${each.protocol}`);
      throw new StackError('network.not-found', {
        message: `${record.name} does not publish ${wanted.number}/${wanted.protocol}.`,
        hint: ports.length > 0 ? `It publishes ${[...new Set(ports)].join(', ')}.` : 'It publishes no port.',
        resource: `container ${record.name}`,
      });
    }
    const { hostAddress, hostPort } = found;
    context.stdout.write(`${hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress}:${hostPort}\n`);
  },
});

function protocol(value: string): string {
  const name = value.toLowerCase();
  if (name !== 'tcp' && name !== 'udp') throw new InvalidArgumentError('It must be tcp or udp.');
  return name;
}

/** `80`, and `80/udp` as `docker port` takes it. @throws StackError `usage` */
function portNumber(text: string, flag: string): { number: number; protocol: string } {
  const [, digits, own] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const number = Number(digits);
  if (number >= 1 && number <= 65_535) return { number, protocol: own ?? flag };
  throw new StackError('usage', { message: `"${text}" is not a port.`, hint: 'Give a number, such as 80.' });
}
