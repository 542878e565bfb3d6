/** A create that is killed: whatever it had made by then, delete --force takes away. */
import { once } from 'node:events';
import { mkdirSync, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Bundle, inBundle, until } from './bundle.ts';

/** @param known when the container has a place in the state root. */
type Due = (known: Promise<unknown>, ended: Promise<unknown>) => Promise<unknown>;

/** Kills a create when it is due; answers its exit code, and whether there was a state. Looks for what a delete leaves. */
async function killed(bundle: Bundle, moment: string, due: Due): Promise<string> {
  const watcher = watch(bundle.root);
  const known = once(watcher, 'change');
  const { child, ended } = bundle.launch(['create', bundle.id]);
  await Promise.race([ended, due(known, ended)]);
  child.kill('SIGKILL');
  const { code } = await ended;
  watcher.close();
  const outcome = `${code} ${readdirSync(bundle.root).length > 0}`;
  await bundle.destroy();
  expect(await bundle.remains(), `killed ${moment}`).toEqual([]);
  return outcome;
}

test('create killed at any moment leaves what delete --force takes away', { timeout: 100_000 }, () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.hooks = { createRuntime: [{ path: join(bundle.rootfs, 'bin/busybox'), args: ['sleep', '0.02'] }] };
    });
    mkdirSync(bundle.root);
    // How long one takes is of the machine, and of what else it does.
    const times = [performance.now()];
    const whole = await killed(bundle, 'after its end', async (known, ended) => {
      for (const each of [known, ended]) times.push(await each.then(() => performance.now()));
    });
    expect(whole).toBe('0 true');
    const [begin, stateMade, end] = times as [number, number, number];

    const outcomes = new Set<string>();
    const after = async (what: 'spawn' | 'state', ms: number) => {
      const due: Due = (known) => (what === 'spawn' ? sleep(ms) : known.then(() => sleep(ms)));
      outcomes.add(await killed(bundle, `${ms} ms after its ${what}`, due));
    };
    for (let part = 0; part < 8; part++) await after('spawn', (part / 8) * (stateMade - begin));
    for (let part = 0; part < 10; part++) await after('state', (part / 10) * (end - stateMade));
    // On, until one has ended by itself: no moment up to the end is left out.
    for (let part = 10; part < 40 && !outcomes.has('0 true'); part++) {
      await after('state', (part / 10) * (end - stateMade));
    }
    expect([...outcomes].sort(), 'moments').toEqual(['0 true', '137 false', '137 true']);
  }),
);

test('create killed while a hook runs', () =>
  inBundle(async (bundle) => {
    for (const kind of ['createRuntime', 'createContainer'] as const) {
      bundle.write((spec) => {
        const script = `${bundle.rootfs}/bin/busybox touch ${bundle.file(kind)}; exec ${bundle.rootfs}/bin/busybox sleep 0.3`;
        spec.hooks = { [kind]: [{ path: '/bin/sh', args: ['sh', '-c', script] }] };
      });
      const { child, ended } = bundle.launch(['create', bundle.id]);
      await until('the hook runs', () => bundle.has(kind));
      child.kill('SIGKILL');
      await ended;
      expect(await bundle.refused(['create', bundle.id])).toContain('exists already');
      await bundle.destroy();
      await until('nothing is left', async () => (await bundle.remains()).length === 0);
    }
  }));
