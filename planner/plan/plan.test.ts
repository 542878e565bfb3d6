import { expect, test } from 'vitest';
import type { Operation, Plan } from '../../schemas/plan.ts';
import { hasChanges, planJson, planText } from './plan.ts';

const none: Plan = { stack: 'demo', action: 'up', operations: [], orphans: [], warnings: [] };

test('nothing to do', () => {
  expect(planText(none)).toBe('No changes.');
  expect(planText({ ...none, warnings: ['Mind this.'] })).toBe('! Mind this.\nNo changes.');
});

const start: Operation = {
  id: 'start container demo-web-1',
  kind: 'container.start',
  resource: 'container demo-web-1',
  cause: 'it was stopped',
  needs: ['x'],
  name: 'demo-web-1',
};

test('one line a resource and a summary', () => {
  expect(planText({ ...none, operations: [start] })).toBe(
    '+ start container demo-web-1  because it was stopped\nPlan: 1 to start.',
  );
});

test('a pull that is already known to bring nothing new still counts: it asks the registry', () => {
  const pull: Operation = {
    id: 'pull image a',
    kind: 'image.pull',
    resource: 'image a',
    cause: 'its pull policy is always',
    needs: [],
    image: 'a',
    policy: 'always',
  };
  expect(planText({ ...none, operations: [pull] })).toBe(
    '+ pull image a  because its pull policy is always\nPlan: 1 to pull.',
  );
});

test('to wait for what is up already is no change', () => {
  const wait: Operation = {
    id: 'await service web running',
    kind: 'dependency.await',
    resource: 'service web',
    cause: '--wait',
    needs: [],
    service: 'web',
    containers: ['demo-web-1'],
    condition: 'service_running_or_healthy',
    isRequired: true,
  };
  expect(planText({ ...none, operations: [wait] })).toBe(
    '  wait for service web to be up  because --wait\nNo changes.',
  );
  expect([hasChanges({ ...none, operations: [wait] }), hasChanges({ ...none, operations: [start] })]).toEqual([
    false,
    true,
  ]);
});

test('as JSON: the operations without the records they carry', () => {
  expect(planJson({ ...none, operations: [start] })).toEqual({
    stack: 'demo',
    action: 'up',
    operations: [
      {
        id: 'start container demo-web-1',
        kind: 'container.start',
        resource: 'container demo-web-1',
        cause: 'it was stopped',
        needs: ['x'],
      },
    ],
    orphans: [],
    warnings: [],
  });
});
