import { expect, test } from 'vitest';
import { loadText, oneLine } from './fixture.ts';
import { checkSupported, ignoredWarnings, withBuiltNames } from './supported.ts';

const refused = (text: string) => checkSupported(loadText(text)).map(oneLine);
const stack = (attributes: string) =>
  `services:\n  a:\n    image: x\n    ${attributes}\n  b: {image: y}\nnetworks: {n: }\nvolumes: {v: }\nsecrets: {s: {file: f}}\nconfigs: {c: {file: f}}\nmodels: {m: {model: q}}\n`;
const a = (attributes: string) => refused(stack(attributes));

test.each([
  'command: [a]\n    entrypoint: [b]\n    environment: {A: 1}\n    user: "1"\n    group_add: [a]\n    working_dir: /w',
  'ports: ["80:80", "81:81/udp"]\n    expose: [1]\n    networks: {n: {aliases: [q], ipv4_address: 10.0.0.2, priority: 1}}',
  'volumes: ["v:/v:ro", "./x:/x", /anon, {type: tmpfs, target: /t}]\n    tmpfs: /run\n    shm_size: 1m',
  'network_mode: host',
  'network_mode: none',
  'network_mode: service:b',
  'depends_on: {b: {condition: service_healthy, required: false}}\n    healthcheck: {test: x}\n    restart: always',
  'cap_add: [A]\n    cap_drop: [ALL]\n    security_opt: ["no-new-privileges:true", seccomp=unconfined, systempaths=unconfined, "apparmor:unconfined", apparmor=mine, "label=level:s0:c1,c2"]',
  'ulimits: {nofile: 1}\n    sysctls: {a: 1}\n    mem_limit: 1g\n    memswap_limit: 2g\n    cpus: 1\n    cpu_shares: 2\n    cpuset: "0"\n    pids_limit: 3\n    oom_score_adj: 4',
  'deploy: {replicas: 2, resources: {limits: {memory: 1g, cpus: 1, pids: 5}}, restart_policy: {condition: any}}',
  'labels: [a]\n    annotations: [b]\n    hostname: h\n    domainname: d\n    extra_hosts: [a=1.1.1.1]\n    dns: 1.1.1.1\n    dns_opt: [a]',
  'logging: {driver: json-file, options: {max-size: 1m, max-file: 2}}\n    stop_signal: SIGINT\n    stop_grace_period: 1s\n    init: true',
  'privileged: false\n    ipc: private\n    attach: true\n    oom_kill_disable: false\n    x-own: 1\n    develop: {watch: []}',
  'platform: linux/amd64\n    pull_policy: always\n    tty: true\n    stdin_open: true\n    read_only: true\n    scale: 2',
])('supported: %s', (attributes) => {
  expect(a(attributes)).toEqual([]);
});

test.each([
  'gpus: all\n    devices: [/dev/null, "vendor.com/class=x"]\n    device_cgroup_rules: ["c 1:3 rwm"]\n    privileged: true',
  'ipc: shareable\n    pid: service:b\n    uts: host\n    cgroup: host\n    cgroup_parent: /x\n    userns_mode: host',
  'ipc: container:x\n    pid: host\n    network_mode: container:x',
  'volumes_from: [b, "container:x:ro"]\n    links: [b, "b:alias"]\n    external_links: [c, "d:e"]',
  'security_opt: ["seccomp:./p.json", "label=disable"]\n    isolation: default\n    runtime: runc',
  'blkio_config: {weight: 10}\n    cpu_period: 1000\n    cpu_quota: 1000\n    cpu_rt_runtime: 1\n    mem_swappiness: 3\n    oom_kill_disable: true',
  'post_start: [{command: x}]\n    pre_stop: [{command: x}]\n    attach: false\n    mac_address: "02:00:00:00:00:01"',
  'logging: {driver: syslog, options: {tag: x, syslog-address: "udp://h:514", syslog-facility: local0}}',
  'logging: {driver: journald, options: {labels: a, env: b, mode: non-blocking}}',
  'secrets: [s]\n    configs: [{source: c, target: /c, uid: "5", mode: 0400}]\n    provider: {type: x}\n    pre_start: [{image: i}, {command: x, per_replica: true}]',
  'logging: {driver: none}\n    deploy: {mode: global, resources: {reservations: {devices: [{capabilities: [gpu]}]}}}',
])('supported too: %s', (attributes) => {
  expect(a(attributes)).toEqual([]);
});

