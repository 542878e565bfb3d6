import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Operation } from '../../schemas/plan.ts';
import { schedule } from './schedule.ts';

const operation = (index: number, needs: number[]): Operation => ({
  id: `${index}`,
  resource: '',
  cause: '',
  needs: needs.map(String),
  kind: 'container.start',
  name: `${index}`,
});

/** Operations of which each needs some before it, in any order. */
const graphs = fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { minLength: 1, maxLength: 30 }).chain((list) => {
  const operations = list.map((needs, index) => operation(index, [...new Set(needs.filter((need) => need < index))]));
  return fc.shuffledSubarray(operations, { minLength: operations.length });
});

test('every operation begins once, and not before all it needs is done', async () => {
  await fc.assert(
    fc.asyncProperty(graphs, fc.scheduler(), async (operations, scheduler) => {
      const begun: string[] = [];
      const done = new Set<string>();
      const work = async (one: Operation) => {
        begun.push(one.id);
        for (const need of one.needs) expect(done).toContain(need);
        await scheduler.schedule(Promise.resolve());
        done.add(one.id);
      };
      const running = schedule(operations, work, { signal: new AbortController().signal, onFailure: () => {} });
      await scheduler.waitFor(running);
      const course = await running;
      expect(new Set(begun).size).toBe(operations.length);
      expect(begun).toHaveLength(operations.length);
      expect([course.failures, course.skipped]).toEqual([[], []]);
    }),
    { numRuns: 100 },
  );
});

test('after a failure exactly what needs it is left out, unless the run ends with it', async () => {
  await fc.assert(
    fc.asyncProperty(graphs, fc.nat(29), fc.boolean(), async (operations, at, endsRun) => {
      const failing = `${at % operations.length}`;
      const end = new AbortController();
      const onFailure = () => {
        if (endsRun) end.abort();
      };
      const begun = new Set<string>();
      const work = async ({ id }: Operation) => {
        begun.add(id);
        await Promise.resolve();
        if (id === failing) throw new Error('failed');
      };
      const course = await schedule(operations, work, { signal: end.signal, onFailure });
      const doomed = new Set([failing]);
      for (const _ of operations) {
        for (const { id, needs } of operations) if (needs.some((need) => doomed.has(need))) doomed.add(id);
      }
      doomed.delete(failing);
      expect(course.failures.map((failure) => failure.operation.id)).toEqual([failing]);
      for (const id of doomed) expect(begun).not.toContain(id);
      const skipped = course.skipped.map(({ id }) => id).sort();
      if (!endsRun) expect(skipped).toEqual([...doomed].sort());
      expect(begun.size + skipped.length).toBe(operations.length);
    }),
    { numRuns: 200 },
  );
});

test('ten thousand operations in a chain', async () => {
  const operations = Array.from({ length: 10_000 }, (_, index) => operation(index, index > 0 ? [index - 1] : []));
  const { done } = await schedule(operations, async () => {}, {
    signal: new AbortController().signal,
    onFailure: () => {},
  });
  expect(done.size).toBe(10_000);
});
