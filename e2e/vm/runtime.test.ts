/** Tests of e2e/runtime once more, on Debian’s own kernel with unified cgroup v2: the same files, bundled. */
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { copyProgram, runGuest } from './guest.ts';

/**
 * The titles that ask the kernel: cgroup v2, freezer, namespaces, signals, what is left. Refusals decided before any
 * system call are the same everywhere; a start of Node takes a second here.
 */
const chosen = {
  operate: [
    'pause stops every process, resume lets them go on, a paused one can be deleted',
    'a signal that is not allowed is not taken for an end',
    'a signal by name, by number, and to all',
    'without a pid namespace: --all reaches what the first process left, delete takes it along',
    'list, ps and state',
    'update: by flags, by a document, and only what is named',
    'events --stats: the figures of the moment; without it, line by line until the end',
    'cgroupsPath /e2e-path',
  ],
  'create-killed': ['create killed while a hook runs'],
  lifecycle: ['a life: created, running, stopped, gone'],
  ownership: [
    'two containers of one cgroup: the second is refused, and the first goes on',
    'processes of another in every hierarchy of the cgroup live on',
    'a frozen cgroup is refused, and stays',
    'until create has ended the container is creating, and cannot be started',
  ],
  frozen: [
    'frozen by a v2 cgroup that is not its own: a forced delete takes it all the same',
    'frozen in v2 cgroups below its own: a forced delete takes all of it',
  ],
  config: [
    'uidMappings and gidMappings: root inside is nobody outside, and owns what it makes',
    'timeOffsets',
    'a cgroup namespace begins at the container’s own cgroup',
    'netDevices: a link of the host moves in, with its address, up and renamed',
  ],
};
const titles = Object.values(chosen).flat();

/** One file for all: each start of Node costs. */
async function bundled(): Promise<string> {
  const here = import.meta.dirname;
  const imports = Object.keys(chosen).map((name) => `import '../runtime/${name}.test.ts';`);
  const { outputFiles } = await build({
    stdin: {
      contents: `${imports.join('\n')} import { runTests } from 'vitest'; await runTests(${JSON.stringify(titles)}, 3);`,
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
    const scenario = `
echo; node /opt/stack/e2e/vm/runtime.mjs 2>&1
echo "left: $(find /sys/fs/cgroup -name '*stack*')$(ls /tmp | /bin/busybox grep stack)."
`;
    const shown = await runGuest(scenario, 350_000, {
      files: { 'opt/stack/e2e/vm/runtime.mjs': await bundled() },
      prepare: (root) => copyProgram('/usr/bin/setpriv', root, 'bin/setpriv'),
    });
    console.log(shown);
    const lines = shown.split('\n');
    expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([]);
    const passed = lines.flatMap((line) => /^ok (.*) \(\d+ ms\)$/.exec(line)?.[1] ?? []);
    expect(passed.sort()).toEqual(titles.sort());
    expect(shown).toContain('left: .\n');
  },
);
