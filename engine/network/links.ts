/** `links` and `external_links`: names that one service has for others. Source: compose-spec 05-services.md. */
import { StackError } from '../../schemas/errors.ts';
import type { Service } from '../../schemas/project.ts';
import type { Link } from '../runtime/program/program.ts';
import type { Layout } from '../state/layout.ts';
import { containerRecords, list } from './members.ts';

/** As many as the resolver holds (native/shim/resolver.h `max_name_links`). */
const MOST = 64;

/**
 * The links of a service: `SERVICE[:ALIAS]`, and `CONTAINER[:ALIAS]` of other stacks on a network of its own. A link to the
 * name itself says nothing new and is left out.
 * @throws StackError config.value where an external container is not there or shares no network, or there are too many
 */
export function linksOf(layout: Layout, service: string, config: Service, networks: string[]): Link[] {
  const resource = `services.${service}`;
  const external = (config.external_links ?? []).map((written) => {
    const link = read(written);
    checkReachable(layout, link.target, networks, `${resource}.external_links`);
    return link;
  });
  const links = [...(config.links ?? []).map(read), ...external].filter(({ alias, target }) => alias !== target);
  if (links.length <= MOST) return links;
  throw new StackError('config.value', {
    message: `${resource} has ${links.length} links: ${MOST} at most.`,
    hint: 'Give the services aliases on their networks instead.',
    resource,
  });
}

/** Names are compared in lower case, as the resolver does. */
function read(written: string): Link {
  const [target = '', alias = target] = written.toLowerCase().split(':');
  return { alias, target };
}

function checkReachable(layout: Layout, name: string, networks: string[], resource: string): void {
  const found = list(layout.stacks)
    .flatMap((stack) => [...containerRecords(layout, stack)])
    .find((record) => record.name.toLowerCase() === name);
  if (found?.endpoints.some(({ networkName }) => networks.includes(networkName))) return;
  throw new StackError('config.value', {
    message: found
      ? `${resource}: the container ${found.name} of the stack ${found.stack} is on none of the networks ${networks.join(', ')}.`
      : `${resource}: there is no container ${name}.`,
    hint: found
      ? 'Join one of its networks: define it with `external: true` and its name.'
      : 'Write the name of a container as `stack ps` shows it, and start its stack first.',
    resource,
  });
}
