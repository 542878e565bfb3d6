/** Commands that look at a stack, and those that change single containers of it: one stack for several of them. */
import { readdirSync, readlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { expectError, idle, list, scenario, shell } from './harness/scenario.ts';

const world = scenario();

const file = {
  services: {
    web: { ...idle, ports: ['127.0.0.1:18080:80', '127.0.0.1:18081:53/udp'], volumes: ['data:/data'], scale: 1 },
    db: idle,
    job: shell('exit 3'),
  },
  volumes: { data: {} },
};

/** Whether a process has something to hear from inotify(7) by. */
function isWatching(pid: number | undefined): boolean {
  if (!pid) return false;
  const link = (fd: string) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  };
  return readdirSync(`/proc/${pid}/fd`).some((fd) => link(fd).includes('inotify'));
}

const states = async (project: Parameters<typeof list>[0]) =>
  Object.fromEntries((await list(project)).map(({ Name, State }) => [Name, State]));

test('port, images, ls, top and volumes tell what is there, in the fields of docker compose', async () => {
  const stack = world.project('look', file);
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['port', 'web', '80'])).toBe('127.0.0.1:18080\n');
  expect(await stack.ok(['port', '--protocol', 'udp', 'web', '53'])).toBe('127.0.0.1:18081\n');
  expectError(await stack.stack(['port', 'web', '81']), 1, /look-web-1 does not publish 81\/tcp/);

  const images = JSON.parse(await stack.ok(['images', '--format', 'json'])) as Record<string, unknown>[];
  expect(images.map(({ ContainerName, Repository, Tag }) => [ContainerName, Repository, Tag])).toEqual([
    ['look-db-1', 'busybox', '1'],
    ['look-job-1', 'busybox', '1'],
    ['look-web-1', 'busybox', '1'],
  ]);
  expect(images[0]).toMatchObject({ ID: expect.stringMatching(/^sha256:[0-9a-f]{64}$/), Size: expect.any(Number) });
  expect(await stack.ok(['images', '-q'])).toBe(`${String(images[0]?.ID).slice('sha256:'.length)}\n`);

  await stack.ok(['wait', 'job']).catch(() => {});
  const [own] = JSON.parse(await stack.ok(['ls', '--filter', 'name=look', '--format', 'json']));
  expect(own).toEqual({ Name: 'look', Status: 'running(2)', ConfigFiles: `${stack.folder}/compose.yaml` });
  const all = JSON.parse(await stack.ok(['ls', '-a', '--format', 'json'], { cwd: '/' }));
  expect(all).toEqual([{ ...own, Status: 'exited(1), running(2)' }]);

  const top = await stack.ok(['top', 'db']);
  expect(top.split('\n')[0]?.split(/\s+/)).toEqual('SERVICE # UID PID PPID C STIME TTY TIME CMD'.split(' '));
  expect(top).toMatch(/^db\s+1\s+root\s+\d+\s+\d+\s+\d+\s+\S+\s+\?\s+00:00:00\s+sleep 1000000$/m);

  expect(await stack.ok(['volumes', '-q'])).toBe('look_data\n');
  expect(await stack.ok(['volumes', '-q', 'db'])).toBe('');
  expect(JSON.parse(await stack.ok(['volumes', '--format', 'json']))).toMatchObject({
    Name: 'look_data',
    Driver: 'local',
    Mountpoint: `${world.host.root}/volumes/look_data/_data`,
  });
});

