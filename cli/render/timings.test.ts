import { expect, test } from 'vitest';
import { timingsText } from './timings.ts';

const step = { kind: 'container.start', resource: '' } as const;

test('the steps of the critical path in columns, and where one began later than it could', () => {
  const text = timingsText({
    totalMs: 1310,
    workMs: 2400,
    operations: 12,
    criticalPath: [
      { ...step, id: 'pull image redis:7', beganMs: 0, ms: 1200 },
      { ...step, id: 'start container demo-db-1', beganMs: 1300, ms: 10, waitedFor: 'pull image redis:7' },
    ],
  });
  expect(text).toBe(
    `Timings: 1.3s in all, 2.4s of work in 12 operations. What took longest, each step waiting for the one before:
  at 0ms   1.2s  pull image redis:7
  at 1.3s  10ms  start container demo-db-1  (begun 100ms late)
`,
  );
});

test('nothing is told of a run that did nothing', () => {
  expect(timingsText({ totalMs: 0, workMs: 0, operations: 0, criticalPath: [] })).toBe('');
});
