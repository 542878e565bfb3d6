/** A container as `ps` shows it. Field names and words are those of `docker compose ps --format json`. */
import type { ContainerRecord, ContainerStatus, PublishedPort } from '../schemas/container.ts';
import type { ObservedContainer } from '../schemas/snapshot.ts';
import { ago, duration, shorten, timestamp } from './render/human.ts';

export interface Publisher {
  URL: string;
  TargetPort: number;
  PublishedPort: number;
  Protocol: string;
}

export interface PsEntry {
  Command: string;
  CreatedAt: string;
  ExitCode: number;
  Health: string;
  ID: string;
  Image: string;
  Labels: string;
  LocalVolumes: string;
  Mounts: string;
  Name: string;
  Names: string;
  Networks: string;
  Ports: string;
  Project: string;
  Publishers: Publisher[];
  RunningFor: string;
  Service: string;
  Size: string;
  State: string;
  Status: string;
}

/** `isWhole`: nothing is cut short (`--no-trunc`). `args`: what the container runs. */
export function psEntry({ record, status }: ObservedContainer, now: number, isWhole: boolean, args: string[]): PsEntry {
  const command = args.join(' ');
  const isRunning = status.state === 'running' || status.state === 'paused';
  const ports = isRunning ? record.ports : [];
  const mounts = record.mounts.filter((mount) => mount.type !== 'tmpfs');
  return {
    Command: JSON.stringify(isWhole ? command : shorten(command, 20)),
    CreatedAt: timestamp(record.createdAt),
    ExitCode: isRunning ? 0 : status.exitCode,
    Health: isRunning && status.health !== 'none' ? status.health : '',
    ID: isWhole ? record.id : record.id.slice(0, 12),
    Image: record.config.image ?? record.image.name,
    Labels: Object.entries(record.labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
    LocalVolumes: String(mounts.filter((mount) => mount.type === 'volume').length),
    Mounts: mounts.map((mount) => (mount.type === 'volume' ? mount.name : mount.source)).join(','),
    Name: record.name,
    Names: record.name,
    Networks: record.endpoints.map((endpoint) => endpoint.networkName).join(','),
    Ports: portsText(ports),
    Project: record.stack,
    Publishers: ports.map((port) => ({
      URL: port.hostAddress,
      TargetPort: port.containerPort,
      PublishedPort: port.hostPort,
      Protocol: port.protocol,
    })),
    RunningFor: ago(record.createdAt, now),
    Service: record.service,
    Size: '0B',
    State: status.state,
    Status: statusText(record, status, now),
  };
}

/** `Up 5 minutes (healthy)`, `Exited (1) 3 seconds ago`. */
export function statusText(record: ContainerRecord, status: ContainerStatus, now: number): string {
  const since = (iso: string) => duration(Math.max(0, now - Date.parse(iso || record.createdAt)));
  // Docker keeps it for `inspect`; 137 alone could be anybody's SIGKILL.
  const memory = status.isOomKilled ? ' (out of memory)' : '';
  switch (status.state) {
    case 'created':
      return 'Created';
    case 'running': {
      const health = { none: '', starting: ' (health: starting)', healthy: ' (healthy)', unhealthy: ' (unhealthy)' };
      return `Up ${since(status.startedAt)}${health[status.health]}`;
    }
    case 'paused':
      return `Up ${since(status.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${status.exitCode}) ${since(status.finishedAt)} ago${memory}`;
    case 'exited':
      return `Exited (${status.exitCode}) ${since(status.finishedAt)} ago${memory}`;
    case 'dead':
      return 'Dead';
  }
}

/** `0.0.0.0:8080-8082->80-82/tcp, [::]:8080->80/tcp`: neighbours are written as a range. */
export function portsText(ports: PublishedPort[]): string {
  const sorted = [...ports].sort(
    (a, b) =>
      compare(a.hostAddress, b.hostAddress) || compare(a.protocol, b.protocol) || a.containerPort - b.containerPort,
  );
  const ranges: { first: PublishedPort; last: PublishedPort }[] = [];
  for (const port of sorted) {
    const range = ranges.at(-1);
    const follows =
      range &&
      port.hostPort > 1 &&
      port.hostAddress === range.last.hostAddress &&
      port.protocol === range.last.protocol &&
      port.hostPort === range.last.hostPort + 1 &&
      port.containerPort === range.last.containerPort + 1;
    if (follows) range.last = port;
    else ranges.push({ first: port, last: port });
  }
  const span = (from: number, to: number) => (from === to ? `${from}` : `${from}-${to}`);
  return ranges
    .map(({ first, last }) => {
      const address = first.hostAddress.includes(':') ? `[${first.hostAddress}]` : first.hostAddress;
      const host = span(first.hostPort, last.hostPort);
      // It takes no port of the host: its network is routed.
      if (first.hostPort === 0) return `${first.containerPort}/${first.protocol}`;
      return `${address}:${host}->${span(first.containerPort, last.containerPort)}/${first.protocol}`;
    })
    .join(', ');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