test.each([
  ['models: [m]', 'models: Stack runs no models'],
  ['userns_mode: keep-id', 'userns_mode: "keep-id" asks for user ids'],
  ['runtime: runsc', 'runtime: "runsc" is another runtime'],
  ['isolation: hyperv', 'isolation: "hyperv" is an isolation of Windows'],
  ['ipc: shared', 'ipc: "shared" is no IPC mode'],
  ['pid: private', 'pid: "private" is no PID mode'],
  ['uts: b', 'uts: "b" is no UTS mode'],
  ['network_mode: b', 'network_mode: "b" is no network mode'],
  ['credential_spec: {file: x}', 'credential_spec: credential specs are for'],
  ['volumes: [{type: npipe, source: x, target: /x}]', 'volumes.0.type: a named pipe is'],
  ['use_api_socket: true', 'use_api_socket: Stack has no daemon'],
  ['storage_opt: {fuse: 1g}', 'storage_opt: "fuse" is an option of another storage driver'],
  ['logging: {driver: gelf}', 'logging.driver: "gelf" sends to a service'],
  ['logging: {driver: nonsense}', 'logging.driver: "nonsense" is no log driver'],
  ['logging: {options: {nonsense: x}}', 'logging.options.nonsense: the log driver json-file has no option'],
  ['logging: {options: {max-file: 0}}', 'logging.options.max-file: "0" cannot be used'],
  ['logging: {driver: syslog, options: {syslog-tls-cert: x}}', 'logging.options.syslog-tls-cert: Stack sends'],
  ['deploy: {mode: replicated-job}', 'deploy.mode: "replicated-job" is a mode of'],
])('refused with its reason and a next step: %s', (attributes, words) => {
  const errors = checkSupported(loadText(stack(attributes)));
  expect(errors.map(oneLine)).toEqual([expect.stringContaining(`config.not-supported services.a.${words}`)]);
  expect(oneLine(errors[0]!)).toMatch(/^compose.yaml:4:\d+ /);
  expect(errors[0]!.hint).toBeTruthy();
});

test.each([['ports: ["80:80/sctp"]', 'ports.0']])('refused: %s', (attributes, path) => {
  const errors = a(attributes);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(/^compose.yaml:4:\d+ /);
  expect(errors[0]).toContain(`config.not-supported not supported yet: services.a.${path}`);
});

test.each([
  ['cpu_count: 2\n    cpu_percent: 50', ['cpu_count', 'cpu_percent']],
  [
    'deploy: {placement: {constraints: [a==b]}, endpoint_mode: vip, rollback_config: {parallelism: 2}}',
    ['deploy.placement', 'deploy.endpoint_mode', 'deploy.rollback_config'],
  ],
  ['deploy: {update_config: {parallelism: 2}, rollback_config: {parallelism: 2}}', []],
  ['deploy: {resources: {reservations: {cpus: 1, memory: 1g}}}', ['deploy.resources.reservations.cpus']],
  ['ipc: shareable\n    shm_size: 1g', ['shm_size']],
  ['volumes: [{type: bind, source: /a, target: /b, consistency: cached}]', ['volumes.0.consistency']],
  ['volumes: ["/a:/b:cached"]', []],
  ['shm_size: 1g', []],
  ['deploy: {replicas: 2}\n    cpus: 1', []],
])('taken and passed over with a word: %s', (attributes, paths) => {
  const warnings = ignoredWarnings(loadText(stack(attributes)));
  expect(warnings.map(({ resource }) => resource)).toEqual(paths.map((path) => `services.a.${path}`));
  for (const { code, message, where } of warnings) {
    expect([code, message]).toEqual(['config.surprise', expect.stringContaining('is ignored: ')]);
    expect(where?.line).toBeGreaterThanOrEqual(4);
  }
});

