/** Processes that a freezer holds elsewhere than the runtime froze them; no signal reaches one that v1's holds. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hierarchies } from '../../engine/runtime/cgroup/cgroup.ts';
import { inBundle, until } from './bundle.ts';
import { cgroupsNamed } from './remains.ts';

interface Freezer {
  /** Where its hierarchy is mounted, if it is. */
  top: string | undefined;
  file: string;
  frozen: string;
  thawed: string;
  /** What says that it has been told to freeze. */
  told: string;
}

const v1Top = '/sys/fs/cgroup/freezer';
const freezers: [version: string, freezer: Freezer][] = [
  [
    'v1',
    {
      top: existsSync(v1Top) ? v1Top : undefined,
      file: 'freezer.state',
      frozen: 'FROZEN',
      thawed: 'THAWED',
      told: 'freezer.self_freezing',
    },
  ],
  ['v2', { top: hierarchies().v2?.path, file: 'cgroup.freeze', frozen: '1', thawed: '0', told: 'cgroup.freeze' }],
];

/** A zombie has no program. */
const isRunning = (pid: number) => existsSync(`/proc/${pid}/exe`);

for (const [version, { top, file, frozen, thawed, told }] of freezers) {
  const isMissing = top === undefined;
  if (isMissing) console.log(`skipped: what the freezer of cgroup ${version} does needs one that is mounted`);

  test.skipIf(isMissing)(
    `frozen by a ${version} cgroup that is not its own: a forced delete takes it all the same`,
    () =>
      inBundle(async (bundle) => {
        const { id } = bundle;
        await bundle.must(['run', '-d', id]);
        const { pid } = await bundle.state();
        const others = join(top!, `${id}-other`);
        mkdirSync(others);
        try {
          writeFileSync(join(others, 'cgroup.procs'), String(pid));
          writeFileSync(join(others, file), frozen);
          await bundle.destroy();
          expect(isRunning(pid)).toBe(false);
          expect(readFileSync(join(others, told), 'utf8')).toBe('1\n');
        } finally {
          writeFileSync(join(others, file), thawed);
          rmdirSync(others);
        }
      }),
  );

  test.skipIf(isMissing)(`frozen in ${version} cgroups below its own: a forced delete takes all of it`, () =>
    inBundle(async (bundle) => {
      const { id } = bundle;
      bundle.write((spec) => {
        spec.process.args = ['sh', '-c', 'sleep 1001 & sleep 1000'];
      });
      await bundle.must(['run', '-d', id]);
      const own = cgroupsNamed(id).find((path) => existsSync(join(path, file)))!;
      const pids = await until('two', () => {
        const found = readFileSync(join(own, 'cgroup.procs'), 'utf8').trim().split('\n');
        return found.length > 1 && found;
      });
      mkdirSync(join(own, 'a/b'), { recursive: true });
      for (const [at, pid] of pids.entries()) {
        writeFileSync(join(own, at === 0 ? 'a' : 'a/b', 'cgroup.procs'), pid);
      }
      writeFileSync(join(own, 'a', file), frozen);
      await bundle.destroy();
      expect(pids.map(Number).filter(isRunning)).toEqual([]);
    }),
  );
}
