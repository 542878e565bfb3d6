/**
 * Run inside a private host: brings a stack up again and again, each time with the next call of the kernel port failing,
 * and prints one JSON line an attempt: what failed, what the error says, what the failed command left.
 */
import { createEngine } from '../../engine/engine.ts';
import { readSettings } from '../../engine/settings.ts';
import { layout } from '../../engine/state/layout.ts';
import { loadKernel } from '../../native/index.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Project, Service } from '../../schemas/project.ts';
import { watched } from './counting.ts';

export interface Attempt {
  /** Number of the call, and the verb: `network.netlink`. Absent in the last line, where nothing failed. */
  failed?: string;
  code?: string;
  message?: string;
  /** Containers after the failed command: `demo-db-1 running`. */
  containers: string[];
  networks: number;
  volumes: number;
}

const promising = new Set(['netlink', 'createNamespace', 'writeSysctl', 'spawnShim', 'receive', 'flock', 'pidfdWait']);
let count = 0;
let failAt = 0;
let failed: string | undefined;

const service: Service = {
  image: 'busybox:1',
  command: ['sleep', '1000000'],
  entrypoint: null,
  networks: { default: null },
  stop_signal: 'SIGKILL',
};
const project: Project = {
  name: 'faulty',
  services: {
    db: {
      ...service,
      volumes: [
        { type: 'volume', source: 'data', target: '/data' },
        { type: 'volume', target: '/anonymous' },
      ],
      ports: [{ target: 80, published: '8080', protocol: 'tcp' }],
    },
    web: { ...service, depends_on: { db: { condition: 'service_started', required: true } } },
  },
  networks: { default: { name: 'faulty_default', ipam: {} } },
  volumes: { data: { name: 'faulty_data' } },
};

const real = loadKernel();
const places = { layout: layout(process.env), settings: await readSettings(process.env) };
const sound = createEngine({ ...places, kernel: real });
const kernel = watched(real, (name) => {
  if (++count !== failAt) return undefined;
  failed = `${failAt} ${name}`;
  const verb = name.split('.')[1]!;
  const fields = { code: 'EIO', errno: 5, step: verb, subject: 'injected' };
  const error = Object.assign(new Error(`${verb}: injected failure`), fields);
  return {
    instead() {
      if (promising.has(verb)) return Promise.reject(error);
      throw error;
    },
  };
});
const quiet = { emit() {} };

for (let attempt = 1; ; attempt++) {
  [count, failAt, failed] = [0, attempt, undefined];
  let error: unknown;
  try {
    await createEngine({ ...places, kernel }).apply(project, { action: 'up' }, quiet);
  } catch (thrown) {
    error = thrown;
  }
  failAt = 0;
  const { containers, networks, volumes } = await sound.observe('faulty', project);
  const result: Attempt = {
    ...(failed === undefined ? {} : { failed }),
    ...(error instanceof StackError ? { code: error.code, message: error.message } : {}),
    ...(error !== undefined && !(error instanceof StackError) ? { message: String(error) } : {}),
    containers: containers.map(({ record, status }) => `${record.name} ${status.state}`),
    networks: networks.length,
    volumes: volumes.length,
  };
  console.log(JSON.stringify(result));
  await sound.apply(project, { action: 'down', removeVolumes: true }, quiet);
  if (failed === undefined) break;
}
process.exit(0);
