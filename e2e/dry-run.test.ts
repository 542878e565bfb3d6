/** `--dry-run` tells and does nothing: the world before and after is the same, to the nanosecond of a file's times. */
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { idle, list, scenario } from './harness/scenario.ts';

const world = scenario();

/** Kind, mode, times and content of everything below. A change of a file's change time cannot be undone by anybody. */
function files(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return [folder, ...paths.map((path) => join(folder, path))].sort().map((path) => {
    const { mode, size, mtimeNs, ctimeNs, ino, uid, gid, nlink } = lstatSync(path, { bigint: true });
    const kind = Number(mode) & 0o170000;
    const content =
      kind === 0o100000
        ? createHash('sha256').update(readFileSync(path)).digest('hex')
        : kind === 0o120000
          ? readlinkSync(path)
          : '';
    return [path, mode.toString(8), size, mtimeNs, ctimeNs, ino, uid, gid, nlink, content].join(' ');
  });
}

function cgroups(parent: string): string[] {
  return ['', ...readdirSync('/sys/fs/cgroup')].flatMap((hierarchy) => {
    try {
      const top = join('/sys/fs/cgroup', hierarchy, parent);
      const below = readdirSync(top, { recursive: true, withFileTypes: true });
      return below.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
    } catch {
      return [];
    }
  });
}

async function look(): Promise<Record<string, string[]>> {
  const { host } = world;
  const commands: Record<string, string> = {
    links:
      'ip -d -o link | sed -E "s/([a-z_]*timer) +[0-9.]+/\\1/g"; ip -o addr | grep -v fe80; ip route; ip -6 route; ip neigh | grep -v -e STALE -e REACHABLE -e DELAY -e PROBE',
    rules: 'nft -a list ruleset | sed "s/packets [0-9]* bytes [0-9]*//"',
    mounts: 'cat /proc/self/mountinfo',
    sysctls: 'grep -rH . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf 2>/dev/null',
    namespaces: 'lsns -n -o NS,TYPE 2>/dev/null | grep -v -e pid -e mnt',
  };
  const seen: Record<string, string[]> = {
    root: files(host.root),
    run: files(host.run),
    temporary: files(join(host.folder, 'tmp')),
    projects: files(join(host.folder, 'projects')),
    cgroups: cgroups(host.cgroupParent).sort(),
    processes: host.processes(),
  };
  const script = Object.values(commands)
    .map((command) => `(${command}; true)`)
    .join('; echo "--- next ---"; ');
  const answers = (await world.host.read(script)).split('--- next ---\n');
  for (const [index, name] of Object.keys(commands).entries()) seen[name] = answers[index]!.split('\n');
  return seen;
}

async function same(what: string, before: Record<string, string[]>): Promise<void> {
  const after = await look();
  for (const [name, lines] of Object.entries(before)) {
    const changed = {
      lost: lines.filter((line) => !after[name]!.includes(line)),
      new: after[name]!.filter((line) => !lines.includes(line)),
    };
    expect({ what, name, ...changed }).toEqual({ what, name, lost: [], new: [] });
  }
}

const file = (version: string) => ({
  services: {
    web: {
      ...idle,
      environment: { VERSION: version },
      ports: ['8080:80'],
      depends_on: ['db'],
      volumes: ['data:/data', '/anonymous', './bound:/bound'],
      scale: 1,
    },
    db: { ...idle, networks: ['default', 'back'], stop_grace_period: '1s' },
    built: { build: { dockerfile_inline: 'FROM busybox:1\nRUN true\n' }, command: ['true'] },
  },
  networks: { back: {} },
  volumes: { data: {} },
});

test('nothing but words comes of --dry-run, before and behind the command, on an empty world', async () => {
  const stack = world.project('dry', file('one'));
  const before = await look();
  const up = await stack.stack(['--dry-run', 'up', '-d']);
  expect(up.code).toBe(0);
  expect(up.stderr).toMatch(/^DRY-RUN MODE - {2}Create container dry-web-1 {2}because it does not exist yet$/m);
  expect(up.stderr).toMatch(/^DRY-RUN MODE - {2}Nothing was changed\.$/m);
  await same('up', before);
  writeFileSync(join(stack.folder, 'not-ours.json'), '{"format": "stack-plan"}');
  const written = await look();
  expect((await stack.stack(['up', '-d', '--dry-run', '--plan', 'not-ours.json'])).stderr).toContain('is no plan');
  await same('up --plan', written);
  expect(await list(stack)).toEqual([]);
});

test('nothing but words comes of it beside a stack that runs', { timeout: 180_000 }, async () => {
  const stack = world.project('dry', file('one'));
  await stack.ok(['up', '-d']);
  await stack.ok(['ps', '-a']);
  stack.define(file('two'));
  const before = await look();
  const commands = [
    ['--dry-run', 'up'],
    ['up', '-d', '--dry-run', '--force-recreate', '--renew-anon-volumes', '--pull', 'always', '--build'],
    ['--dry-run', 'up', '-d', '--scale', 'web=0', '--scale', 'db=3'],
    ['--dry-run', '--progress', 'json', 'up', '--wait'],
    ['--dry-run', 'down', '-v', '--rmi', 'all', '--remove-orphans'],
    ['--dry-run', '-p', 'dry', 'down'],
    ['--dry-run', 'stop', 'web'],
    ['--dry-run', 'restart'],
    ['--dry-run', 'kill'],
    ['--dry-run', 'build', '--no-cache'],
    ['--dry-run', 'push'],
    ['--dry-run', 'image', 'pull', 'busybox:1', 'nobody/nothing'],
    ['--dry-run', 'image', 'rm', 'busybox:1'],
    ['--dry-run', 'ps'],
    ['--dry-run', 'logs'],
    ['--dry-run', 'image', 'ls'],
    ['plan'],
    ['plan', '--dry-run', '-o', 'plan.json'],
    ['config', '-q'],
    ['--dry-run', 'config', '-o', 'config.yaml'],
  ];
  for (const command of commands) {
    const done = await stack.stack(command);
    expect([command, done.code, done.stderr]).toEqual([command, command[0] === 'plan' ? 2 : 0, expect.any(String)]);
    await same(command.join(' '), before);
  }
  for (const command of [
    ['exec', 'web', 'touch', '/x'],
    ['run', 'web', 'true'],
    ['gc', '--keep', '0'],
    ['image', 'prune', '-f'],
  ]) {
    const done = await stack.stack(['--dry-run', ...command]);
    expect(done.stderr).toMatch(/has no --dry-run/);
    expect(done.code).toBe(1);
    await same(command.join(' '), before);
  }
  await stack.ok(['stop', '-t', '0']);
  // The kernel takes a container's links away, and the carrier of its bridges, when it has the time.
  await until('the bridges have no carrier', async () => !/ st-.* state UP /.test(await world.host.read('ip -o link')));
  const stopped = await look();
  const start = await stack.stack(['start', '--dry-run']);
  expect(start.stderr).toMatch(/Start container dry-web-1 {2}because it was stopped/);
  await same('start', stopped);
});
