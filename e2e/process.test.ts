/** What a process finds in its container: rights, limits, files of the kernel, identity. */
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { repository, until } from './harness/harness.ts';
import { idle, listed, scenario, shell } from './harness/scenario.ts';

const world = scenario();
let count = 0;

/** Output of a script in a one-off container of a service with these attributes. */
async function inside(script: string, more: object = {}): Promise<string> {
  const stack = world.project(`process-${++count}`, { services: { one: { ...idle, ...more } } });
  return (await stack.ok(['run', '--rm', '-T', 'one', 'sh', '-c', script])).trimEnd();
}

/** Capability names by bit (linux/capability.h). */
const bit = {
  chown: 0,
  kill: 5,
  netBindService: 10,
  netAdmin: 12,
  netRaw: 13,
  sysChroot: 18,
  sysAdmin: 21,
  sysTime: 25,
};
const has = (mask: string, which: keyof typeof bit) => ((BigInt(`0x${mask}`) >> BigInt(bit[which])) & 1n) === 1n;

describe('rights', () => {
  test("no other user of the host reaches a container's files: secrets, or programs it made set-user-id", async () => {
    const service = shell(
      'cp /bin/busybox /data/su; cp /bin/busybox /su; chmod 4755 /su /data/su; exec sleep 1000000',
      {
        environment: { PASSWORD: 'hunter2' },
        volumes: ['data:/data'],
      },
    );
    const stack = world.project('closed', { services: { one: service }, volumes: { data: {} } });
    await stack.ok(['up', '-d']);
    const { folder, root } = world.host;
    const reached = `find ${root}/stacks ${root}/volumes/closed_data/_data \\( -perm -4000 -o -name config.json -o -name program \\) -print`;
    await until('both are made', async () => (await world.host.read(reached)).split('/su').length === 3);
    expect(await world.host.read(`chmod 711 ${folder}; setpriv --reuid 65534 --clear-groups ${reached}; true`)).toBe(
      '',
    );
  });

  test("docker's capabilities by default, more and fewer where asked", async () => {
    const masks = 'grep -E "Cap(Prm|Eff|Bnd)" /proc/self/status | tr -s "[:space:]" " "; echo';
    const effective = (text: string) => /CapEff: (\w+)/.exec(text)![1]!;
    const standard = effective(await inside(masks));
    expect(standard).toBe('00000000a80425fb');
    const changed = effective(await inside(masks, { cap_add: ['NET_ADMIN', 'CAP_SYS_TIME'], cap_drop: ['CHOWN'] }));
    expect([has(changed, 'netAdmin'), has(changed, 'sysTime'), has(changed, 'chown')]).toEqual([true, true, false]);
    expect(effective(await inside(masks, { cap_drop: ['ALL'] }))).toBe('0000000000000000');
    const user = await inside(masks, { user: '1000' });
    expect(effective(user)).toBe('0000000000000000');
    expect(/CapBnd: (\w+)/.exec(user)![1]).toBe('00000000a80425fb');
  });

  test('a mask for the files of whoever calls is not the container’s', async () => {
    const stack = world.project('masked', {
      services: { one: { ...shell('cat /etc/resolv.conf; ls /data; umask'), user: '1000', volumes: ['data:/data'] } },
      volumes: { data: {} },
    });
    const command = `umask 077; cd ${stack.folder}; ${repository}/bin/stack run --rm -T one 2>&1; ls -ld ${world.host.root}/layers/*/fs`;
    const said = await world.host.read(command);
    expect(said).toContain('nameserver');
    expect(said).toContain('0022');
    expect(said).not.toMatch(/denied|drwx------/);
  });

  test('a seccomp filter is in force, and refuses what only the host may do', async () => {
    const status = await inside(
      'grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status | tr -d "\\t"; unshare -U true 2>&1; mount -t tmpfs none /mnt 2>&1; true',
    );
    expect(status).toContain('Seccomp:2');
    expect(status).toContain('NoNewPrivs:0');
    expect(status).toMatch(/unshare.*not permitted/i);
    const open = await inside('grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status | tr -d "\\t"', {
      security_opt: ['seccomp=unconfined', 'no-new-privileges:true'],
    });
    expect(open).toContain('Seccomp:0');
    expect(open).toContain('NoNewPrivs:1');
  });

  test('files of the kernel that tell or change the host are masked or read-only', async () => {
    expect(
      await inside(
        'cat /proc/kcore | head -c 1 | wc -c; cat /proc/timer_list 2>/dev/null | wc -c; ls /sys/firmware | wc -l',
      ),
    ).toBe('0\n0\n0');
    expect(await inside('echo 1 > /proc/sys/kernel/sysrq; echo b > /proc/sysrq-trigger; touch /sys/x; true 2>&1')).toBe(
      '',
    );
    expect(await inside('(echo 1 > /proc/sys/kernel/panic) 2>&1; true')).toMatch(/read-only/i);
    expect(await inside('(mkdir /sys/fs/cgroup/mine) 2>&1; true')).toMatch(/read-only|not permitted|denied/i);
  });

  test('only the devices every program needs are there', async () => {
    const devices = await inside('ls /dev');
    const expected = 'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero';
    expect(devices.split('\n').filter((name) => !['console', 'core'].includes(name))).toEqual(expected.split(' '));
    const nodes = 'mknod /tmp/disk b 254 0 && (head -c 1 /tmp/disk 2>&1; true)';
    expect(await inside(nodes)).toMatch(/not permitted/i);
  });
});

