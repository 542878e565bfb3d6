/** A process number that was given to another process leads exec nowhere. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { inBundle, program } from './bundle.ts';

const run = promisify(execFile);
const fixture = join(import.meta.dirname, 'reused-pid.fixture.ts');

/** The first process of the pid namespace: takes in all orphans, and ends with the command. */
const init = `
import os, sys
main = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
while True:
    pid, status = os.wait()
    if pid == main: sys.exit(os.waitstatus_to_exitcode(status))
`;

test.each([
  ['never', /^executed/],
  ['before', /^state\.status: .* is stopped/],
  ['after', /^state\.status: .* is stopped/],
])('the container’s process is replaced %s its descriptor is opened', (when, expected) =>
  inBundle(async (bundle) => {
    const script = `"$0" --root "$1" run --detach "$2" > /dev/null 2>&1 < /dev/null && exec "$5" "$6" "$1" "$2" "$3" "$4"`;
    const words = [program, bundle.root, bundle.id, bundle.file('mark'), when, process.execPath, fixture];
    const flags = ['-p', '-m', '-f', '--kill-child', '--mount-proc', '--propagation', 'private'];
    const { stdout } = await run('unshare', [...flags, 'python3', '-c', init, 'sh', '-c', script, ...words], {
      cwd: bundle.path,
      timeout: 60_000,
    });
    expect(stdout).toMatch(expected);
    expect(bundle.has('mark')).toBe(false);
    await bundle.destroy();
  }),
);
