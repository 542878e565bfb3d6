import { expect, test } from 'vitest';
import { loadFiles, loadText, messages, service } from './fixture.ts';

const bind = (source: string, target: string, more: object = {}, options: object = {}) => ({
  type: 'bind',
  source,
  target,
  ...more,
  bind: { create_host_path: true, ...options },
});
const tcp = (target: number, published?: string, more: object = {}) => ({
  mode: 'ingress',
  target,
  protocol: 'tcp',
  ...(published === undefined ? {} : { published }),
  ...more,
});

/** Attribute as written → as `config` prints it. Taken from docker compose's own output. */
test.each<[written: string, key: string, value: unknown]>([
  ['command: echo "a b" \'c\' $$X', 'command', ['echo', 'a b', 'c', '$$X']],
  ['command: [echo, "a b"]', 'command', ['echo', 'a b']],
  ['command: null', 'command', null],
  ['command: []', 'command', []],
  ['command: ""', 'command', []],
  ['entrypoint: /bin/sh -c "x y"', 'entrypoint', ['/bin/sh', '-c', 'x y']],
  [
    'environment: {A: 1, B: true, C: 1.50, D: "", E: null}',
    'environment',
    { A: '1', B: 'true', C: '1.5', D: '', E: null },
  ],
  ['environment: [A=1, B=, C, D=x=y]', 'environment', { A: '1', B: '', C: null, D: 'x=y' }],
  ['labels: [a=b, c, d=e=f]', 'labels', { a: 'b', c: '', d: 'e=f' }],
  ['labels: {a: 1, b: null}', 'labels', { a: '1', b: '' }],
  ['annotations: [a=b]', 'annotations', { a: 'b' }],
  ['sysctls: [net.core.somaxconn=1024]', 'sysctls', { 'net.core.somaxconn': '1024' }],
  ['ports: [80]', 'ports', [tcp(80)]],
  ['ports: ["8080:80"]', 'ports', [tcp(80, '8080')]],
  ['ports: ["3000-3001"]', 'ports', [tcp(3000), tcp(3001)]],
  ['ports: ["9090-9091:8080-8081"]', 'ports', [tcp(8080, '9090'), tcp(8081, '9091')]],
  ['ports: ["8000-9000:80"]', 'ports', [tcp(80, '8000-9000')]],
  ['ports: ["127.0.0.1:8001:8001"]', 'ports', [tcp(8001, '8001', { host_ip: '127.0.0.1' })]],
  ['ports: ["127.0.0.1::99"]', 'ports', [tcp(99, undefined, { host_ip: '127.0.0.1' })]],
  ['ports: ["[::1]:66:66"]', 'ports', [tcp(66, '66', { host_ip: '::1' })]],
  ['ports: ["::1:66:66"]', 'ports', [tcp(66, '66', { host_ip: '::1' })]],
  ['ports: ["6060:6060/udp"]', 'ports', [tcp(6060, '6060', { protocol: 'udp' })]],
  [
    'ports: [{target: 80, published: 8081, mode: host, name: web}]',
    'ports',
    [{ name: 'web', mode: 'host', target: 80, published: '8081', protocol: 'tcp' }],
  ],
  ['expose: [3000, "8000-8002", 80/udp]', 'expose', ['3000', '8000-8002', '80/udp']],
  ['volumes: [/anon]', 'volumes', [{ type: 'volume', target: '/anon', volume: {} }]],
  ['volumes: ["data:/d/"]', 'volumes', [{ type: 'volume', source: 'data', target: '/d', volume: {} }]],
  [
    'volumes: ["data:/d:ro,nocopy"]',
    'volumes',
    [{ type: 'volume', source: 'data', target: '/d', read_only: true, volume: { nocopy: true } }],
  ],
  ['volumes: ["./x:/y:ro"]', 'volumes', [bind('/p/x', '/y', { read_only: true })]],
  ['volumes: ["../x:/y"]', 'volumes', [bind('/x', '/y')]],
  ['volumes: [".:/y"]', 'volumes', [bind('/p', '/y')]],
  [
    'volumes: ["~/x:/y:z,rshared"]',
    'volumes',
    [bind('/home/me/x', '/y', {}, { selinux: 'z', propagation: 'rshared' })],
  ],
  ['volumes: ["/a/:/b:rw,cached"]', 'volumes', [bind('/a/', '/b')]],
  [
    'volumes: [{type: bind, source: ./r, target: /f, bind: {propagation: rshared, create_host_path: false}}]',
    'volumes',
    [{ type: 'bind', source: '/p/r', target: '/f', bind: { propagation: 'rshared' } }],
  ],
  [
    'volumes: [{type: tmpfs, target: /t, tmpfs: {size: 10m, mode: 0755}}]',
    'volumes',
    [{ type: 'tmpfs', target: '/t', tmpfs: { size: '10485760', mode: 493 } }],
  ],
  ['depends_on: [b]', 'depends_on', { b: { condition: 'service_started', required: true } }],
  [
    'depends_on: {b: {condition: service_healthy, restart: true}}',
    'depends_on',
    { b: { condition: 'service_healthy', restart: true, required: true } },
  ],
  ['links: ["b:alias"]', 'depends_on', { b: { condition: 'service_started', restart: true, required: true } }],
  ['network_mode: "service:b"', 'depends_on', { b: { condition: 'service_started', restart: true, required: true } }],
  ['network_mode: host', 'networks', undefined],
  ['networks: [n]', 'networks', { n: null }],
  ['networks: {n: {aliases: [q], priority: 5}}', 'networks', { n: { aliases: ['q'], priority: 5 } }],
  ['networks: []', 'networks', { default: null }],
  [
    'healthcheck: {test: curl x, interval: 90s, timeout: 1500ms, retries: 3, start_period: 2h}',
    'healthcheck',
    { test: ['CMD-SHELL', 'curl x'], interval: '1m30s', timeout: '1.5s', retries: 3, start_period: '2h0m0s' },
  ],
  ['healthcheck: {disable: true}', 'healthcheck', { disable: true }],
  ['healthcheck: {test: [NONE]}', 'healthcheck', { test: ['NONE'] }],
  ['ulimits: {nproc: 65535, nofile: {soft: 1, hard: 2}}', 'ulimits', { nproc: 65535, nofile: { soft: 1, hard: 2 } }],
  ['extra_hosts: ["b=::1", "a:1.2.3.4", "c:[::2]"]', 'extra_hosts', ['a=1.2.3.4', 'b=::1', 'c=::2']],
  ['extra_hosts: {a: [1.1.1.1, 2.2.2.2]}', 'extra_hosts', ['a=1.1.1.1', 'a=2.2.2.2']],
  ['dns: 8.8.8.8', 'dns', ['8.8.8.8']],
  ['dns_search: [a, b]', 'dns_search', ['a', 'b']],
  ['tmpfs: /run', 'tmpfs', ['/run']],
  ['group_add: [mail, 10]', 'group_add', ['mail', '10']],
  ['mem_limit: 1g', 'mem_limit', '1073741824'],
  ['memswap_limit: -1', 'memswap_limit', '-1'],
  ['shm_size: 1000', 'shm_size', '1000'],
  ['cpus: "1.5"', 'cpus', 1.5],
  ['pids_limit: -1', 'pids_limit', -1],
  ['stop_grace_period: 90.5s', 'stop_grace_period', '1m30.5s'],
  ['tty: "yes"', 'tty', true],
  ['pull_policy: if_not_present', 'pull_policy', 'missing'],
  ['logging: {driver: local, options: {max-file: 3}}', 'logging', { driver: 'local', options: { 'max-file': '3' } }],
  [
    'deploy: {resources: {limits: {memory: 1.5G, cpus: "0.5"}}}',
    'deploy',
    { placement: {}, resources: { limits: { memory: '1610612736', cpus: 0.5 } } },
  ],
  [
    'deploy: {restart_policy: {condition: on-failure, delay: 120s}}',
    'deploy',
    { placement: {}, resources: {}, restart_policy: { condition: 'on-failure', delay: '2m0s' } },
  ],
  [
    'devices: [/dev/a, "/dev/b:/dev/c:r"]',
    'devices',
    [
      { source: '/dev/a', target: '/dev/a', permissions: 'rwm' },
      { source: '/dev/b', target: '/dev/c', permissions: 'r' },
    ],
  ],
  ['build: .', 'build', { context: '/p', dockerfile: 'Dockerfile' }],
  [
    'build: {context: sub, args: [A=1, HOME]}',
    'build',
    { context: '/p/sub', dockerfile: 'Dockerfile', args: { A: '1', HOME: '/home/me' } },
  ],
  [
    'build: https://example.com/x.git#main',
    'build',
    { context: 'https://example.com/x.git#main', dockerfile: 'Dockerfile' },
  ],
  ['cap_add: [A, B]', 'cap_add', ['A', 'B']],
  ['x-own: {a: [1]}', 'x-own', { a: [1] }],
])('%s', (written, key, value) => {
  const home = { environment: { HOME: '/home/me' } };
  const text = `services:\n  a: {image: x, ${written}}\n  b: {image: y}\nvolumes: {data: }\nnetworks: {n: }\n`;
  const { project } = loadText(text, home);
  const printed = service(written, '  b: {image: y}\nvolumes: {data: }\nnetworks: {n: }\n');
  if (!written.includes('~') && !written.includes('HOME')) expect(printed[key]).toEqual(value);
  if (key !== 'command') expect((project.services.a as unknown as Record<string, unknown>)[key]).toEqual(value);
});

