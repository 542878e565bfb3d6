/** Processes that cgroup v1's freezer holds elsewhere than the runtime froze them: no signal reaches one there. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inBundle, until } from './bundle.ts';
import { cgroupsNamed } from './remains.ts';

const freezerV1 = existsSync('/sys/fs/cgroup/freezer');
if (!freezerV1) console.log('skipped: what the freezer of cgroup v1 does needs one that is mounted');

/** A zombie has no program. */
const isRunning = (pid: number) => existsSync(`/proc/${pid}/exe`);

test.skipIf(!freezerV1)('frozen by a v1 cgroup that is not its own: a forced delete takes it all the same', () =>
  inBundle(async (bundle) => {
    const { id } = bundle;
    await bundle.must(['run', '-d', id]);
    const { pid } = await bundle.state();
    const others = `/sys/fs/cgroup/freezer/${id}-other`;
    mkdirSync(others);
    try {
      writeFileSync(`${others}/cgroup.procs`, String(pid));
      writeFileSync(`${others}/freezer.state`, 'FROZEN');
      await bundle.destroy();
      expect(isRunning(pid)).toBe(false);
      expect(readFileSync(`${others}/freezer.self_freezing`, 'utf8')).toBe('1\n');
    } finally {
      writeFileSync(`${others}/freezer.state`, 'THAWED');
      rmdirSync(others);
    }
  }),
);

test.skipIf(!freezerV1)('frozen in v1 cgroups below its own: a forced delete takes all of it', () =>
  inBundle(async (bundle) => {
    const { id } = bundle;
    bundle.write((spec) => {
      spec.process.args = ['sh', '-c', 'sleep 1001 & sleep 1000'];
    });
    await bundle.must(['run', '-d', id]);
    const own = cgroupsNamed(id).find((path) => existsSync(`${path}/freezer.state`))!;
    const pids = await until('two', () => {
      const found = readFileSync(`${own}/cgroup.procs`, 'utf8').trim().split('\n');
      return found.length > 1 && found;
    });
    mkdirSync(`${own}/a/b`, { recursive: true });
    for (const [at, pid] of pids.entries()) writeFileSync(`${own}/${at === 0 ? 'a' : 'a/b'}/cgroup.procs`, pid);
    writeFileSync(`${own}/a/freezer.state`, 'FROZEN');
    await bundle.destroy();
    expect(pids.map(Number).filter(isRunning)).toEqual([]);
  }),
);