describe('a stack through its life', () => {
  test('create, start --wait, pause, unpause, scale, kill, rm', async () => {
    const counting = shell('while :; do date +%s%N > /count; sleep 0.02; done', {
      healthcheck: { test: ['CMD', 'true'], interval: '200ms', timeout: '200ms', retries: 1 },
      // A shell as the first process hears no SIGTERM.
      stop_grace_period: '0s',
    });
    const stack = world.project('life', { services: { web: counting, db: idle } });
    await stack.ok(['create', '--scale', 'web=2']);
    expect(await states(stack)).toEqual({ 'life-db-1': 'created', 'life-web-1': 'created', 'life-web-2': 'created' });
    await stack.ok(['start', '--wait']);
    expect((await list(stack)).map(({ Health }) => Health)).toEqual(['', 'healthy', 'healthy']);

    const count = () => stack.ok(['cp', 'web:/count', '-']);
    await stack.ok(['pause', 'web']);
    expect(await states(stack)).toEqual({ 'life-db-1': 'running', 'life-web-1': 'paused', 'life-web-2': 'paused' });
    expect(await stack.ok(['ps', '--status', 'paused', '-q'])).toMatch(/^[0-9a-f]{64}\n[0-9a-f]{64}\n$/);
    expectError(await stack.stack(['exec', '-T', 'web', 'true']), 1, /life-web-1 is paused/);
    const before = await count();
    await new Promise((done) => setTimeout(done, 1_000));
    expect(await count()).toBe(before);
    await stack.ok(['unpause']);
    // No probe was held against it while it stood still.
    expect((await list(stack)).map(({ Health }) => Health)).toEqual(['', 'healthy', 'healthy']);
    await until('it goes on', async () => (await count()) !== before);

    await stack.ok(['scale', 'web=1']);
    expect(await states(stack)).toEqual({ 'life-db-1': 'running', 'life-web-1': 'running' });
    expectError(await stack.stack(['scale', 'web=x']), 1, /"web=x" is no number of containers/);

    // Nothing ends that stands still, on cgroup v1: it is let go first.
    await stack.ok(['pause', 'db', 'web']);
    await stack.ok(['kill', 'web']);
    await stack.ok(['stop', '-t', '5', 'db']);
    expect(await states(stack)).toEqual({ 'life-db-1': 'exited', 'life-web-1': 'exited' });
    expect((await stack.stack(['rm'], { input: 'n\n' })).code).toBe(0);
    expect(Object.keys(await states(stack))).toHaveLength(2);
    await stack.ok(['rm', 'web'], { input: 'y\n' });
    expect(await states(stack)).toEqual({ 'life-db-1': 'exited' });
    await stack.ok(['start', 'db']);
    expect((await stack.stack(['rm', '-f'])).stderr).toContain('No stopped containers');
    await stack.ok(['rm', '-fs']);
    expect(await list(stack)).toEqual([]);
  });

  test('wait gives the exit code, also of what has ended before, and takes the stack down where it is asked to', async () => {
    const stack = world.project('waited', { services: { job: shell('sleep 0.5; exit 7'), other: idle } });
    await stack.ok(['up', '-d']);
    const waited = await stack.stack(['wait', 'job']);
    expect(waited).toMatchObject({
      code: 7,
      stdout: expect.stringMatching(/^container "[0-9a-f]{64}" exited with status code 7\n$/),
    });
    expect((await stack.stack(['wait', '--down-project', 'job'])).code).toBe(7);
    expect(await list(stack)).toEqual([]);
  });
});

