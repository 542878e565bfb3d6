import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option } from 'commander';
import { type CopyEnd, copy, copyIn, copyOut } from '../engine/containers/files/copy.ts';
import { openRoot } from '../engine/containers/files/root.ts';
import type { Engine } from '../engine/engine.ts';
import { lockStack } from '../engine/state/lock.ts';
import { StackError } from '../schemas/errors.ts';
import type { Emit } from '../schemas/events.ts';
import type { ObservedContainer } from '../schemas/snapshot.ts';
import { tell } from './apply.ts';
import { type Context, define, integer } from './command.ts';
import { findContainers, openStack } from './containers.ts';
import { renderer } from './render/render.ts';

interface Flags {
  all?: boolean;
  archive?: boolean;
  followLink?: boolean;
  index?: number;
}

export const cp = define<Flags>({
  usage: 'cp SOURCE DESTINATION',
  summary: 'Copy files between a container and this machine: SERVICE:PATH, PATH or -',
  dryRun: 'told',
  examples: [
    ['stack cp web:/var/log/nginx .', 'Copy a directory of the container of web here.'],
    ['stack cp ./nginx.conf web:/etc/nginx/', 'Copy a file into every container of web.'],
    ['stack cp web:/srv - | tar t', 'Write a tar to standard output; as a source, - reads one.'],
  ],
  options(command) {
    command
      .option('-a, --archive', 'keep owners, as is done anyway')
      .option('-L, --follow-link', 'of a symbolic link copy what it leads to')
      .option('--index <number>', 'number of the container where the service has several', integer)
      .addOption(new Option('--all', 'also containers of `stack run`').hideHelp());
  },
  async action(context, [source = '', destination = ''], { all, followLink = false, index }) {
    const [from, to] = [parsed(source), parsed(destination)];
    if (from.service !== undefined && to.service !== undefined) {
      throw new StackError('usage', {
        message: 'Copying between services is not supported.',
        hint: 'Copy here first.',
      });
    }
    const service = from.service ?? to.service;
    if (service === undefined) {
      throw new StackError('usage', {
        message: 'Neither is in a container.',
        hint: 'Write one of them as SERVICE:PATH.',
      });
    }
    const { engine, stack } = await openStack(context);
    const found = await findContainers(engine, stack, [service], { withOneOff: all === true });
    const named = index === undefined ? found : found.filter(({ record }) => record.number === index);
    // To all of them, from the first: as docker compose has it.
    const chosen = from.service === undefined ? named : named.slice(0, 1);
    if (chosen.length === 0) {
      const which = index === undefined ? '' : ` ${index}`;
      throw new StackError('config.no-container', {
        message: `Service "${service}" has no container${which}.`,
        hint: `Make one with \`stack create ${service}\`.`,
      });
    }
    const show = renderer(context);
    try {
      const resources = chosen.map(({ record }) => `container ${record.name}`);
      const one = (at: number) =>
        copyOne(context, engine, chosen[at] as ObservedContainer, { from, to, followLink, emit: show.emit });
      await tell(show.emit, 'container.copy', resources, one, context.globals.dryRun);
    } finally {
      await show.close();
    }
  },
});

interface End {
  service: string | undefined;
  path: string;
  shown: string;
}

/** A colon makes a service's, unless the path says that it is one: `./a:b`, `/a:b`. */
function parsed(shown: string): End {
  const colon = shown.indexOf(':');
  if (colon < 1 || shown.startsWith('/') || shown.startsWith('.')) return { service: undefined, path: shown, shown };
  // Relative to the root, as docker has it.
  return { service: shown.slice(0, colon), path: `/${shown.slice(colon + 1)}`, shown };
}

interface Copy {
  from: End;
  to: End;
  followLink: boolean;
  emit: Emit;
}

async function copyOne(
  { stdin, stdout }: Context,
  engine: Engine,
  { record, status }: ObservedContainer,
  { from, to, followLink, emit }: Copy,
): Promise<void> {
  const verbs = engine.host.kernel.filesystem;
  using stack = new DisposableStack();
  if (status.pid === 0) stack.use(await lockStack(engine.host, { stack: record.stack, command: 'stack cp', emit }));
  const [now = status] = engine
    .observeContainers(record.stack)
    .flatMap((one) => (one.record.id === record.id ? one.status : []));
  const root = stack.use(openRoot(engine.host, record, now, to.service !== undefined));
  const host = openSync('/', constants.O_RDONLY | constants.O_DIRECTORY);
  stack.defer(() => closeSync(host));
  const end = ({ service, path, shown }: End): CopyEnd =>
    service === undefined
      ? { root: host, path: absolute(path), asked: absolute(path), shown }
      : { ...root.at(path), asked: path, shown };
  if (from.service === undefined && from.path === '-') return copyIn(verbs, stdin, end(to));
  if (to.service === undefined && to.path === '-') {
    if (stdout.isTTY) {
      throw new StackError('usage', {
        message: 'Standard output is a terminal: an archive is not written there.',
        hint: 'Send it on, or name a file.',
      });
    }
    for (const piece of copyOut(verbs, end(from), followLink)) if (!stdout.write(piece)) await once(stdout, 'drain');
    return;
  }
  copy(verbs, end(from), end(to), followLink);
}

/** What a slash or dot at the end says stays. */
function absolute(path: string): string {
  return `${resolve(path)}${/\/\.?$/.exec(path)?.[0] ?? ''}`;
}
