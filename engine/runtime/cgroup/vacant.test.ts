import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { container, isUsable, v2Alone } from './container.fixture.ts';
import { freezeCgroups } from './freezer.ts';
import { hierarchies } from './hierarchies.ts';
import { directoriesOf } from './processes.ts';
import { refuseOccupied } from './vacant.ts';

const kinds = [
  ['the machine’s', hierarchies()],
  ['v2 alone', v2Alone],
] as const;

test.skipIf(!isUsable).each(kinds)(
  '%s: what is populated or frozen is refused, what is empty is not',
  async (_, all) => {
    if (!all) return console.log('skipped: no cgroup v2 is mounted');
    await using one = await container('vacant', {}, all);
    refuseOccupied(one.path, all);
    refuseOccupied(`${one.path}/none/x`, all);
    await freezeCgroups(one.path, true, all);
    for (const path of [one.path, `${one.path}/none`]) {
      expect(() => refuseOccupied(path, all)).toThrow(/container's cgroup unexpectedly frozen/);
    }
    await freezeCgroups(one.path, false, all);
    const { pid } = await one.run('exec sleep 1000');
    expect(() => refuseOccupied(one.path, all)).toThrow(new RegExp(`container's cgroup is not empty.*\\(${pid}\\)`));
  },
);

test.skipIf(!isUsable).each(kinds)('%s: a process below, in one hierarchy alone', async (_, all) => {
  if (!all) return console.log('skipped: no cgroup v2 is mounted');
  for (const at of directoriesOf('/x', all).keys()) {
    await using one = await container('below', {}, all);
    const child = await one.run('exec sleep 1000');
    const directories = directoriesOf(one.path, all);
    if (directories[at]!.includes('cpuset')) continue;
    mkdirSync(`${directories[at]}/deep`);
    for (const [index, directory] of directories.entries()) {
      const place = index === at ? `${directory}/deep` : directory.slice(0, directory.lastIndexOf('/'));
      writeFileSync(`${place}/cgroup.procs`, String(child.pid));
    }
    expect(() => refuseOccupied(one.path, all)).toThrow(/not empty/);
    child.kill('SIGKILL');
    await expect.poll(() => tryRmdir(`${directories[at]}/deep`)).toBe(true);
    refuseOccupied(one.path, all);
  }
});

function tryRmdir(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}
