/** Corners where docker compose's own answer is the rule: what it prints for each was taken down from 2.26.1. */
import { expect, test } from 'vitest';
import { loadFiles, loadText, service } from './fixture.ts';
import { canonicalJson } from './load.ts';

const volumes = 'volumes: {data: }\n';

test.each<[written: string, key: string, value: unknown]>([
  ['command: npm install && npm start', 'command', ['npm', 'install']],
  ['command: echo a 2>/dev/null', 'command', ['echo', 'a']],
  ['build: {}', 'build', { context: '/p', dockerfile: 'Dockerfile' }],
  [
    'build: {context: ., dockerfile: "", target: "", no_cache: false, args: {}, cache_from: []}',
    'build',
    { context: '/p' },
  ],
  [
    'build: {context: ., extra_hosts: ["b:1.1.1.1", "a:2.2.2.2"]}',
    'build',
    { context: '/p', dockerfile: 'Dockerfile', extra_hosts: ['a=2.2.2.2', 'b=1.1.1.1'] },
  ],
  [
    'build: {context: ., ssh: [default, k=./key, a=/abs]}',
    'build',
    { context: '/p', dockerfile: 'Dockerfile', ssh: ['default', 'k=/p/key', 'a=/abs'] },
  ],
  [
    'build: {context: ., ssh: {default: , k: ./key}}',
    'build',
    { context: '/p', dockerfile: 'Dockerfile', ssh: ['default', 'k=/p/key'] },
  ],
  ['dns: ""', 'dns', undefined],
  ['dns: [1.1.1.1, ""]', 'dns', ['1.1.1.1']],
  ['logging: {}', 'logging', {}],
  [
    'logging: {driver: json-file, options: {a: , b: 1.5}}',
    'logging',
    { driver: 'json-file', options: { a: '', b: '1.5' } },
  ],
  ['develop: {}', 'develop', {}],
  ['blkio_config: {}', 'blkio_config', {}],
  [
    'deploy: {rollback_config: {parallelism: 0, max_failure_ratio: 0}, placement: {constraints: []}}',
    'deploy',
    { rollback_config: { parallelism: 0 }, placement: {}, resources: {} },
  ],
  [
    'deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}, {capabilities: [gpu], device_ids: ["0"]}]}}}',
    'deploy',
    {
      placement: {},
      resources: {
        reservations: {
          devices: [
            { capabilities: ['gpu'], count: -1 },
            { capabilities: ['gpu'], device_ids: ['0'] },
          ],
        },
      },
    },
  ],
  [
    'deploy: {restart_policy: {condition: unless-stopped}}',
    'deploy',
    { placement: {}, resources: {}, restart_policy: { condition: 'unless-stopped' } },
  ],
  ['healthcheck: {interval: 1w}', 'healthcheck', { interval: '168h0m0s' }],
  ['networks: {n: {priority: 0, aliases: []}}', 'networks', { n: {} }],
  [
    'volumes: ["data:/d:z,nocopy"]',
    'volumes',
    [{ type: 'volume', source: 'data', target: '/d', volume: { nocopy: true }, bind: { selinux: 'z' } }],
  ],
  [
    'volumes: ["./b:/d:rw,noexec"]',
    'volumes',
    [{ type: 'bind', source: '/p/b', target: '/d', bind: { create_host_path: true } }],
  ],
  [
    'volumes: ["C:\\\\data:/d:ro", "c:/data:/e"]',
    'volumes',
    [
      { type: 'bind', source: 'C:\\data', target: '/d', read_only: true, bind: { create_host_path: true } },
      { type: 'bind', source: 'c:/data', target: '/e', bind: { create_host_path: true } },
    ],
  ],
  [
    'volumes: [{type: bind, source: /b, target: /d, read_only: false}]',
    'volumes',
    [{ type: 'bind', source: '/b', target: '/d' }],
  ],
])('%s', (written, key, value) => {
  expect(service(written, `${volumes}networks: {n: }\n`)[key]).toEqual(value);
});