describe('identity', () => {
  test('user and groups come from the files of the image', async () => {
    const ids = 'id -u; id -g; id -G';
    expect(await inside(ids, { user: 'operator' })).toBe('37\n37\n37 4');
    expect(await inside(ids, { user: '1000' })).toBe('1000\n0\n0');
    expect(await inside(ids, { user: '1000:33' })).toBe('1000\n33\n33');
    expect(await inside(ids, { user: 'nobody:daemon' })).toBe('65534\n1\n1');
    expect(await inside('id -G', { user: 'operator', group_add: ['www-data', '4242'] })).toBe('37 4 33 4242');
    expect(await inside('echo $HOME; pwd', { user: 'operator' })).toBe('/var\n/');
  });

  test('environment, directory, host name and labels are those of the file', async () => {
    const attributes = {
      environment: { A: '1', EMPTY: '', DOLLAR: 'a$$b' },
      working_dir: '/made/for/it',
      hostname: 'called',
      domainname: 'example.test',
    };
    expect(await inside('echo "$A-$EMPTY-$DOLLAR"; pwd; hostname; cat /proc/sys/kernel/domainname', attributes)).toBe(
      '1--a$b\n/made/for/it\ncalled\nexample.test',
    );
    expect(await inside('cat /etc/hosts', attributes)).toMatch(/^\d+\.\d+\.\d+\.\d+\s+called\.example\.test called$/m);
    expect(await inside('cat /etc/hostname', attributes)).toBe('called');
  });

  test('entrypoint and command follow the rules of images', async () => {
    const stack = world.project('words', {
      services: {
        both: { image: 'busybox:1', entrypoint: ['echo', 'entry'], command: ['command'] },
        text: { image: 'busybox:1', entrypoint: 'echo "one two" three' },
        none: { image: 'busybox:1', entrypoint: [], command: ['echo', 'plain'] },
      },
    });
    const run = async (...args: string[]) => stack.ok(['run', '--rm', '-T', ...args]);
    expect(await run('both')).toBe('entry command\n');
    expect(await run('both', 'other')).toBe('entry other\n');
    expect(await run('text')).toBe('one two three\n');
    expect(await run('none')).toBe('plain\n');
  });
});