test('cp copies both ways, from what runs and what does not, and no container leads it astray', async () => {
  const stack = world.project('copies', {
    services: { web: { ...idle, scale: 2, volumes: ['data:/data', { type: 'tmpfs', target: '/mem' }] } },
    volumes: { data: {} },
  });
  await stack.ok(['up', '-d']);
  const inside = (script: string, index = 1) =>
    stack.ok(['exec', '-T', '--index', String(index), 'web', 'sh', '-c', script]);
  const here = (script: string) => world.host.read(script, { cwd: stack.folder });
  stack.write('tree/a', 'one');
  stack.write('tree/sub/.wh.b', 'two');
  await here(
    'chown 1234:1235 tree/a; chmod 4750 tree/a; ln tree/a tree/c; ln -s a tree/l; mknod tree/p p; setfattr -n user.x -v y tree/a 2>/dev/null || true',
  );
  const listing = 'find . | sort | while read f; do stat -c "%n %F %a %u:%g $([ -d "$f" ] || echo %h)" "$f"; done';

  // Into every container, a new directory, an existing one, its content alone.
  await stack.ok(['cp', 'tree', 'web:/srv']);
  await stack.ok(['cp', 'tree', 'web:/srv']);
  await stack.ok(['cp', 'tree/.', 'web:/mem']);
  const whole = await here(`cd tree; ${listing}`);
  for (const place of ['/srv', '/srv/tree']) {
    const found = await inside(`cd ${place}; ${listing} | grep -v "^./tree"`, 2);
    expect(found.trim()).toBe(whole);
  }
  expect(await inside('cat /mem/a /mem/sub/.wh.b')).toBe('onetwo');
  await stack.ok(['cp', '--index', '1', 'tree/a', 'web:/data/renamed']);
  expect(await inside('cat /data/renamed; ls /data', 2)).toBe('onerenamed\n');

  // Out of it, and as a tar.
  await stack.ok(['cp', 'web:/srv/tree', 'back']);
  expect(await here(`cd back; ${listing}`)).toBe(whole);
  await stack.ok(['cp', '-L', 'web:/srv/l', 'followed']);
  await stack.ok(['cp', 'web:/srv/l', 'link']);
  expect(await here('cat followed; readlink link')).toBe('onea');
  const bin = `${(await import('./harness/harness.ts')).repository}/bin/stack`;
  expect(await here(`${bin} cp web:/srv/sub - | tar t`)).toBe('sub/\nsub/.wh.b');
  await here(`tar cz -C tree sub | ${bin} cp - web:/mem/sub`);
  expect(await inside('cat /mem/sub/sub/.wh.b')).toBe('two');

  // What a container makes of its links concerns its own root alone.
  await inside(
    'ln -s /etc/passwd /srv/out; ln -s ../../../../../../../../etc /srv/up; ln -s /proc/1/root/etc/passwd /srv/magic; rm -f /etc/mine',
  );
  await stack.ok(['cp', '-L', '--index', '1', 'web:/srv/out', 'passwd']);
  expect(await here('cat passwd')).toBe((await inside('cat /etc/passwd')).trim());
  await stack.ok(['cp', '--index', '1', 'tree/a', 'web:/srv/up/mine']);
  expect(await inside('cat /etc/mine')).toBe('one');
  expect(await here('ls /etc/mine 2>/dev/null || true')).toBe('');
  expectError(await stack.stack(['cp', '-L', 'web:/srv/magic', 'magic']), 1, /web:\/srv\/magic/);
  const hostile = await world.host.sh(`tar c -P --transform 's,^,../,' tree/a | ${bin} cp --index 1 - web:/srv`, {
    cwd: stack.folder,
  });
  expectError(hostile, 1, /web:\/srv: .*\.\.\/tree\/a/);
  for (const [args, words] of [
    [['cp', 'nothing', 'web:/srv'], /nothing: there is no such file/],
    [['cp', 'web:/nothing', '.'], /web:\/nothing: there is no such file/],
    [['cp', 'tree', 'web:/etc/passwd'], /a directory cannot take the place of a file/],
    [['cp', 'tree/a', 'web:/nowhere/'], /no such directory/],
    [['cp', 'tree/a', 'web:/no/where'], /does not exist/],
    [['cp', 'web:/a', 'web:/b'], /between services/],
    [['cp', 'a', 'b'], /Neither is in a container/],
  ] as const) {
    expectError(await stack.stack([...args]), 1, words);
  }

  // Stopped: its own files through an overlay, its volume at its source; and it starts with what was copied.
  await stack.ok(['stop', '-t', '0']);
  await stack.ok(['cp', 'tree/a', 'web:/etc/late']);
  await stack.ok(['cp', 'tree/a', 'web:/data/late']);
  await stack.ok(['cp', 'web:/srv/tree/a', 'stopped']);
  await stack.ok(['cp', 'web:/data', '.']);
  expect(await here('cat data/late')).toBe('one');
  expect(await here('cat stopped')).toBe('one');
  await stack.ok(['start']);
  expect(await inside('cat /etc/late /data/late; stat -c %u:%g /etc/late', 2)).toBe('oneone1234:1235\n');
});

