import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reconcile } from '../../planner/reconcile/reconcile.ts';
import { emptySnapshot, statusOf } from '../../planner/reconcile/simulated.ts';
import { recordFormat } from '../../schemas/container.ts';
import type { Project } from '../../schemas/project.ts';
import { layout } from './layout.ts';
import { listContainers } from './records.ts';

let folder = '';
const at = () => layout({ STACK_ROOT: folder, STACK_RUN: join(folder, 'run') });
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-records-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const id = 'a'.repeat(64);
function write(record: object): void {
  const path = join(at().containerDir('demo', id), 'container.json');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(record));
}

/** As little as a version of Stack may have written down that knew less. */
const old = {
  id,
  name: 'demo-web-1',
  stack: 'demo',
  service: 'web',
  config: {
    image: 'a:1',
    ports: [{ target: 80, published: '80' }],
    volumes: [{ type: 'bind', source: '/a', target: '/a' }],
  },
  image: { name: 'a:1', id: 'sha256:a', manifestDigest: '' },
};

/** The same service as a version that knows more loads it: everything is spelled out. */
const project: Project = {
  name: 'demo',
  services: {
    web: {
      image: 'a:1',
      command: null,
      entrypoint: null,
      ports: [{ target: 80, published: '80', protocol: 'tcp', mode: 'ingress' }],
      volumes: [{ type: 'bind', source: '/a', target: '/a', read_only: false, bind: { create_host_path: true } }],
      restart: 'no',
      init: false,
      logging: { driver: 'json-file' },
      stop_grace_period: '10s',
      deploy: { mode: 'replicated', resources: {}, placement: {} },
    },
  },
  networks: {},
  volumes: {},
};

test('a record of an older version is read with what it lacks, and nothing is made anew for it', () => {
  write(old);
  const [record] = listContainers(at(), 'demo');
  expect(record).toMatchObject({ number: 1, isOneOff: false, mounts: [], endpoints: [], stopSignal: 15 });
  const snapshot = {
    ...emptySnapshot('demo'),
    containers: [{ record: record!, status: statusOf() }],
    images: [{ name: 'a:1', id: 'sha256:a', manifestDigest: '' }],
  };
  expect(reconcile(project, snapshot, { action: 'up' }).operations).toEqual([]);
  const changed = structuredClone(project);
  changed.services.web!.restart = 'always';
  expect(reconcile(changed, snapshot, { action: 'up' }).operations.length).toBeGreaterThan(0);
});

test('a record that only a later version understands is told of, and a field more is none', () => {
  write({ ...old, format: recordFormat, later: true });
  expect(listContainers(at(), 'demo')).toHaveLength(1);
  write({ ...old, format: recordFormat + 1 });
  expect(() => listContainers(at(), 'demo')).toThrow('A later version of Stack wrote');
});