test('networks and volumes', () => {
  const text = (network: string, volume: string) =>
    `services: {a: {image: x, networks: [n], volumes: ["v:/v"]}}\nnetworks: {n: ${network}}\nvolumes: {v: ${volume}}\n`;
  expect(
    refused(
      text(
        '{driver: bridge, internal: true, enable_ipv6: true, driver_opts: {com.docker.network.driver.mtu: 1400}}',
        '{driver: local}',
      ),
    ),
  ).toEqual([]);
  expect(refused(text('{external: true, driver: overlay}', '{external: true, name: q}'))).toEqual([]);
  expect(refused(text('{driver: overlay, driver_opts: {parent: eth0}}', '{driver: nfs, driver_opts: {a: b}}'))).toEqual(
    [
      'compose.yaml:2:16 config.not-supported not supported yet: networks.n.driver',
      'compose.yaml:3:15 config.not-supported volumes.v.driver: "nfs" is a plugin of docker\'s daemon, and Stack has none',
    ],
  );
});

test('an external secret that is used is refused: nothing here holds one', () => {
  const text = 'services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {external: true}, t: {external: true}}\n';
  expect(refused(text)).toEqual([
    'compose.yaml:2:11 config.not-supported secrets.s: no store of this machine holds secrets',
  ]);
});

test('options of a bridge are checked where they are written', () => {
  const options = '{com.docker.network.bridge.enable_icc: maybe, com.docker.network.bridge.enable_ic: "1"}';
  expect(refused(`services: {a: {image: x, networks: [n]}}\nnetworks:\n  n:\n    driver_opts: ${options}\n`)).toEqual([
    expect.stringMatching(/^compose.yaml:4:19 config.value networks.n.driver_opts.*enable_icc: "maybe" is neither/),
    expect.stringMatching(/^compose.yaml:4:64 config.not-supported networks.n.driver_opts.*has no option/),
  ]);
});

test('what stands on an interface of the host says on which, and is not internal', () => {
  const at = (network: string) => refused(`services: {a: {image: x, networks: [n]}}\nnetworks: {n: ${network}}\n`);
  expect(at('{driver: ipvlan, driver_opts: {parent: eth0}}')).toEqual([]);
  expect(at('{driver: macvlan}')).toEqual([expect.stringMatching(/^compose.yaml:2:.*driver_opts.parent.*needs/)]);
  expect(at('{driver: macvlan, internal: true, driver_opts: {parent: eth0}}')).toEqual([
    expect.stringMatching(/^compose.yaml:2:33 config.not-supported.*networks.n.internal/),
  ]);
});

test('an image that is built has a name, as docker compose gives it', () => {
  const { project } = loadText('services:\n  a: {build: .}\n  b: {build: ., image: x}\n');
  const { services } = withBuiltNames(project);
  expect([services.a!.image, services.b!.image]).toEqual([`${project.name}-a`, 'x']);
});

test('services that are off are not looked at', () => {
  expect(refused('services:\n  a: {image: x}\n  b: {image: y, use_api_socket: true, profiles: [p]}\n')).toEqual([]);
});

test('with services named, only those and what they depend on are looked at', () => {
  const text = `services:
  a: {image: x, depends_on: [b]}
  b: {image: x, userns_mode: x, networks: [n]}
  c: {image: x, use_api_socket: true, volumes: ["v:/v"], networks: [m]}
networks: {n: {driver: weave}, m: {driver: overlay}}
volumes: {v: {driver: nfs}}
`;
  const loaded = loadText(text);
  expect(checkSupported(loaded, ['a']).map((error) => error.resource)).toEqual([
    'services.b.userns_mode',
    'networks.n.driver',
  ]);
  expect(checkSupported(loaded)).toHaveLength(5);
});