test('of two entries for one thing in one list the last stays', () => {
  const text = 'volumes: ["data:/x", "./q:/x/"], ports: ["80:80", {target: 80, published: 80}], tmpfs: [/a, /a]';
  expect(service(text, 'volumes: {data: }\n')).toMatchObject({
    volumes: [bind('/p/q', '/x')],
    ports: [tcp(80, '80')],
    tmpfs: ['/a'],
  });
});

test.each([
  ['ports: ["x:80"]', '"x:80": published port x is no port or range of ports'],
  ['ports: ["80:0"]', '"80:0": container port 0 is no port or range of ports'],
  ['ports: [70000]', '"70000": container port 70000 is no port or range of ports'],
  ['ports: ["1-3:1-2"]', '"1-3:1-2": the two ranges differ in length'],
  ['ports: ["80/icmp"]', '"80/icmp": protocol icmp is none of tcp, udp, sctp'],
  ['ports: ["300.1.1.1:80:80"]', '"300.1.1.1:80:80": 300.1.1.1 is no IP address'],
  ['ports: [{published: 80}]', 'the attribute target is missing'],
  ['expose: [x]', '"x" is no port'],
  ['ports: ["80:80:80:80"]', '80:80 is no IP address'],
  ['ports: ["[1::2::3]:1:1"]', '1::2::3 is no IP address'],
  ['volumes: ["a:b:c:d"]', '"a:b:c:d" is no mount'],
  ['volumes: ["data:rel"]', 'the target "rel" is no absolute path'],
  ['volumes: [{target: /x}]', 'the attribute type is missing'],
  ['volumes: [{type: bind, target: /x}]', 'a bind mount needs a source'],
  ['volumes: ["gone:/x"]', 'volume gone is not defined'],
  ['networks: [gone]', 'network gone is not defined'],
  ['secrets: [gone]', 'secret gone is not defined'],
  ['depends_on: {b: {restart: true}}', 'the attribute condition is missing'],
  ['healthcheck: {interval: 10}', 'expected a string, found the number 10'],
  ['healthcheck: {interval: soon}', '"soon" is no duration'],
  ['healthcheck: {test: [curl, x]}', 'a test list begins with NONE, CMD or CMD-SHELL, not "curl"'],
  ['mem_limit: lots', '"lots" is no size'],
  ['command: "a \'b"', 'a quote is not closed'],
  ['extra_hosts: [x]', '"x" is no host entry'],
  ['environment: ["=x"]', '"=x" has no name'],
  ['network_mode: host, networks: [n]', 'network_mode and networks exclude each other'],
  ['cpus: 1, deploy: {resources: {limits: {cpus: 2}}}', '1 contradicts deploy.resources.limits.cpus, which is 2'],
  ['container_name: ../c', '"../c" is no name'],
  ['scale: 2, container_name: c', '2 containers cannot have one name'],
  ['restart: sometimes', '"sometimes" is no restart policy'],
  ['pull_policy: hourly', '"hourly" is no pull policy'],
  ['deploy: {restart_policy: {condition: maybe}}', '"maybe" is no condition'],
  ['devices: [{target: /dev/x}]', 'the attribute source is missing'],
  ['network_mode: "service:gone"', 'services.a.depends_on.gone: no service gone'],
  ['ulimits: {nofile: {soft: 1}}', 'both soft and hard are needed'],
])('%s is refused', (written, message) => {
  const text = `services:\n  a: {image: x, ${written}}\n  b: {image: y}\nvolumes: {data: }\nnetworks: {n: }\n`;
  const found = messages(loadFiles({ 'compose.yaml': text }));
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(message);
  expect(found[0]).toMatch(/^compose.yaml:2:\d+ /);
});

test.each([
  ['volumes: {v: {name: ../../etc}}', 'compose.yaml:2:21 config.value volumes.v.name: "../../etc" is no name'],
  ['networks: {n: {name: a/b, external: true}}', 'compose.yaml:2:22 config.value networks.n.name: "a/b" is no name'],
  ['volumes: {a/b: }', 'compose.yaml:2:11 config.value volumes.a/b: "a/b" is no name'],
])('%s is refused', (text, message) => {
  const [found] = messages(loadFiles({ 'compose.yaml': `services: {a: {image: x}}\n${text}\n` }));
  expect(found).toContain(message);
});
