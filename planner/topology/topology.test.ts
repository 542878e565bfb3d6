import { expect, test } from 'vitest';
import { loadText } from '../load/fixture.ts';
import { servicesDot, topologyDot } from './dot.ts';
import { topologyMermaid } from './mermaid.ts';
import { topologySvg } from './svg.ts';
import { topologyText } from './text.ts';
import { topology } from './topology.ts';

const { project } = loadText(`services:
  web:
    build: ./web
    ports: ["8080:80"]
    depends_on: {db: {condition: service_healthy}, job: {condition: service_completed_successfully}}
    networks: [front, default]
    secrets: [key]
    configs: [{source: conf, target: /etc/conf}]
  db: {image: postgres, volumes: ["data:/var/lib"]}
  job: {image: postgres, depends_on: [db]}
  sidecar: {image: tool, network_mode: "service:web"}
networks: {front: {external: true}}
volumes: {data: }
secrets: {key: {file: ./key}}
configs: {conf: {file: ./conf}}
`);
const made = topology(project);

test('as text, in the order of starting', () => {
  expect(topologyText(made)).toBe(`p: 4 services

db
  runs image postgres (pulled)
  joins network default
  mounts volume data at /var/lib

job
  starts after db
  runs image postgres (pulled)
  joins network default

web
  starts when healthy: db
  starts when done: job
  runs image p-web (built from /p/web)
  joins network default
  joins network front (external)
  reads config conf at /etc/conf
  reads secret key at /run/secrets/key

sidecar
  starts after web
  shares the network of web
  runs image tool (pulled)`);
});

test('as Mermaid', () => {
  const lines = topologyMermaid(made).split('\n');
  expect(lines[0]).toBe('flowchart LR');
  expect(lines).toContain('  n2["web"]');
  expect(lines).toContain('  n2 -->|"starts when healthy:"| n0');
  expect(lines).toContain('  n7["pulled image postgres"]'.replace('["', '[/"').replace('"]', '"/]'));
  expect(lines).toHaveLength(1 + made.nodes.length + made.edges.length);
});

test('as DOT, whole and as the services alone', () => {
  expect(topologyDot(made)).toContain('  "service/web" -> "service/db" [label="starts when healthy:"];\n');
  expect(topologyDot(made)).toContain('  "volume/data" [shape=cylinder label="volume data"];\n');
  expect(servicesDot(project, { indentation: '  ', image: true, networks: true, ports: true })).toContain(
    '  "web" [shape=box label="web\\nimage: p-web\\nnetwork: front\\nnetwork: default\\nport: 8080:80/tcp"];\n',
  );
});

test('as SVG: every node and every edge once, what is needed right of what needs it', () => {
  const svg = topologySvg(made);
  expect(svg.match(/<rect /g)).toHaveLength(made.nodes.length);
  expect(svg.match(/<path marker-end/g)).toHaveLength(made.edges.length);
  const left = (name: string) => Number(new RegExp(`<text x="([\\d.]+)" y="\\d+">${name}<`).exec(svg)?.[1]);
  expect(left('sidecar')).toBeLessThan(left('web'));
  expect(left('web')).toBeLessThan(left('job'));
  expect(left('job')).toBeLessThan(left('db'));
  expect(left('db')).toBeLessThan(left('volume data'));
});

test('names cannot break out of their quotes', () => {
  const hostile = loadText("services: {a: {image: 'x\"]; </svg>\\', labels: {}}}").project;
  const drawn = topology(hostile);
  expect(topologyDot(drawn)).toContain('label="pulled image x\\"]; </svg>\\\\"');
  expect(topologyMermaid(drawn)).toContain('[/"pulled image x#34;#93;#59; #60;/svg#62;#92;"/]');
  expect(topologySvg(drawn)).toContain('pulled image x&quot;]; &lt;/svg&gt;\\<');
});

test('what is shared is one node, and the order of keys makes no difference', () => {
  expect(made.nodes.filter(({ id }) => id === 'image/postgres')).toHaveLength(1);
  const services = Object.fromEntries(Object.entries(project.services).reverse());
  expect(topology({ ...project, services })).toEqual(made);
});

test('builds, hooks and how many containers', () => {
  const { project: more } = loadText(`services:
  web:
    build: {context: ./web, secrets: [key], additional_contexts: {base: "service:zbase"}}
    scale: 3
    pre_start: [{command: migrate, image: tool}]
    post_start: [{command: warm up}]
    networks: {default: }
  zbase: {build: ./base}
secrets: {key: {file: ./key}}
`);
  const drawn = topology(more);
  expect(drawn.edges.map(({ from, type, to }) => `${from} ${type} ${to}`)).toEqual([
    'service/web runs image/p-web',
    'image/p-web built-by build/web',
    'build/web reads secret/key',
    'build/web uses image/p-zbase',
    'service/web calls hook/web.pre_start.0',
    'hook/web.pre_start.0 runs image/tool',
    'service/web calls hook/web.post_start.0',
    'service/web joins network/default',
    'service/zbase runs image/p-zbase',
    'image/p-zbase built-by build/zbase',
    'service/zbase joins network/default',
  ]);
  expect(topologyText(drawn)).toBe(`p: 2 services

web (3 containers)
  runs image p-web (built from /p/web)
    its build reads secret key
    its build uses image p-zbase (built from /p/base)
  calls hook pre_start: migrate
  calls hook post_start: warm up
  joins network default

zbase
  runs image p-zbase (built from /p/base)
  joins network default`);
  expect(topologyMermaid(drawn)).toContain('[["build of /p/web"]]');
  expect(topologyDot(drawn)).toContain('"build/web" [shape=box3d label="build of /p/web"];');
  expect(drawn.nodes.find(({ id }) => id === 'image/tool')).toEqual({ id: 'image/tool', kind: 'image', name: 'tool' });
  const svg = topologySvg(drawn);
  expect(svg).toContain('>web ×3<');
  const left = (name: string) => Number(new RegExp(`<text x="([\\d.]+)" y="\\d+">${name}<`).exec(svg)?.[1]);
  expect(left('built image p-web')).toBeLessThan(left('build of /p/web'));
  expect(left('build of /p/web')).toBeLessThan(left('built image p-zbase'));
  expect(left('built image p-zbase')).toBeLessThan(left('build of /p/base'));
});

test('builds that use one another are drawn all the same', () => {
  const { project: circle } = loadText(`services:
  a: {build: {context: ., additional_contexts: {b: "service:b"}}}
  b: {build: {context: ., additional_contexts: {a: "service:a"}}}
`);
  expect(topologyText(topology(circle))).toContain('its build uses image p-b (built from /p)');
  expect(topologySvg(topology(circle)).match(/<rect /g)).toHaveLength(7);
});