describe('limits', () => {
  test('memory, processors and pids are limited', async () => {
    const v2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
    const limits = { mem_limit: '64m', cpus: 0.5, pids_limit: 42 };
    const read = v2
      ? 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max'
      : 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us /sys/fs/cgroup/pids/pids.max | tr "\\n" " "';
    expect((await inside(read, limits)).trim()).toBe(v2 ? '67108864\n50000 100000\n42' : '67108864 50000 100000 42');
    const deploy = { resources: { limits: { memory: '64M', cpus: '0.5', pids: 42 } } };
    expect((await inside(read, { deploy })).trim()).toBe(
      v2 ? '67108864\n50000 100000\n42' : '67108864 50000 100000 42',
    );
  });

  test('a process that takes more memory than it may is killed, and the container says 137', async () => {
    const stack = world.project('hungry', {
      services: { one: shell('exec tail /dev/zero', { mem_limit: '32m', memswap_limit: '32m' }) },
    });
    await stack.ok(['up', '-d']);
    await until('it is killed', async () => (await listed(stack, 'one')).State === 'exited', 60_000);
    expect((await listed(stack, 'one')).ExitCode).toBe(137);
  });

  test('a fork bomb stays below its limit', async () => {
    const script = 'for i in $(seq 60); do sleep 5 & done; echo survived';
    const stack = world.project('forks', { services: { one: { ...idle, init: false, pids_limit: 20 } } });
    const done = await stack.stack(['run', '--rm', '-T', 'one', 'sh', '-c', script]);
    expect(done.stdout).toBe('');
    expect(done.stderr).toMatch(/can't fork/);
    expect(done.code).not.toBe(0);
  });

  test('rlimits, sysctls and the size of /dev/shm are set', async () => {
    const attributes = {
      ulimits: { nofile: { soft: 1000, hard: 2000 }, nproc: 500 },
      sysctls: { 'net.ipv4.ip_unprivileged_port_start': '1', 'kernel.msgmax': 16384 },
      shm_size: '8m',
    };
    const script =
      'ulimit -n; ulimit -Hn; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax; df -k /dev/shm | tail -1 | tr -s " " | cut -d " " -f 2';
    expect(await inside(script, attributes)).toBe('1000\n2000\n1\n16384\n8192');
  });
});

describe('processes', () => {
  test('the command is process 1, and with `init: true` an init that reaps orphans is', async () => {
    const stack = world.project('ones', { services: { own: { ...idle, init: false }, init: idle } });
    await stack.ok(['up', '-d']);
    const first = (service: string) => stack.ok(['exec', '-T', service, 'sh', '-c', 'tr "\\0" " " < /proc/1/cmdline']);
    expect(await first('own')).toBe('sleep 1000000 ');
    expect(await first('init')).not.toBe('sleep 1000000 ');
    await stack.ok(['exec', '-T', 'init', 'sh', '-c', '(sleep 0.1 & exec true) ; (sh -c "sleep 0.1 & exit 0")']);
    await until(
      'orphans are reaped',
      async () =>
        !(await stack.ok(['exec', '-T', 'init', 'sh', '-c', 'grep -h ^State /proc/[0-9]*/status; true'])).includes(
          'zombie',
        ),
    );
  });

  test('a container sees its own processes and none of the host', async () => {
    expect(await inside('ls -d /proc/[0-9]* | wc -l')).toMatch(/^[1-6]$/);
  });

  test('a terminal is there with `tty: true`, plain streams without', async () => {
    const stack = world.project('consoles', {
      services: { with: shell('tty; test -t 1 && echo yes', { tty: true }), without: shell('test -t 1 || echo no') },
    });
    await stack.ok(['up', '-d']);
    await until(
      'both ended',
      async () => (await stack.ok(['ps', '-a', '--format', 'json'])).match(/exited/g)?.length === 2,
    );
    expect((await stack.ok(['logs', '--no-log-prefix', 'with'])).replaceAll('\r', '')).toMatch(/^\/dev\/\S+\nyes\n$/);
    expect(await stack.ok(['logs', '--no-log-prefix', 'without'])).toBe('no\n');
  });

  test('exit codes of the main process are kept: 0 to 255, 128 + signal', async () => {
    const services = Object.fromEntries(
      [0, 1, 77, 126, 127, 128, 200, 255].map((code) => [`code-${code}`, shell(`exit ${code}`)]),
    );
    const stack = world.project('codes', {
      services: { ...services, 'code-139': shell('kill -SEGV $$; sleep 1', { init: true }) },
    });
    await stack.ok(['up', '-d']);
    await until(
      'all ended',
      async () => (await stack.ok(['ps', '-a', '--format', 'json'])).match(/"exited"/g)?.length === 9,
    );
    for (const name of Object.keys(services)) expect(`code-${(await listed(stack, name)).ExitCode}`).toBe(name);
    expect((await listed(stack, 'code-139')).ExitCode).toBe(139);
  });

  test('modes without a network of their own: none, host, that of another service', async () => {
    const stack = world.project('modes', {
      services: {
        none: { ...idle, network_mode: 'none' },
        host: { ...idle, network_mode: 'host' },
        web: shell('mkdir /www; echo shared > /www/index.html; exec httpd -f -p 127.0.0.1:80 -h /www', { init: true }),
        friend: { ...idle, network_mode: 'service:web' },
      },
    });
    await stack.ok(['up', '-d']);
    const links = (service: string) =>
      stack.ok(['exec', '-T', service, 'sh', '-c', 'ls /sys/class/net | tr "\\n" " "; ip -o link | wc -l']);
    expect((await stack.ok(['exec', '-T', 'none', 'ip', '-o', 'link'])).trim().split('\n')).toHaveLength(1);
    expect(await stack.ok(['exec', '-T', 'host', 'ip', '-o', 'link'])).toContain('out0');
    expect(await links('web')).toBeTruthy();
    await until(
      'the friend reaches it over loopback',
      async () =>
        (await stack.stack(['exec', '-T', 'friend', 'wget', '-q', '-O', '-', 'http://127.0.0.1/'])).stdout ===
        'shared\n',
    );
  });
});
