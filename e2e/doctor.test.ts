/** `stack doctor` on a private host: it sees what the host lacks, and leaves it as it was. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repository } from './harness/harness.ts';
import { scenario } from './harness/scenario.ts';

const world = scenario();
const product = join(repository, 'bin/stack');

interface Found {
  status: string;
  checks: { id: string; status: string; found: string; advice?: string }[];
}

/** `before` is shell that changes what the command sees. */
async function look(before = '') {
  const { code, stdout } = await world.host.sh(`${before}\n${product} doctor --json`);
  const found = JSON.parse(stdout) as Found;
  return { code, found, of: (id: string) => found.checks.find((one) => one.id === id) };
}

test('a host that runs stacks passes, and nothing stays of the trials', async () => {
  const sight = `ip -o link; cat /proc/self/mountinfo; nft list tables; ls -A ${world.host.folder}`;
  await look(); // the settings are read and remembered
  const before = await world.host.read(sight);
  const { code, found, of } = await look();
  expect(found.checks.filter(({ status }) => status === 'fail')).toEqual([]);
  expect(code).toBe(0);
  for (const id of ['kernel.overlay', 'network.bridge', 'network.veth', 'network.nftables', 'cgroup.writable']) {
    expect(of(id), id).toMatchObject({ status: 'ok' });
  }
  expect(await world.host.read(sight)).toBe(before);
  const { stdout } = await world.host.stack(['doctor']);
  expect(stdout).toMatch(/^This machine can run stacks: \d+ checks, \d+ warnings?\.$/m);
});

test('a firewall that drops what is forwarded is named with its chain', async () => {
  await world.host.read('nft add table inet own');
  await world.host.read('nft "add chain inet own closed { type filter hook forward priority 0; policy drop; }"');
  const { code, of } = await look();
  await world.host.read('nft delete table inet own');
  expect(of('network.firewall')).toMatchObject({ status: 'warn', found: expect.stringContaining('inet own closed') });
  expect(code).toBe(0);
});

test('cgroups that are read-only fail, with exit code 1', async () => {
  const closed = `for at in $(awk '$9 ~ /^cgroup/ || $8 ~ /^cgroup/ {print $5}' /proc/self/mountinfo); do mount -o remount,bind,ro $at; done`;
  const { code, found, of } = await look(`exec unshare -m bash <<'E'\n${closed}`);
  expect(of('cgroup.writable')).toMatchObject({
    status: 'fail',
    advice: expect.stringContaining('mounted for writing'),
  });
  expect(found.status).toBe('fail');
  expect(code).toBe(1);
});

test('without root rights it says so, and tells what there is to see', async () => {
  const { code, of } = await look('exec setpriv --reuid 65534 --regid 65534 --clear-groups bash <<"E"');
  expect(of('host.not-root')).toMatchObject({ status: 'fail' });
  expect(of('kernel.version')).toMatchObject({ status: 'ok' });
  expect(of('kernel.overlay')).toBeUndefined();
  expect(code).toBe(1);
});