test.each<[string, string, unknown]>([
  [
    'volumes',
    '{driver: local, driver_opts: {type: none, o: bind, device: x}}',
    { type: 'none', o: 'bind', device: '/p/x' },
  ],
  ['volumes', '{driver_opts: {type: none, o: bind, device: ./x}}', { type: 'none', o: 'bind', device: './x' }],
  ['networks', '{driver_opts: {a: , b: 1}}', { a: '', b: '1' }],
])('%s: {a: %s}', (section, written, options) => {
  const project = loadText(`services: {a: {image: x, volumes: ["aa:/a"], networks: [aa]}}
volumes: {aa: ${section === 'volumes' ? written : '{}'}}
networks: {aa: ${section === 'networks' ? written : '{}'}}
`).project as unknown as Record<string, Record<string, { driver_opts?: unknown }>>;
  expect(project[section]!.aa!.driver_opts).toEqual(options);
});

test('a network that must not have a family of addresses says so', () => {
  const { networks } = loadText(
    'services: {a: {image: x, networks: [n]}}\nnetworks: {n: {enable_ipv4: false, enable_ipv6: false, internal: false}}\n',
  ).project;
  expect(networks.n).toEqual({ name: 'p_n', enable_ipv4: false, enable_ipv6: false, ipam: {} });
});

test('a later file turns off what an earlier one turned on', () => {
  const files = {
    'compose.yaml': `services: {a: {image: x, healthcheck: {disable: true}, volumes: [{type: volume, source: data, target: /d, volume: {nocopy: true}}]}}
volumes: {data: {external: true}}
`,
    'compose.override.yaml': 'services: {a: {healthcheck: {disable: false}}}\nvolumes: {data: {external: false}}\n',
  };
  const result = loadFiles(files);
  if (!result.ok) throw result.errors[0];
  expect(result.value.project.services.a!.healthcheck).toEqual({});
  expect(result.value.project.volumes.data).toEqual({ name: 'p_data' });
});

test('a name in the file becomes one that a project can have, and is told', () => {
  const result = loadFiles({ 'compose.yaml': 'name: My App\nservices: {a: {image: x}}\n' });
  expect(result.ok && result.value.project.name).toBe('myapp');
  expect(result.warnings.map(({ message }) => message)).toEqual(['name: the project is called "myapp", not "My App"']);
});

test('JSON has no extensions but those of the file; names of the users stay', () => {
  const { project } = loadText(`x-top: {a: [], x-b: 1}
services:
  a: {image: x, x-own: 1, environment: {x-A: 1}, labels: {x-l: v}, deploy: {x-d: 1, labels: {x-m: w}}, networks: {n: {x-e: 1}}}
networks: {n: {x-f: 1, driver_opts: {x-g: h}}}
`);
  expect(canonicalJson(project)).toEqual({
    name: 'p',
    'x-top': { a: null, 'x-b': 1 },
    services: {
      a: {
        image: 'x',
        command: null,
        entrypoint: null,
        environment: { 'x-A': '1' },
        labels: { 'x-l': 'v' },
        deploy: { labels: { 'x-m': 'w' }, placement: {}, resources: {} },
        networks: { n: {} },
      },
    },
    networks: { n: { name: 'p_n', ipam: {}, driver_opts: { 'x-g': 'h' } } },
  });
});

test('what is written as nothing is nothing', () => {
  expect(service('environment: {A: !!null ""}').environment).toEqual({ A: null });
});

test.each([
  ['command: npm install && npm start', 'no shell runs this command: && and everything after it is left out'],
  ['volumes: ["./b:/d:rw,noexec"]', 'mount options that do not exist are ignored: noexec'],
])('%s is warned of', (written, message) => {
  const { warnings } = loadFiles({ 'compose.yaml': `services:\n  a: {image: x, ${written}}\n` });
  expect(warnings.map((warning) => warning.message)).toEqual([expect.stringContaining(message)]);
});
