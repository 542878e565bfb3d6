import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { runGuest } from './guest.ts';

const isX64 = process.arch === 'x64';

test.skipIf(!isX64)(
  `unified cgroup v2 on Debian’s own kernel: every limit, update, freezer, kill, figures, devices${isX64 ? '' : ' (skipped: the guest is x86-64)'}`,
  { timeout: 400_000 },
  async () => {
    // The engine's own code as one file, run by the guest's Node.
    const { outputFiles } = await build({
      entryPoints: [new URL('./cgroup2-resources.guest.ts', import.meta.url).pathname],
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node22',
      write: false,
    });
    const scenario = `
echo; modprobe null_blk nr_devices=1
node /opt/stack/cgroups.mjs
echo "left: $(find /sys/fs/cgroup -name '*stack*')."
`;
    const shown = await runGuest(scenario, 350_000, {
      modules: ['null_blk', 'bfq'],
      files: { 'opt/stack/cgroups.mjs': outputFiles[0]!.text },
    });
    expect(shown.split('\n').filter((line) => line.startsWith('FAIL'))).toEqual([]);
    const passed = shown.split('\n').filter((line) => line.startsWith('ok '));
    console.log(passed.join('\n'));
    expect(shown).toContain(`all ${passed.length} done`);
    expect(passed.length).toBeGreaterThan(20);
    expect(shown).toContain('left: .\n');
  },
);
