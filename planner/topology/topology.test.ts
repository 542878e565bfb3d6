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
  expect(lines).toContain('  n6["pulled image postgres"]'.replace('["', '[/"').replace('"]', '"/]'));
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
