import { expect, test } from 'vitest';
import type { Operation } from '../../schemas/plan.ts';
import type { Span } from './schedule.ts';
import { timingsOf } from './timings.ts';

const operation = (id: string): Operation => ({
  id,
  resource: `container ${id}`,
  cause: '',
  needs: [],
  kind: 'container.start',
  name: id,
});
const [pull, side, create, start] = ['pull', 'side', 'create', 'start'].map(operation) as [
  Operation,
  Operation,
  Operation,
  Operation,
];

test('the critical path leads from the operation that ended last to one that waited for nothing', () => {
  const spans: Span[] = [
    { operation: side, begun: 0, ended: 50 },
    { operation: pull, begun: 0, ended: 1200.04 },
    { operation: create, begun: 1200.04, ended: 1240, after: pull },
    { operation: start, begun: 1300, ended: 1310, after: create },
  ];
  const timings = timingsOf({ spans, done: new Set(), failures: [], skipped: [] });
  expect(timings).toMatchObject({ totalMs: 1310, operations: 4, workMs: 1300 });
  expect(timings.criticalPath.map(({ id, ms, waitedFor }) => [id, ms, waitedFor])).toEqual([
    ['pull', 1200, undefined],
    ['create', 40, 'pull'],
    ['start', 10, 'create'],
  ]);
});

test('a run of nothing has no path', () => {
  const timings = timingsOf({ spans: [], done: new Set(), failures: [], skipped: [] });
  expect(timings).toEqual({ totalMs: 0, operations: 0, workMs: 0, criticalPath: [] });
});
