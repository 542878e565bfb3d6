import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Service } from '../../schemas/project.ts';
import { serviceDevices } from './devices.ts';
import { allDevices, findDevice } from './host-devices.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-cdi-'));
  mkdirSync(join(folder, 'bad'));
  mkdirSync(join(folder, 'other'));
  const node = (path: string) => ({ deviceNodes: [{ path, hostPath: '/dev/null', permissions: 'rw' }] });
  const gpus = {
    cdiVersion: '0.6.0',
    kind: 'nvidia.com/gpu',
    devices: [
      ...['0', '1', '10'].map((name) => ({ name, containerEdits: node(`/dev/nvidia${name}`) })),
      { name: 'all', containerEdits: node('/dev/nvidia-all') },
    ],
    containerEdits: {
      env: ['NVIDIA=yes'],
      mounts: [{ hostPath: '/usr/lib/x', containerPath: '/usr/lib/x', options: ['ro', 'nosuid'] }],
      hooks: [{ hookName: 'createContainer', path: '/bin/hook', args: ['hook', 'update'] }],
      additionalGids: [0, 44],
    },
  };
  writeFileSync(join(folder, 'nvidia.yaml'), JSON.stringify(gpus));
  writeFileSync(join(folder, 'note.txt'), 'not a specification');
  const own = { name: 'x', containerEdits: { deviceNodes: [{ path: '/dev/own', type: 'c', major: 240, minor: 1 }] } };
  writeFileSync(
    join(folder, 'own.json'),
    JSON.stringify({ cdiVersion: '0.5.0', kind: 'example.com/net', devices: [own] }),
  );
  const hook = { hooks: [{ hookName: 'poststop', path: '/bin/x' }] };
  const odd = {
    cdiVersion: '1.0.0',
    kind: 'example.com/odd',
    devices: [
      { name: 'h', containerEdits: hook },
      { name: 'n', containerEdits: { netDevices: [] } },
    ],
  };
  writeFileSync(join(folder, 'other', 'odd.json'), JSON.stringify(odd));
  writeFileSync(join(folder, 'bad', 'broken.json'), '{"cdiVersion": ');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const devices = (config: Partial<Service>, places = [folder, join(folder, 'other')]) =>
  serviceDevices({ command: null, entrypoint: null, ...config }, 'services.web', places);
const paths = (config: Partial<Service>) => devices(config).nodes.map(({ path }) => path);

test('a node of the host under its own name and another, with the access asked for', () => {
  const { nodes, rules } = devices({ devices: [{ source: '/dev/zero', target: '/dev/nil', permissions: 'r' }] });
  expect(nodes).toEqual([expect.objectContaining({ type: 'c', path: '/dev/nil', major: 1, minor: 5 })]);
  expect(rules).toEqual([{ allow: true, type: 'c', major: 1, minor: 5, access: 'r' }]);
});

test('a directory brings every node below it', () => {
  const found = paths({ devices: [{ source: '/dev', target: '/dev/host', permissions: 'rwm' }] });
  expect(found).toContain('/dev/host/null');
  expect(found).not.toContain('/dev/host');
});

test.each([
  ['/dev/no-such-device', 'rwm', /devices\.0: \/dev\/no-such-device does not exist/],
  ['/etc/passwd', 'rwm', /devices\.0: \/etc\/passwd is no device/],
  ['/dev/null', 'rx', /is not a device/],
])('refused: %s with %s', (source, permissions, message) => {
  expect(() => devices({ devices: [{ source, target: source, permissions }] })).toThrow(message);
});

test('every node of the machine where it is privileged, but those a container has of its own', () => {
  const all = allDevices().map(({ path }) => path);
  expect(all).toContain('/dev/null');
  expect(all.filter((path) => path.startsWith('/dev/pts') || path === '/dev/console')).toEqual([]);
  expect(paths({ privileged: true })).toEqual(all);
  expect(findDevice('/dev/null', 'x')).toMatchObject({ type: 'c', major: 1, minor: 3 });
});

test('a device of CDI by name: its own edits and those of its file', () => {
  const whole = devices({ devices: [{ source: 'nvidia.com/gpu=1', target: 'nvidia.com/gpu=1', permissions: 'rwm' }] });
  expect(whole).toEqual({
    nodes: [expect.objectContaining({ path: '/dev/nvidia1', major: 1, minor: 3 })],
    rules: [{ allow: true, type: 'c', major: 1, minor: 3, access: 'rw' }],
    env: ['NVIDIA=yes'],
    mounts: [{ destination: '/usr/lib/x', source: '/usr/lib/x', type: 'bind', options: ['rbind', 'ro', 'nosuid'] }],
    hooks: { createContainer: [{ path: '/bin/hook', args: ['hook', 'update'] }], startContainer: [] },
    additionalGids: [44],
  });
  const own = devices({ devices: [{ source: 'example.com/net=x', target: '', permissions: 'rwm' }] });
  expect(own.nodes).toEqual([expect.objectContaining({ path: '/dev/own', major: 240, minor: 1, type: 'c' })]);
});

test.each([
  [{ gpus: [{ count: -1 }] }, ['/dev/nvidia-all']],
  [{ gpus: [{ capabilities: ['gpu'] }] }, ['/dev/nvidia-all']],
  [{ gpus: [{ driver: 'nvidia', count: 2 }] }, ['/dev/nvidia0', '/dev/nvidia1']],
  [{ gpus: [{ device_ids: ['10'] }] }, ['/dev/nvidia10']],
  [{ gpus: [{ driver: 'cdi', device_ids: ['nvidia.com/gpu=0'] }] }, ['/dev/nvidia0']],
  [{ deploy: { resources: { reservations: { devices: [{ driver: 'nvidia', count: 1 }] } } } }, ['/dev/nvidia0']],
] as [Partial<Service>, string[]][])('%j is met by %j', (config, expected) => {
  expect(paths(config)).toEqual(expected);
});

test.each([
  [{ gpus: [{ count: 4 }] }, /gpus: 4 devices of nvidia\.com\/gpu are asked for, and there are 3/],
  [{ gpus: [{ driver: 'amd', count: 1 }] }, /a device of the driver amd/],
  [{ gpus: [{ device_ids: ['7'] }] }, /no CDI specification describes nvidia\.com\/gpu=7/],
  [{ gpus: [{ device_ids: ['7'], count: 1 }] }, /exclude each other/],
  [{ gpus: [{ driver: 'cdi', device_ids: ['7'] }] }, /the driver cdi takes whole names/],
  [{ devices: [{ source: 'example.com/odd=h', target: '', permissions: 'rwm' }] }, /needs a poststop hook/],
  [{ devices: [{ source: 'example.com/odd=n', target: '', permissions: 'rwm' }] }, /needs netDevices/],
] as [Partial<Service>, RegExp][])('refused: %j', (config, message) => {
  expect(() => devices(config)).toThrow(message);
});

test('without any specification the error says where they are looked for, with one that is broken which', () => {
  const gpu = { gpus: [{ count: 1 }] };
  expect(() => devices(gpu, [])).toThrow(
    expect.objectContaining({ hint: expect.stringContaining('/etc/cdi and /var/run/cdi') }),
  );
  expect(() => devices(gpu, [join(folder, 'bad')])).toThrow(/broken\.json cannot be used/);
});
