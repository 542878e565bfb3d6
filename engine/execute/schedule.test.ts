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

test('no more operations at once than the limit, and never fewer while some are ready; waits are not counted', async () => {
  await fc.assert(
    fc.asyncProperty(graphs, fc.integer({ min: 1, max: 4 }), fc.scheduler(), async (operations, atOnce, scheduler) => {
      let running = 0;
      const isCounted = ({ id }: Operation) => Number(id) % 3 !== 0;
      const work = async (one: Operation) => {
        if (isCounted(one)) expect(++running).toBeLessThanOrEqual(atOnce);
        await scheduler.schedule(Promise.resolve());
        if (isCounted(one)) running--;
      };
      const signal = new AbortController().signal;
      const done = schedule(operations, work, { signal, onFailure: () => {}, limit: { atOnce, isCounted } });
      await scheduler.waitFor(done);
      expect((await done).done.size).toBe(operations.length);
    }),
    { numRuns: 100 },
  );
  let most = 0;
  let running = 0;
  const wide = Array.from({ length: 20 }, (_, index) => operation(index, []));
  const work = async () => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
  };
  const limit = { atOnce: 4, isCounted: () => true };
  await schedule(wide, work, { signal: new AbortController().signal, onFailure: () => {}, limit });
  expect(most).toBe(4);
});

test('each span tells what let it begin: the need that ended last, or what made room for it', async () => {
  const operations = [operation(0, []), operation(1, []), operation(2, [0, 1]), operation(3, [])];
  const gates = operations.map(() => Promise.withResolvers<void>());
  const limit = { atOnce: 2, isCounted: () => true };
  const signal = new AbortController().signal;
  const running = schedule(operations, ({ id }) => gates[Number(id)]!.promise, { signal, onFailure() {}, limit });
  for (const index of [1, 0, 3, 2]) {
    gates[index]!.resolve();
    await new Promise(setImmediate);
  }
  const { spans } = await running;
  expect(spans.map(({ operation: { id }, after }) => [id, after?.id])).toEqual([
    ['1', undefined],
    ['0', undefined],
    ['3', '1'],
    ['2', '0'],
  ]);
});

test('ten thousand operations in a chain', async () => {
  const operations = Array.from({ length: 10_000 }, (_, index) => operation(index, index > 0 ? [index - 1] : []));
  const { done } = await schedule(operations, async () => {}, {
    signal: new AbortController().signal,
    onFailure: () => {},
  });
  expect(done.size).toBe(10_000);
});