test('events tells what happens, live and from what is still known', async () => {
  const stack = world.project('happens', {
    services: { web: { ...idle, stop_signal: 'SIGKILL', labels: { team: 'a' } }, job: shell('exit 3') },
  });
  const live = stack.start(['events', '--json']);
  const told = () =>
    live
      .stdout()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  const actions = (service: string) =>
    told()
      .filter((one) => one.service === service)
      .map(({ action }) => action);
  await until('it watches', () => isWatching(live.pid()));
  await stack.ok(['up', '-d']);
  await until('its start', () => actions('web').includes('start') && actions('job').includes('die'));
  await stack.ok(['pause', 'web']);
  await stack.ok(['unpause', 'web']);
  await stack.ok(['restart', 'web']);
  await stack.ok(['down']);
  await until('its end', () => actions('web').includes('destroy') && actions('job').includes('destroy'));
  live.kill('SIGINT');
  expect((await live.exited).code).toBe(130);
  const web = ['create', 'start', 'pause', 'unpause', 'die', 'stop', 'start', 'die', 'stop', 'destroy'];
  expect(actions('web')).toEqual(web);
  expect(actions('job')).toEqual(['create', 'start', 'die', 'destroy']);
  expect(told().find(({ service, action }) => service === 'job' && action === 'die')).toEqual({
    action: 'die',
    attributes: { execDuration: '0', exitCode: '3', image: 'busybox:1', name: 'happens-job-1' },
    id: expect.stringMatching(/^[0-9a-f]{64}$/),
    service: 'job',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    type: 'container',
  });
  await stack.ok(['up', '-d', 'web']);
  const past = await stack.ok(['events', '--since', '1h', '--until', '0s', 'web']);
  expect(past.split('\n').map((line) => line.split(' ')[3])).toEqual(['create', 'start', undefined]);
  expect(past).toContain('(image=busybox:1, name=happens-web-1, team=a)');
});

test('stats and attach see what a container does now', async () => {
  const stack = world.project('busy', {
    services: {
      web: shell('while :; do :; done', { deploy: { resources: { limits: { memory: '64M' } } } }),
      echo: shell('while read line; do echo "got $line"; done', { stdin_open: true, init: true }),
    },
  });
  await stack.ok(['up', '-d']);
  const [used] = (await stack.ok(['stats', '--no-stream', '--format', 'json', 'web']))
    .split('\n')
    .map((line) => line && JSON.parse(line));
  expect(Object.keys(used)).toEqual([
    'BlockIO',
    'CPUPerc',
    'Container',
    'ID',
    'MemPerc',
    'MemUsage',
    'Name',
    'NetIO',
    'PIDs',
  ]);
  expect(used).toMatchObject({ Name: 'busy-web-1', PIDs: '1', MemUsage: expect.stringMatching(/^\S+iB \/ 64MiB$/) });
  expect(Number.parseFloat(used.CPUPerc)).toBeGreaterThan(1);
  expect(await stack.ok(['stats', '--no-stream', '--format', '{{.Name}}', '-a'])).toBe('busy-echo-1\nbusy-web-1\n');

  const live = stack.start(['attach', 'echo']);
  live.write('one\n');
  await live.output(/got one/);
  live.kill('SIGTERM');
  expect((await live.exited).code).toBe(143);
  expectError(await stack.stack(['attach', 'echo']), 1, /not running/);
});

