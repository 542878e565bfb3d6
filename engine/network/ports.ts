/** Published ports: chosen, and held by bound sockets, so that two takers of one port are told apart at once. */
import { closeSync, existsSync, readFileSync } from 'node:fs';
import { parseAddress } from '../../planner/network/address.ts';
import type { PublishedPort } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, KernelError, NetworkVerbs } from '../../schemas/kernel.ts';
import type { Port } from '../../schemas/project.ts';
import type { Publishing } from './publications.ts';

export interface PortRequest {
  /** Name of the container, for errors. */
  container: string;
  ports: Port[];
  publishing: Publishing;
}

export interface Reservation {
  ports: PublishedPort[];
  /** One for each port of the host, in order. They hold the ports as long as anyone has them open. */
  fds: Fd[];
}

/** Who has a port, in words: `the process nginx (4711)`. */
export type FindHolder = (port: PublishedPort) => string | undefined;

/**
 * Chooses host ports (the first free one of a range, any free one where none is published) and binds them.
 * @throws StackError network.port-taken, network.address, config.value, config.not-supported; nothing stays bound
 */
export function reservePorts(kernel: NetworkVerbs, request: PortRequest, findHolder: FindHolder): Reservation {
  const reservation: Reservation = { ports: [], fds: [] };
  try {
    for (const port of request.ports) reserveOne(kernel, request, port, reservation, findHolder);
    return reservation;
  } catch (thrown) {
    for (const fd of reservation.fds) closeSync(fd);
    throw thrown;
  }
}

/** Binds ports chosen earlier, for a container that starts again. */
export function holdPorts(kernel: NetworkVerbs, container: string, ports: PublishedPort[], find: FindHolder): Fd[] {
  const fds: Fd[] = [];
  try {
    for (const port of ports) if (port.hostPort > 0) fds.push(bind(kernel, container, port, find));
    return fds;
  } catch (thrown) {
    for (const fd of fds) closeSync(fd);
    throw thrown;
  }
}

function reserveOne(
  kernel: NetworkVerbs,
  { container, publishing }: PortRequest,
  port: Port,
  reservation: Reservation,
  find: FindHolder,
): void {
  const protocol = protocolOf(port, container);
  const at = port.host_ip ? parseAddress(port.host_ip) : undefined;
  if (at?.family === 6 && at.value === 1n) {
    throw new StackError('config.not-supported', {
      message: `Not supported yet: publishing port ${port.target} of ${container} on ::1.`,
      hint: 'Publish it on 127.0.0.1.',
      resource: `container ${container}`,
    });
  }
  const isRouted = (address: string) => publishing.routed.includes(address.includes(':') ? 'ipv6' : 'ipv4');
  const all = addressesOf(port, publishing);
  const containerPort = port.target;
  for (const hostAddress of all.filter(isRouted)) {
    reservation.ports.push({ protocol, hostAddress, hostPort: 0, containerPort });
  }
  const addresses = all.filter((address) => !isRouted(address));
  if (addresses.length === 0) return;
  let refusal: unknown;
  for (const hostPort of candidates(port, container)) {
    const ports = addresses.map((hostAddress) => ({ protocol, hostAddress, hostPort, containerPort }));
    try {
      const fds = holdPorts(kernel, container, ports, find);
      reservation.ports.push(...ports);
      reservation.fds.push(...fds);
      return;
    } catch (thrown) {
      if (!(thrown instanceof StackError) || thrown.code !== 'network.port-taken') throw thrown;
      refusal ??= thrown;
    }
  }
  throw refusal;
}

/** The host's addresses that a port is published on. */
function addressesOf({ host_ip: asked }: Port, { hasIpv6, hostBinding }: Publishing): string[] {
  if (asked) return [asked];
  if (hostBinding) return [hostBinding];
  return hasIpv6 && existsSync('/proc/net/if_inet6') ? ['0.0.0.0', '::'] : ['0.0.0.0'];
}

function protocolOf({ protocol, target }: Port, container: string): 'tcp' | 'udp' {
  if (protocol === 'tcp' || protocol === 'udp') return protocol;
  throw new StackError('config.not-supported', {
    message: `Not supported yet: publishing port ${target}/${protocol} of ${container}.`,
    hint: 'Publish tcp or udp ports.',
    resource: `container ${container}`,
  });
}

/** Host ports to try, in order. */
function candidates({ published, target }: Port, container: string): number[] {
  if (!published || published === '0') return ephemeral();
  const match = /^(\d+)(?:-(\d+))?$/.exec(published);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? first);
  if (!match || first < 1 || last > 65535 || last < first) {
    throw new StackError('config.value', {
      message: `Port ${target} of ${container} cannot be published as ${published}: not a port or a range of ports.`,
      hint: 'Write 8080 or 8000-8010.',
      resource: `container ${container}`,
    });
  }
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** The host's range for ports of no fixed number, from a random one on. */
function ephemeral(): number[] {
  let range: [number, number] = [32768, 60999];
  try {
    const read = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number);
    if (read.length === 2) range = [read[0]!, read[1]!];
  } catch {
    // The kernel's default range, then.
  }
  const [first, last] = range;
  const count = last - first + 1;
  const start = Math.floor(Math.random() * count);
  return Array.from({ length: Math.min(count, 512) }, (_, i) => first + ((start + i) % count));
}

function bind(kernel: NetworkVerbs, container: string, port: PublishedPort, findHolder: FindHolder): Fd {
  const { protocol, hostAddress, hostPort } = port;
  const shown = `${hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress}:${hostPort}/${protocol}`;
  try {
    return kernel.bind(protocol, hostAddress, hostPort);
  } catch (thrown) {
    const { code } = thrown as KernelError;
    const fields = { resource: `container ${container}`, operation: 'bind', errno: code, cause: thrown };
    if (code === 'EADDRINUSE') {
      const holder = findHolder(port);
      throw new StackError('network.port-taken', {
        message: `${container} cannot publish ${shown}: ${holder ?? 'someone else'} has the port.`,
        hint: 'Stop it, or publish another port.',
        ...fields,
      });
    }
    if (code === 'EADDRNOTAVAIL' || code === 'EINVAL') {
      throw new StackError('network.address', {
        message: `${container} cannot publish ${shown}: this host has no address ${hostAddress}.`,
        hint: 'Publish on an address of this host, or leave the address out to publish on all.',
        ...fields,
      });
    }
    throw new StackError('network.kernel', { message: `${container} cannot publish ${shown}: ${code}.`, ...fields });
  }
}
