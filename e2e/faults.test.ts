/** Every call of the kernel port fails once: nothing half made stays, and the next command starts from a clean machine. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Attempt } from './harness/faults.ts';
import { scenario } from './harness/scenario.ts';

const world = scenario();

test('`up`, failing at each call of the kernel in turn', { timeout: 300_000 }, async () => {
  expect((await world.host.stack(['image', 'pull', 'busybox:1'])).code).toBe(0);
  const script = join(import.meta.dirname, 'harness/faults.ts');
  const out = await world.host.read(`'${process.execPath}' '${script}'`, { timeoutMs: 280_000 });
  const attempts = out.split('\n').map((line) => JSON.parse(line) as Attempt);
  expect(attempts.length).toBeGreaterThan(25);
  for (const { failed, message, containers, networks, volumes } of attempts.slice(0, -1)) {
    const left = { failed, containers: containers.filter((line) => !line.endsWith(' running')) };
    expect(left).toEqual({ failed, containers: [] });
    // Either the failure was one that can be done without, and everything runs, or it was told and taken back.
    if (message === undefined) expect({ failed, running: containers.length }).toEqual({ failed, running: 2 });
    if (containers.length === 0) expect({ failed, networks, volumes }).toEqual({ failed, networks: 0, volumes: 0 });
  }
  expect(attempts.at(-1)).toMatchObject({ containers: ['faulty-db-1 running', 'faulty-web-1 running'] });
});
