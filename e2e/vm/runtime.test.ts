/** The tests of e2e/runtime once more, on Debian’s own kernel with unified cgroup v2: the same files, bundled. */
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { runGuest } from './guest.ts';

/** Files that say something about the kernel, and the titles in them that do not, or that time what is too slow here. */
const files: [name: string, without: RegExp][] = [
  ['operate', /^create killed at any moment/],
  ['lifecycle', /is no id$|^create .* is refused$|is not there$/],
  ['config', /^$/],
];

const here = import.meta.dirname;

async function bundled(name: string, without: RegExp): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import '../runtime/${name}.test.ts'; import { runTests } from 'vitest'; await runTests((title) => !${without}.test(title));`,
      resolveDir: here,
    },
    alias: { vitest: `${here}/vitest.guest.ts` },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    write: false,
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  return outputFiles[0]!.text;
}

const isX64 = process.arch === 'x64';

test.skipIf(!isX64)(
  `e2e/runtime on Debian’s own kernel${isX64 ? '' : ' (skipped: the guest is x86-64)'}`,
  { timeout: 400_000 },
  async () => {
    const texts = await Promise.all(files.map((one) => bundled(...one)));
    const names = files.map(([name]) => name);
    const scenario = `
echo; cd /opt/stack/e2e/vm
for name in ${names.join(' ')}; do node $name.mjs > /tmp/$name.log 2>&1 & done
wait; for name in ${names.join(' ')}; do cat /tmp/$name.log; done
echo "left: $(find /sys/fs/cgroup -name '*stack*')$(ls /tmp | /bin/busybox grep stack)."
`;
    const shown = await runGuest(scenario, 350_000, {
      files: Object.fromEntries(names.map((name, at) => [`opt/stack/e2e/vm/${name}.mjs`, texts[at]!])),
    });
    console.log(shown);
    const lines = shown.split('\n');
    expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([]);
    const passed = lines.filter((line) => line.startsWith('ok ')).length;
    const told = lines.flatMap((line) => /^all (\d+) done$/.exec(line)?.[1] ?? []).map(Number);
    expect(told).toHaveLength(files.length);
    expect(passed).toBe(told.reduce((sum, one) => sum + one, 0));
    expect(passed).toBeGreaterThan(30);
    expect(shown).toContain('left: .\n');
  },
);
