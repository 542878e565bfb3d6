import { expect, test } from 'vitest';
import { loadText, oneLine } from './fixture.ts';
import { checkSupported, withBuiltNames } from './supported.ts';

const refused = (text: string) => checkSupported(loadText(text)).map(oneLine);
const a = (attributes: string) =>
  refused(
    `services:\n  a:\n    image: x\n    ${attributes}\n  b: {image: y}\nnetworks: {n: }\nvolumes: {v: }\nsecrets: {s: {file: f}}\nconfigs: {c: {file: f}}\nmodels: {m: {model: q}}\n`,
  );

test.each([
  'command: [a]\n    entrypoint: [b]\n    environment: {A: 1}\n    user: "1"\n    group_add: [a]\n    working_dir: /w',
  'ports: ["80:80", "81:81/udp"]\n    expose: [1]\n    networks: {n: {aliases: [q], ipv4_address: 10.0.0.2, priority: 1}}',
  'volumes: ["v:/v:ro", "./x:/x", /anon, {type: tmpfs, target: /t}]\n    tmpfs: /run\n    shm_size: 1m',
  'network_mode: host',
  'network_mode: none',
  'network_mode: service:b',
  'network_mode: container:other-web-1',
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
  ['gpus: all', 'gpus'],
  ['devices: [/dev/null]', 'devices'],
  ['privileged: true', 'privileged'],
  ['secrets: [s]', 'secrets'],
  ['configs: [c]', 'configs'],
  ['models: [m]', 'models'],
  ['provider: {type: x}', 'provider'],
  ['pid: host', 'pid'],
  ['ipc: host', 'ipc'],
  ['userns_mode: host', 'userns_mode'],
  ['runtime: other', 'runtime'],
  ['volumes_from: [b]', 'volumes_from'],
  ['post_start: [{command: x}]', 'post_start'],
  ['network_mode: other', 'network_mode'],
  ['volumes: [{type: image, source: x, target: /x}]', 'volumes.0.type'],
  ['ports: ["80:80/sctp"]', 'ports.0'],
  ['security_opt: ["seccomp:./p.json"]', 'security_opt.0'],
  ['logging: {driver: syslog}', 'logging.driver'],
  ['logging: {options: {tag: x}}', 'logging.options.tag'],
  ['deploy: {mode: global}', 'deploy.mode'],
  ['deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}', 'deploy.resources.reservations.devices'],
])('refused: %s', (attributes, path) => {
  const errors = a(attributes);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(/^compose.yaml:4:\d+ /);
  expect(errors[0]).toContain(`config.not-supported not supported yet: services.a.${path}`);
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
  expect(refused(text('{external: true, driver: overlay}', '{external: true, driver: nfs}'))).toEqual([]);
  expect(refused(text('{driver: overlay, driver_opts: {parent: eth0}}', '{driver: nfs, driver_opts: {a: b}}'))).toEqual(
    [
      'compose.yaml:2:16 config.not-supported not supported yet: networks.n.driver',
      'compose.yaml:3:15 config.not-supported not supported yet: volumes.v.driver',
      'compose.yaml:3:28 config.not-supported not supported yet: volumes.v.driver_opts',
    ],
  );
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
  expect(refused('services:\n  a: {image: x}\n  b: {image: y, gpus: all, profiles: [p]}\n')).toEqual([]);
});

test('with services named, only those and what they depend on are looked at', () => {
  const text = `services:
  a: {image: x, depends_on: [b]}
  b: {image: x, pid: host, networks: [n]}
  c: {image: x, gpus: all, volumes: ["v:/v"], networks: [m]}
networks: {n: {driver: weave}, m: {driver: overlay}}
volumes: {v: {driver: nfs}}
`;
  const loaded = loadText(text);
  expect(checkSupported(loaded, ['a']).map((error) => error.resource)).toEqual(['services.b.pid', 'networks.n.driver']);
  expect(checkSupported(loaded)).toHaveLength(5);
});
