import { expect, test } from 'vitest';
import { demo } from '../../planner/reconcile/demo.fixture.ts';
import { reconcile } from '../../planner/reconcile/reconcile.ts';
import type { StackError } from '../../schemas/errors.ts';
import type { Project } from '../../schemas/project.ts';
import { execute } from './execute.ts';
import { type Behaviour, Memory } from './memory.ts';

async function up(memory: Memory, project: Project, behaviour: Behaviour): Promise<StackError | undefined> {
  const snapshot = memory.snapshot();
  const plan = reconcile(project, snapshot, { action: 'up' });
  memory.behaviour = behaviour;
  try {
    await execute({ plan, project, snapshot, effects: async () => memory.effects, emit: () => {} });
    return undefined;
  } catch (error) {
    return error as StackError;
  } finally {
    memory.behaviour = {};
  }
}

const states = (memory: Memory) =>
  [...memory.containers.values()].map(({ record, status }) => `${record.name} ${status.state}`).sort();

const step = { command: ['migrate'], per_replica: true };
const ended = { state: 'exited' as const };

test('leftovers of one replica are looked for by its whole name: the step of another may be at work', async () => {
  const project = demo({ web: { scale: 10, pre_start: [step] } });
  const memory = new Memory(project);
  const isLogged = (what: string) => async () => {
    while (!memory.log.includes(what)) await new Promise(setImmediate);
  };
  const waits: Record<string, () => Promise<void>> = {
    'create demo-web-1': isLogged('start demo-web-10-pre_start-0'),
    'start demo-web-10-pre_start-0': isLogged('start demo-web-1-pre_start-0'),
  };
  const becomes = Object.fromEntries(
    Array.from({ length: 10 }, (_, index) => [`demo-web-${index + 1}-pre_start-0`, ended]),
  );
  expect(await up(memory, project, { becomes, onCall: (_, what) => waits[what]?.() })).toBeUndefined();
  expect(memory.log.filter((line) => line === 'remove demo-web-10-pre_start-0')).toHaveLength(1);
  expect(states(memory)).toHaveLength(10);
});

test('a step that fails is told also where its container cannot be removed', async () => {
  const project = demo({ web: { pre_start: [step] } });
  const memory = new Memory(project);
  const error = await up(memory, project, {
    becomes: { 'demo-web-1-pre_start-0': { state: 'exited', exitCode: 3 } },
    onCall: (_, what) => {
      if (what === 'remove demo-web-1-pre_start-0') throw new Error('busy');
    },
  });
  expect(error?.message).toContain('step 1 of pre_start, `migrate`, exited with 3');
  expect(states(memory)).toEqual(['demo-web-1-pre_start-0 exited']);
  // The next one finds it.
  expect(await up(memory, project, { becomes: { 'demo-web-1-pre_start-0': ended } })).toBeUndefined();
  expect(states(memory)).toEqual(['demo-web-1 running']);
});
