import { type ContainerEvent, pastEvents, StackEvents } from '../engine/containers/events.ts';
import { parseTime } from '../engine/logs/logs.ts';
import { define } from './command.ts';
import { checkServices, openStack } from './containers.ts';
import { visible } from './render/visible.ts';
import { onEndingSignal } from './signals.ts';

interface Flags {
  json?: boolean;
  since?: string;
  until?: string;
}

export const events = define<Flags>({
  usage: 'events [SERVICE...]',
  summary: 'Tell what happens to the containers of the stack, as it happens',
  dryRun: 'harmless',
  examples: [
    ['stack events --json', 'Print one JSON object a line, with the fields of docker compose, until Ctrl-C.'],
    ['stack events --since 1h --until 0s', 'Tell what is still known of the last hour, and end.'],
  ],
  options(command) {
    command
      .option('--json', 'one JSON object a line')
      .option('--since <time>', 'begin with what is known since a time (2026-11-23T12:00:00Z) or a while ago (10m)')
      .option('--until <time>', 'end at a time or a while ago');
  },
  async action(context, services, { json = false, since, until }) {
    const { engine, stack } = await openStack(context);
    const found = engine.observeContainers(stack.name);
    if (stack.services.length > 0) {
      checkServices(services, new Set([...stack.services, ...found.map(({ record }) => record.service)]));
    }
    const from = since === undefined ? Date.now() : Date.parse(parseTime(since));
    const to = until === undefined ? Number.POSITIVE_INFINITY : Date.parse(parseTime(until));
    const show = (event: ContainerEvent) => {
      const { service, isOneOff } = event.record;
      if (isOneOff || (services.length > 0 && !services.includes(service)) || Date.parse(event.time) > to) return;
      context.stdout.write(json ? `${JSON.stringify(document(event))}\n` : line(event));
    };
    // The watch begins before the look back: what happens in between is told once more rather than not at all.
    const containers = to > Date.now() ? await engine.containers() : undefined;
    using _watching = containers && new StackEvents({ engine, containers, stack: stack.name }, show);
    if (since !== undefined)
      pastEvents(found)
        .filter(({ time }) => Date.parse(time) >= from)
        .forEach(show);
    if (!containers) return 0;
    const ended = Promise.withResolvers<number>();
    using _listening = onEndingSignal((signal) => ended.resolve(signal === 'SIGINT' ? 130 : 143));
    if (Number.isFinite(to)) setTimeout(() => ended.resolve(0), Math.min(to - Date.now(), 2 ** 31 - 1));
    // Awaited here: what is held until the end is let go with the return.
    return await ended.promise;
  },
});

/** Names and their order are those of `docker compose events --json`. */
function document({ action, attributes, record, time }: ContainerEvent): object {
  return { action, attributes: sorted(attributes), id: record.id, service: record.service, time, type: 'container' };
}

/** `2026-11-28 11:42:42.034000 container die 8f3c… (exitCode=0, image=redis:7, name=demo-db-1)`. */
function line({ action, attributes, record, time }: ContainerEvent): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const pairs = Object.entries(sorted(attributes)).map(([name, value]) => `${name}=${value}`);
  const text = `container ${action} ${record.id} (${pairs.join(', ')})`;
  return `${day} ${clock}.${String(date.getMilliseconds()).padStart(3, '0')}000 ${visible(text).replaceAll('\n', ' ')}\n`;
}

const sorted = (values: Record<string, string>) =>
  Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
