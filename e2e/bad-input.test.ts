/** Wrong stack files and a machine that does not fit: one clear error that says what, where and what next. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { repository } from './harness/harness.ts';
import { expectError, idle, list, scenario } from './harness/scenario.ts';

const world = scenario();

describe('stack files', () => {
  test('a YAML error, with its place', async () => {
    const stack = world.project('yaml', 'services:\n  web:\n    image: "busybox:1\n    command: [\n');
    expectError(await stack.stack(['up', '-d']), 1, /compose\.yaml:\d+:\d+/);
  });

  test('an unknown attribute, with what was probably meant', async () => {
    const stack = world.project('unknown', 'services:\n  web:\n    image: busybox:1\n    volums: [data:/data]\n');
    expectError(await stack.stack(['up', '-d']), 1, /volums/, /compose\.yaml:4:5/, /volumes/);
  });

  test('an attribute that cannot be carried out, with its place and its reason', async () => {
    const stack = world.project('later', 'services:\n  web:\n    image: busybox:1\n    use_api_socket: true\n');
    const done = await stack.stack(['up', '-d']);
    expectError(done, 1, /services\.web\.use_api_socket: Stack has no daemon/, /compose\.yaml:4:5/);
  });

  test('a dependency cycle, with its members', async () => {
    const stack = world.project('cycle', {
      services: {
        a: { ...idle, depends_on: ['b'] },
        b: { ...idle, depends_on: ['c'] },
        c: { ...idle, depends_on: ['a'] },
      },
    });
    expectError(await stack.stack(['up', '-d']), 1, /depend on each other: a → b → c → a/, /compose\.yaml:\d+:\d+/);
  });

  test('no stack file at all', async () => {
    const stack = world.project('empty');
    expectError(await stack.stack(['up', '-d']), 1, /compose\.yaml|stack file/);
  });

  test('a variable that must be set', async () => {
    const stack = world.project('required', 'services: {web: {image: "${IMAGE:?name an image}"}}\n');
    expectError(await stack.stack(['up', '-d']), 1, /IMAGE/, /name an image/);
  });

  test('a service that is not defined', async () => {
    const stack = world.project('undefined', { services: { web: { ...idle, depends_on: ['db'] } } });
    expectError(await stack.stack(['up', '-d']), 1, /db/);
    stack.define({ services: { web: idle } });
    expectError(await stack.stack(['up', '-d', 'wev']), 1, /wev/, /web/);
  });

  test('several problems are told at once', async () => {
    const stack = world.project('several', 'services:\n  a:\n    imag: x\n  b:\n    image: y\n    prots: []\n');
    expectError(await stack.stack(['config']), 1, /imag/, /prots/);
  });

  test('an unknown command and an unknown flag', async () => {
    expectError(await world.host.stack(['upp']), 1, /upp/, /up/);
    const flag = await world.host.stack(['ps', '--no-such-flag']);
    expect(flag.code).not.toBe(0);
    expect(flag.stderr).toMatch(/no-such-flag/);
    expectError(await world.host.stack(['bridge']), 1, /not supported yet/i);
  });
});

describe('containers', () => {
  test('a port already taken, by a process and by another stack', async () => {
    const listen = "require('net').createServer().listen(8099, '0.0.0.0', () => console.log('ready'))";
    const server = await world.host.background([process.execPath, '-e', listen], /ready/);
    const stack = world.project('taken', { services: { web: { ...idle, ports: ['8099:80'] } } });
    expectError(await stack.stack(['up', '-d']), 1, /8099/, /taken|in use/);
    expect((await list(stack)).filter(({ State }) => State === 'running')).toEqual([]);
    await server.stop();
    await stack.ok(['up', '-d']);
    const other = world.project('taken-again', { services: { web: { ...idle, ports: ['8099:80'] } } });
    expectError(await other.stack(['up', '-d']), 1, /8099/, /taken|in use/);
    expect((await list(stack)).map(({ State }) => State)).toEqual(['running']);
  });

  test('an unknown user', async () => {
    const stack = world.project('user', { services: { web: { ...idle, user: 'nobody-knows' } } });
    expectError(await stack.stack(['up', '-d']), 1, /nobody-knows/, /web/);
    expectError(await stack.stack(['run', '--rm', '-T', 'web', 'true']), 125, /nobody-knows/);
  });

  test('a command that is not there and one that cannot be executed', async () => {
    const stack = world.project('command', {
      services: { web: { ...idle, init: false, command: ['no-such-command'] } },
    });
    expectError(await stack.stack(['up', '-d']), 1, /no-such-command/, /web/);
    expectError(await stack.stack(['run', '--rm', '-T', 'web']), 127, /no-such-command/);
    expectError(await stack.stack(['run', '--rm', '-T', 'web', '/etc/passwd']), 126, /\/etc\/passwd/);
  });

  test('a bind source that is a file where a folder is needed, and the other way round', async () => {
    const stack = world.project('kind', { services: { web: { ...idle, volumes: ['./file:/etc'] } } });
    stack.write('file', 'text');
    stack.write('folder/inside', 'text');
    expectError(await stack.stack(['up', '-d']), 1, /file/, /\/etc/, /director|folder/i);
    stack.define({ services: { web: { ...idle, volumes: ['./folder:/etc/passwd'] } } });
    expectError(await stack.stack(['up', '-d']), 1, /folder/, /\/etc\/passwd/);
  });

  test('a bind source that is missing, in the long form', async () => {
    const volumes = [{ type: 'bind', source: './absent', target: '/data' }];
    const stack = world.project('absent', { services: { web: { ...idle, volumes } } });
    expectError(await stack.stack(['up', '-d']), 1, /absent/);
    expect(existsSync(join(stack.folder, 'absent'))).toBe(false);
  });

  test('a network that is to exist and does not', async () => {
    const stack = world.project('external', {
      services: { web: { ...idle, networks: ['other'] } },
      networks: { other: { external: true, name: 'not-there' } },
    });
    expectError(await stack.stack(['up', '-d']), 1, /not-there/);
    stack.define({
      services: { web: { ...idle, volumes: ['v:/v'] } },
      volumes: { v: { external: true, name: 'not-there' } },
    });
    expectError(await stack.stack(['up', '-d']), 1, /not-there/);
  });

  test('a failure leaves what ran before as it was', async () => {
    const stack = world.project('before', { services: { fine: idle } });
    await stack.ok(['up', '-d']);
    const [before] = await list(stack);
    stack.define({ services: { fine: idle, bad: { ...idle, init: false, command: ['no-such-command'] } } });
    expectError(await stack.stack(['up', '-d']), 1, /bad/);
    expect((await list(stack)).find(({ Service }) => Service === 'fine')).toMatchObject({
      ID: before!.ID,
      State: 'running',
    });
  });
});

describe('the machine', () => {
  test('no root rights', async () => {
    const stack = world.project('rights', { services: { web: idle } });
    await world.host.read(`chmod 755 ${world.host.folder}`);
    const done = await world.host.sh(
      `setpriv --reuid=65534 --regid=65534 --clear-groups -- ${repository}/bin/stack up -d`,
      { cwd: stack.folder },
    );
    expectError(done, 1, /root/i);
  });

  test('a limit where no cgroups are mounted', async () => {
    const stack = world.project('no-cgroups', { services: { web: { ...idle, mem_limit: '64m' } } });
    const script = `unshare -m sh -c 'umount -R /sys/fs/cgroup; exec ${repository}/bin/stack up -d'`;
    expectError(await world.host.sh(script, { cwd: stack.folder }), 1, /cgroup/i, /web|memory/);
    expect(await world.host.leaks({ volumes: false })).toEqual([]);
  });

  test('a state folder on a file system that cannot carry containers', async () => {
    const stack = world.project('no-overlay', { services: { web: idle } });
    const script = `mount -t tmpfs none /mnt && mkdir /mnt/lower /mnt/upper /mnt/work /mnt/root &&
      mount -t overlay overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root &&
      STACK_ROOT=/mnt/root ${repository}/bin/stack up -d`;
    const done = await world.host.sh(`unshare -m sh -c '${script}'`, { cwd: stack.folder });
    expectError(done, 1, /overlay/i);
    expect(await world.host.leaks()).toEqual([]);
  });

  test('a settings file with a mistake', async () => {
    const stack = world.project('settings', { services: { web: idle } });
    const file = stack.write('settings.yaml', 'registres: {}\n');
    expectError(
      await stack.stack(['up', '-d'], { env: { STACK_SETTINGS: file } }),
      1,
      /registres/,
      /registries/,
      /settings\.yaml:1/,
    );
  });

  test('a disk that is full', async () => {
    const stack = world.project('full', { services: { web: { image: 'postgres:15', command: ['true'] } } });
    const script = `mkdir -p /mnt && mount -t tmpfs -o size=30m full /mnt && STACK_ROOT=/mnt/root exec ${repository}/bin/stack up -d`;
    const done = await world.host.sh(`unshare -m sh -c '${script}'`, { cwd: stack.folder });
    expectError(done, 1, /space|disk/i);
    expect(await world.host.leaks()).toEqual([]);
  });
});