test('run takes every flag of docker compose, ps filters and templates, export writes a tar', async () => {
  const stack = world.project('flags', {
    services: { web: { ...idle, environment: { A: 'file' }, cap_drop: ['CHOWN'] }, db: idle },
  });
  await stack.ok(['up', '-d']);
  stack.write('vars', 'A=vars\nB=vars\n');
  const flags = [
    '--rm',
    '-T',
    '--quiet',
    '--env-from-file',
    'vars',
    '-e',
    'B=line',
    '--cap-add',
    'CHOWN',
    '--cap-drop',
    'KILL',
  ];
  const script = 'echo $A $B; grep CapEff /proc/self/status';
  const [variables, capabilities] = (await stack.ok(['run', ...flags, 'web', 'sh', '-c', script])).split('\n');
  expect(variables).toBe('vars line');
  const held = Number.parseInt(capabilities?.split('\t')[1] ?? '', 16);
  // linux/capability.h: CAP_CHOWN is 0, CAP_KILL 5.
  expect([held & 1, (held >> 5) & 1]).toEqual([1, 0]);
  const names = async (...more: string[]) => {
    const id = (await stack.ok(['run', '-d', ...more, 'db', 'sleep', '1000'])).trim();
    const found = await stack.ok(['exec', '-T', 'web', 'nslookup', '-type=a', 'db.']).catch(String);
    await stack.ok(['run', '--rm', '-T', '--remove-orphans', 'web', 'true']);
    return [id, found.match(/Address: /g)?.length];
  };
  expect((await names())[1]).toBe(1);
  expect((await names('--use-aliases'))[1]).toBe(2);

  expect(await stack.ok(['ps', '--format', '{{.Service}} {{.State}}'])).toMatch(
    /^db running\n(db running\n)*web running\n$/,
  );
  expect(await stack.ok(['ps', '--filter', 'source=build', '-q'])).toBe('');
  expect(await stack.ok(['ps', '--filter', 'source=image', '--filter', 'status=running', '--services'])).toBe(
    'db\nweb\n',
  );
  expectError(await stack.stack(['ps', '--filter', 'name=x']), 1, /no filter of `stack ps`/);

  await stack.ok(['exec', '-T', 'web', 'sh', '-c', 'echo mine > /etc/own; rm /etc/group']);
  await stack.ok(['export', '-o', 'web.tar', 'web']);
  const listed = (await world.host.read('tar tf web.tar; tar xOf web.tar etc/own', { cwd: stack.folder })).split('\n');
  expect(listed).toEqual(expect.arrayContaining(['etc/own', 'bin/sh', 'mine']));
  expect(listed).not.toContain('etc/group');
  expectError(await stack.stack(['publish', 'a/b']), 1, /Stack files are not published/);
});

test('commit makes an image of what a container has become', async () => {
  const web = { ...idle, environment: { KEPT: '1' }, volumes: ['/data'], labels: { team: 'a' } };
  const stack = world.project('kept', { services: { web } });
  await stack.ok(['up', '-d']);
  await stack.ok(['exec', '-T', 'web', 'sh', '-c', 'echo mine > /etc/own; rm -r /var/spool; echo no > /data/no']);
  const flags = ['-a', 'Ann', '-m', 'by hand', '-c', 'CMD ["cat", "/etc/own"]', '-c', 'ENV MORE=2'];
  const id = await stack.ok(['commit', ...flags, 'web', 'kept/web:1']);
  expect(await states(stack)).toEqual({ 'kept-web-1': 'running' });
  const [image] = JSON.parse(await stack.ok(['image', 'inspect', 'kept/web:1']));
  expect(image).toMatchObject({ Id: id.trim(), Author: 'Ann', Comment: 'by hand' });
  expect(image.Config).toMatchObject({ Cmd: ['cat', '/etc/own'], Labels: { team: 'a' } });
  expect(image.Config.Env).toEqual(expect.arrayContaining(['KEPT=1', 'MORE=2']));
  const made = world.project('made', { services: { one: { image: 'kept/web:1', pull_policy: 'never' } } });
  expect(await made.ok(['run', '--rm', '-T', 'one'])).toBe('mine\n');
  const look = 'ls -d /var/spool /data/no 2>&1; echo $KEPT$MORE';
  expect(await made.ok(['run', '--rm', '-T', 'one', 'sh', '-c', look])).toMatch(
    /spool: No such.*\n.*no: No such.*\n12\n/,
  );
  expectError(await stack.stack(['commit', '-c', 'RUN true', 'web']), 1, /RUN cannot be changed that way/);
});
