/** A container that is there joins one more network, or leaves one: `stack network connect` and `disconnect`. */
import { closeSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAddress } from '../../planner/network/address.ts';
import type { ContainerRecord, Endpoint, NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { ServiceNetwork } from '../../schemas/project.ts';
import type { Host } from '../host.ts';
import { getLink, readLink, removeLink } from '../network/netlink/link.ts';
import { protocol, send } from '../network/netlink/netlink.ts';
import { addDefaultRoute } from '../network/netlink/route.ts';
import type { Networks } from '../network/network.ts';
import { Connection, frame, readFailure } from '../runtime/control.ts';
import { withEndpoints } from '../runtime/program/program.ts';
import { saveContainer } from '../state/records.ts';
import type { Containers } from './containers.ts';
import { files } from './launch.ts';
import { pidOf } from './peers.ts';

export interface Connecting {
  host: Host;
  networks: Networks;
  containers: Pick<Containers, 'publish'>;
  record: ContainerRecord;
  network: NetworkRecord;
  /** The other containers of its stack. */
  siblings: ContainerRecord[];
}

/**
 * With the lock of the container's stack held. It has the network until it is made anew.
 * @throws StackError config.value where it has no networks of its own or is on this one, network.address, network.kernel
 */
export async function connect(connecting: Connecting, options: ServiceNetwork): Promise<void> {
  const { host, networks, record, network, siblings } = connecting;
  if (record.endpoints.length === 0) throw refused(record, 'has no networks of its own to add one to');
  if (record.endpoints.some(({ networkName }) => networkName === network.name)) {
    throw refused(record, `is on the network ${network.name} already`);
  }
  const { id, name, stack, service, isOneOff, endpoints: present } = record;
  const config = { ...record.config, mac_address: undefined, networks: { [network.name]: options } };
  const request = { stack, id, name, service, isOneOff, config, networks: new Map([[network.name, network]]), present };
  const [endpoint] = networks.allocate(request as typeof request & { config: ContainerRecord['config'] }, siblings);
  const joined = { ...record, endpoints: [...present, endpoint!] };
  // Written first: what a command that is killed leaves is put right by the next start.
  save(host, joined);
  await connecting.containers.publish(stack);
  const pid = pidOf(host, record);
  if (pid === 0) return;
  try {
    await inside(pid, (namespace) =>
      networks.attach(namespace, { stack, id, endpoints: [endpoint!], isRunning: true }),
    );
    await tell(host, joined);
  } catch (error) {
    networks.detach([endpoint!]);
    save(host, record);
    await networks.settle().catch(() => {});
    throw error;
  }
}

/** As {@link connect}. @throws StackError config.value where it is not on the network, or has no other */
export async function disconnect({ host, containers, record, network }: Omit<Connecting, 'networks'>): Promise<void> {
  const endpoint = record.endpoints.find(({ networkName }) => networkName === network.name);
  if (!endpoint) throw refused(record, `is not on the network ${network.name}`);
  const left = { ...record, endpoints: without(record.endpoints, endpoint) };
  if (left.endpoints.length === 0) throw refused(record, `is on no other network than ${network.name}`);
  save(host, left);
  if (pidOf(host, record) > 0) {
    await tell(host, left);
    await removeInside(host, left, endpoint);
  }
  // Those whose table of names it was in, too.
  await containers.publish(record.stack);
  if (network.stack !== record.stack) await containers.publish(network.stack);
}

/** Where it had the default routes, the next that leads out has them. */
function without(endpoints: Endpoint[], gone: Endpoint): Endpoint[] {
  const left = endpoints.filter((one) => one !== gone);
  const heir = gone.isDefaultRoute ? left.find(({ ipv4, ipv6 }) => ipv4?.gateway ?? ipv6?.gateway) : undefined;
  return left.map((one) => (one === heir ? { ...one, isDefaultRoute: true } : one));
}

/** Both ends of a pair go with either, and the routes through it. */
async function removeInside(host: Host, { endpoints, ...record }: ContainerRecord, gone: Endpoint): Promise<void> {
  const { network } = host.kernel;
  const heir = gone.isDefaultRoute ? endpoints.find(({ isDefaultRoute }) => isDefaultRoute) : undefined;
  await inside(pidOf(host, { ...record, endpoints }), async (namespace) => {
    await send(network, protocol.route, namespace, [removeLink(gone.interface)]);
    if (!heir) return;
    const [answer] = await send(network, protocol.route, namespace, [getLink(heir.interface)]);
    const gateways = [heir.ipv4?.gateway, heir.ipv6?.gateway].filter((one) => one !== undefined);
    const routes = gateways.map((one) => addDefaultRoute(readLink(answer!).index, parseAddress(one)!));
    await send(network, protocol.route, namespace, routes);
  });
}

async function inside(pid: number, work: (namespace: number) => Promise<void>): Promise<void> {
  const namespace = openSync(`/proc/${pid}/ns/net`, 'r');
  try {
    await work(namespace);
  } finally {
    closeSync(namespace);
  }
}

const tables = (host: Host, { endpoints }: ContainerRecord) =>
  endpoints.map(({ networkName, slot }) => ({ table: host.layout.networkNames(networkName), slot }));

function save(host: Host, record: ContainerRecord): void {
  const path = join(host.layout.containerDir(record.stack, record.id), files.program);
  writeFileSync(`${path}.new`, withEndpoints(readFileSync(path), tables(host, record)));
  renameSync(`${path}.new`, path);
  saveContainer(host.layout, record);
}

/** Its monitor answers for it in the tables of names, and asks them for it. @throws StackError network.kernel */
async function tell(host: Host, record: ContainerRecord): Promise<void> {
  const body = tables(host, record).map(({ table, slot }) => {
    const text = Buffer.from(`${table}\0`);
    const [size, number] = [Buffer.alloc(4), Buffer.alloc(4)];
    size.writeUInt32LE(text.length - 1);
    number.writeUInt32LE(slot);
    return Buffer.concat([size, text, number]);
  });
  const connection = Connection.open(host.kernel, host.layout.containerRun(record.id), record.name);
  try {
    const answer = await connection.ask(frame.networks, Buffer.concat(body));
    if (answer.type !== frame.error) return;
    const { errno } = readFailure(answer.body);
    throw new StackError('network.kernel', {
      message: `The monitor of ${record.name} cannot change its networks: ${errno}.`,
      hint: 'An older version of Stack may have started it: restart the container.',
      resource: `container ${record.name}`,
      errno,
    });
  } finally {
    connection.close();
  }
}

function refused({ name }: ContainerRecord, why: string): StackError {
  return new StackError('config.value', {
    message: `The container ${name} ${why}.`,
    hint: 'Networks of a service are written in the stack file: `stack up` makes its containers anew with them.',
    resource: `container ${name}`,
  });
}
