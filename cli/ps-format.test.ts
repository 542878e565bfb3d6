import { expect, test } from 'vitest';
import type { ContainerRecord, ContainerStatus, PublishedPort } from '../schemas/container.ts';
import { portsText, psEntry, statusText } from './ps-format.ts';
import { duration } from './render/human.ts';

const now = Date.parse('2026-11-23T12:00:00Z');

const record: ContainerRecord = {
  id: 'abcdef0123456789'.repeat(4),
  name: 'demo-web-1',
  stack: 'demo',
  service: 'web',
  number: 1,
  isOneOff: false,
  config: { image: 'nginx:1', command: ['nginx', '-g', 'daemon off; and more'], entrypoint: null },
  image: { name: 'docker.io/library/nginx:1', id: 'sha256:1', manifestDigest: 'sha256:2' },
  labels: { a: '1', b: '2' },
  endpoints: [],
  ports: [{ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80 }],
  mounts: [
    { type: 'volume', name: 'demo_data', source: '/x', target: '/data', readOnly: false, isAnonymous: false },
    { type: 'bind', source: '/srv', target: '/srv', readOnly: false },
    { type: 'tmpfs', target: '/tmp', readOnly: false },
  ],
  stopSignal: 15,
  stopGraceMs: 10_000,
  hasHealthcheck: true,
  isTty: false,
  createdAt: '2026-11-23T11:55:00Z',
};

const status: ContainerStatus = {
  state: 'running',
  pid: 1,
  shimPid: 2,
  exitCode: 0,
  isOomKilled: false,
  health: 'healthy',
  failingStreak: 0,
  probeOutput: '',
  probeExitCode: 0,
  restartCount: 0,
  startedAt: '2026-11-23T11:55:01Z',
  finishedAt: '',
  isStopRequested: false,
};

test('the fields are those of docker compose', () => {
  expect(psEntry({ record, status }, now, false, record.config.command ?? [])).toEqual({
    Command: '"nginx -g daemon off…"',
    CreatedAt: '2026-11-23 11:55:00 +0000 UTC',
    ExitCode: 0,
    Health: 'healthy',
    ID: 'abcdef012345',
    Image: 'nginx:1',
    Labels: 'a=1,b=2',
    LocalVolumes: '1',
    Mounts: 'demo_data,/srv',
    Name: 'demo-web-1',
    Names: 'demo-web-1',
    Networks: '',
    Ports: '0.0.0.0:8080->80/tcp',
    Project: 'demo',
    Publishers: [{ URL: '0.0.0.0', TargetPort: 80, PublishedPort: 8080, Protocol: 'tcp' }],
    RunningFor: '5 minutes ago',
    Service: 'web',
    Size: '0B',
    State: 'running',
    Status: 'Up 4 minutes (healthy)',
  });
});

test('a container that ended publishes nothing', () => {
  const ended: ContainerStatus = { ...status, state: 'exited', exitCode: 3, finishedAt: '2026-11-23T11:59:30Z' };
  expect(psEntry({ record, status: ended }, now, true, [])).toMatchObject({
    ID: record.id,
    State: 'exited',
    Status: 'Exited (3) 30 seconds ago',
    ExitCode: 3,
    Health: '',
    Ports: '',
    Publishers: [],
  });
});

test.each<[Partial<ContainerStatus>, string]>([
  [{ health: 'none' }, 'Up 4 minutes'],
  [{ health: 'starting' }, 'Up 4 minutes (health: starting)'],
  [{ health: 'unhealthy' }, 'Up 4 minutes (unhealthy)'],
  [{ state: 'paused' }, 'Up 4 minutes (Paused)'],
  [{ state: 'created', startedAt: '' }, 'Created'],
  [{ state: 'restarting', exitCode: 1, finishedAt: '2026-11-23T11:59:59Z' }, 'Restarting (1) 1 second ago'],
  [{ state: 'dead' }, 'Dead'],
])('%j is %s', (change, words) => expect(statusText(record, { ...status, ...change }, now)).toBe(words));

test.each<[number, string]>([
  [0, 'Less than a second'],
  [1000, '1 second'],
  [59_000, '59 seconds'],
  [60_000, 'About a minute'],
  [120_000, '2 minutes'],
  [3_600_000, 'About an hour'],
  [47 * 3_600_000, '47 hours'],
  [48 * 3_600_000, '2 days'],
  [15 * 86_400_000, '2 weeks'],
  [61 * 86_400_000, '2 months'],
  [800 * 86_400_000, '2 years'],
])('%i ms are %s', (ms, words) => expect(duration(ms)).toBe(words));

test('neighbouring ports are a range, IPv6 is bracketed', () => {
  const port = (hostAddress: string, hostPort: number, containerPort: number, protocol: 'tcp' | 'udp' = 'tcp') =>
    ({ hostAddress, hostPort, containerPort, protocol }) satisfies PublishedPort;
  const ports = [
    port('0.0.0.0', 8001, 81),
    port('0.0.0.0', 8000, 80),
    port('::', 8000, 80),
    port('127.0.0.1', 53, 53, 'udp'),
    port('0.0.0.0', 9000, 90),
  ];
  expect(portsText(ports)).toBe(
    '0.0.0.0:8000-8001->80-81/tcp, 0.0.0.0:9000->90/tcp, 127.0.0.1:53->53/udp, [::]:8000->80/tcp',
  );
});

test('a process that the kernel killed for want of memory', () => {
  const killed = {
    ...status,
    state: 'exited' as const,
    exitCode: 137,
    isOomKilled: true,
    finishedAt: '2026-11-23T11:59:30Z',
  };
  expect(psEntry({ record, status: killed }, now, false, []).Status).toBe(
    'Exited (137) 30 seconds ago (out of memory)',
  );
});
