/**
 * `npm run bench:executor`: planner and executor alone, on a machine in memory whose every effect takes no time. What is
 * left is our own overhead; it has to grow with the operations and not faster.
 *
 *   npm run bench:executor -- --sizes 50,500,5000 --runs 5
 */
import { parseArgs } from 'node:util';
import { execute } from '../engine/execute/execute.ts';
import { Memory } from '../engine/execute/memory.ts';
import type { ReconcileOptions } from '../planner/reconcile/options.ts';
import { reconcile } from '../planner/reconcile/reconcile.ts';
import type { Dependency, Project, Service } from '../schemas/project.ts';
import { median } from './table.ts';

const { values } = parseArgs({
  options: { sizes: { type: 'string', default: '50,500,5000' }, runs: { type: 'string', default: '5' } },
});
const runs = Number(values.runs);

/** Services of which each depends on up to six of those before it, every fifth by its health. */
function stack(size: number, version: string): Project {
  const services: Record<string, Service> = {};
  for (let index = 0; index < size; index++) {
    const depends_on: Record<string, Dependency> = {};
    for (let step = 1; step <= 6 && step <= index; step++) {
      const to = (index * 7 + step * 13) % index;
      depends_on[`s${to}`] = { condition: to % 5 === 0 ? 'service_healthy' : 'service_started', required: true };
    }
    services[`s${index}`] = {
      image: 'image',
      command: null,
      entrypoint: null,
      environment: { VERSION: version },
      depends_on,
      networks: { default: null },
      ...(index % 5 === 0 ? { healthcheck: { test: ['CMD', 'true'] } } : {}),
    };
  }
  return { name: 'bench', services, networks: { default: { name: 'bench_default', ipam: {} } }, volumes: {} };
}

interface Sample {
  operations: number;
  plan: number;
  execute: number;
}

async function measure(
  memory: Memory,
  project: Project,
  options: ReconcileOptions,
  parallel?: number,
): Promise<Sample> {
  const snapshot = memory.snapshot();
  const began = performance.now();
  const plan = reconcile(project, snapshot, options);
  const planned = performance.now();
  await execute({ plan, project, snapshot, effects: async () => memory.effects, emit() {}, parallel });
  return { operations: plan.operations.length, plan: planned - began, execute: performance.now() - planned };
}

const steps: [name: string, version: string, options: ReconcileOptions, parallel?: number][] = [
  ['up', 'one', { action: 'up' }],
  ['up again', 'one', { action: 'up' }],
  ['up, all changed', 'two', { action: 'up' }],
  ['up --parallel 8', 'three', { action: 'up' }, 8],
  ['down', 'three', { action: 'down' }],
];

console.log('services  step                operations     plan   execute   µs an operation');
for (const size of values.sizes.split(',').map(Number)) {
  const samples = new Map<string, Sample[]>();
  for (let run = 0; run < runs; run++) {
    const memory = new Memory(stack(size, 'one'));
    for (const [name, version, options, parallel] of steps) {
      const sample = await measure(memory, stack(size, version), options, parallel);
      samples.set(name, [...(samples.get(name) ?? []), sample]);
    }
  }
  for (const [name, all] of samples) {
    const [plan, took] = [median(all.map((one) => one.plan)), median(all.map((one) => one.execute))];
    const { operations } = all[0]!;
    const each = operations > 0 ? ((took * 1000) / operations).toFixed(1) : '–';
    const ms = (value: number) => `${value.toFixed(1)} ms`.padStart(10);
    console.log(
      `${String(size).padStart(8)}  ${name.padEnd(18)}${String(operations).padStart(12)}${ms(plan)}${ms(took)}${each.padStart(12)}`,
    );
  }
}
