/** run and exec: exit codes, streams, terminals, descriptors, users, and how their callers are told. */
import { closeSync, openSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Bundle, content, inBundle, until } from './bundle.ts';
import { receiver } from './receiver.ts';

test.each([
  ['exit 7', 7],
  ['exit 0', 0],
  ['kill -9 $$; sleep 9', 137],
  // pid 1 ignores what it has no handler for: a child dies of it.
  ["sh -c 'kill -15 $$; sleep 9'; exit $?", 143],
])('run %j exits with %i', (script, code) =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.process.args = ['sh', '-c', script.replace('kill -9 $$', 'sh -c "kill -9 \\$\\$"; exit $?')];
    });
    expect((await bundle.call(['run', bundle.id])).code).toBe(code);
  }),
);

test('run of a container killed from outside exits with 128 + signal; signals of the caller reach it', () =>
  inBundle(async (bundle) => {
    bundle.write();
    const killed = bundle.launch(['run', bundle.id]);
    await until('it runs', async () => (await bundle.call(['state', bundle.id])).stdout.includes('"running"'));
    await bundle.must(['kill', bundle.id, 'KILL']);
    expect((await killed.ended).code).toBe(137);
    bundle.write((spec) => {
      spec.process.args = ['sh', '-c', 'trap "exit 9" TERM; touch /ready; while :; do sleep 0.01; done'];
    });
    const told = bundle.launch(['run', bundle.id]);
    await until('it is ready', () => bundle.has('bundle/rootfs/ready'));
    told.child.kill('SIGTERM');
    expect((await told.ended).code).toBe(9);
  }));

test('run: streams are the caller’s; --keep leaves it stopped; --detach leaves it running', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.process.args = ['sh', '-c', 'cat; echo error >&2; exit 3'];
    });
    const outcome = await bundle.call(['run', '--keep', bundle.id], { input: 'word\n' });
    expect(outcome).toEqual({ code: 3, stdout: 'word\n', stderr: 'error\n' });
    expect((await bundle.state()).status).toBe('stopped');
    await bundle.must(['delete', bundle.id]);
    bundle.write();
    await bundle.must(['run', '-d', '--pid-file', bundle.file('pid'), bundle.id]);
    expect(await bundle.state()).toMatchObject({ status: 'running', pid: Number(bundle.read('pid')) });
    await bundle.destroy();
  }));

async function running(bundle: Bundle): Promise<void> {
  await bundle.must(['run', '--detach', bundle.id]);
}

const exec = (bundle: Bundle, ...words: string[]) => bundle.must(['exec', ...words]);

test('exec: exit codes, streams, directory, environment, user, groups', () =>
  inBundle(async (bundle) => {
    await running(bundle);
    const { id } = bundle;
    const code = async (...words: string[]) => (await bundle.call(['exec', id, ...words])).code;
    expect(await code('sh', '-c', 'exit 7')).toBe(7);
    expect(await code('sh', '-c', 'kill -9 $$')).toBe(137);
    expect(await code('sh', '-c', 'kill -15 $$')).toBe(143);
    expect(await bundle.refused(['exec', id, 'none'])).toContain('not found');
    expect(await bundle.call(['exec', id, 'sh', '-c', 'cat; echo e >&2'], { input: 'in' })).toEqual({
      code: 0,
      stdout: 'in',
      stderr: 'e\n',
    });
    expect(await exec(bundle, '--cwd', '/tmp', id, 'pwd')).toBe('/tmp\n');
    expect(await exec(bundle, '-e', 'A=1', '--env', 'B=x=y', id, 'sh', '-c', 'echo $A $B $PATH')).toBe('1 x=y /bin\n');
    // getenv(3) takes the first of two: what is given replaces what the container has, and the earlier of itself.
    const given = ['-e', 'PATH=/none', '-e', 'PATH=/usr/bin', '-e', 'A=1'];
    expect(await exec(bundle, ...given, id, '/bin/cat', '/proc/self/environ')).toMatch(/^PATH=\/usr\/bin\0A=1\0/);
    expect(await exec(bundle, ...given, id, '/bin/cat', '/proc/self/environ')).not.toMatch(/PATH=(\/bin|\/none)/);
    expect(await exec(bundle, '-u', '5:6', '-g', '7', '-g', '8', id, 'sh', '-c', 'id -u; id -g; id -G')).toBe(
      '5\n6\n6 7 8\n',
    );
    expect(await exec(bundle, '--user', '5', id, 'sh', '-c', 'id -u; id -g')).toBe('5\n0\n');
    // Options behind the id are the command's.
    expect(await exec(bundle, id, 'echo', '-e', '--cwd', 'x')).toBe('--cwd x\n');
    for (const outside of ['../x', 'x/..', '/../x']) {
      expect(await bundle.refused(['exec', `--cgroup=${outside}`, id, 'true'])).toContain('not allowed');
    }
    expect(await bundle.refused(['exec', '--cwd', '/none/x/y', '--user', '5', id, 'none'])).toMatch(/chdir|not found/);
    await bundle.destroy();
  }));

test('exec: capabilities, no_new_privs, a process of a file', () =>
  inBundle(async (bundle) => {
    await running(bundle);
    const { id } = bundle;
    const status = ['grep', '-E', '^(CapEff|CapBnd|NoNewPrivs):', '/proc/self/status'];
    const plain = await exec(bundle, id, ...status);
    const more = await exec(bundle, '--cap', 'CAP_SYS_PTRACE', '--cap', 'net_raw', id, ...status);
    const bits = (text: string, name: string) => BigInt(`0x${new RegExp(`${name}:\\s+(\\w+)`).exec(text)![1]}`);
    const added = (1n << 19n) | (1n << 13n);
    expect(bits(more, 'CapEff')).toBe(bits(plain, 'CapEff') | added);
    expect(bits(more, 'CapBnd')).toBe(bits(plain, 'CapBnd') | added);
    expect(bits(plain, 'CapEff') & added).toBe(0n);
    expect(
      [plain, await exec(bundle, '--no-new-privs', id, ...status)].map((text) => bits(text, 'NoNewPrivs')),
    ).toEqual([0n, 1n]);
    const process = {
      args: ['sh', '-c', 'echo $X; umask; id -u'],
      cwd: '/',
      env: ['X=file', 'PATH=/bin'],
      user: { uid: 3, gid: 3, umask: 0o27 },
    };
    expect(await exec(bundle, '--process', bundle.file('process', JSON.stringify(process)), id)).toBe(
      'file\n0027\n3\n',
    );
    expect(await bundle.refused(['exec', '-p', bundle.file('bad', '{"cwd":"x"}'), id])).toContain('cwd');
    expect(await bundle.refused(['exec', id])).toContain('needs a command');
    await bundle.destroy();
  }));

test('exec --detach: the process goes on, its pid is told, its cgroups are the container’s', () =>
  inBundle(async (bundle) => {
    await running(bundle);
    await exec(bundle, '--detach', '--pid-file', bundle.file('pid'), bundle.id, 'sleep', '1001');
    const pid = Number(bundle.read('pid'));
    expect(bundle.proc(pid, 'cmdline')).toBe('sleep\x001001\x00');
    expect(bundle.proc(pid, 'cgroup')).toBe(bundle.proc((await bundle.state()).pid, 'cgroup'));
    expect(JSON.parse(await bundle.must(['ps', '--format', 'json', bundle.id]))).toContain(pid);
    await bundle.destroy();
    expect(await bundle.remains()).toEqual([]);
  }));

test('exec into a container that is created', () =>
  inBundle(async (bundle) => {
    await bundle.create();
    expect(await exec(bundle, bundle.id, 'hostname')).toBe('box\n');
    await bundle.destroy();
  }));

test('descriptors: --preserve-fds, LISTEN_FDS, and none else', () =>
  inBundle(async (bundle) => {
    const fds = ['a', 'b', 'c'].map((name) => openSync(bundle.file(name, `of ${name}\n`), 'r'));
    try {
      const script = 'ls /proc/self/fd | wc -l; cat <&3; cat <&4; echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES';
      const env = { ...process.env, LISTEN_FDS: '1', LISTEN_FDNAMES: 'web' };
      // ls has one of its own.
      const both = '6\nof a\nof b\n1 1 web';
      expect(await bundle.sees(script, undefined, { fds: fds.slice(0, 2), env: { ...env } })).toContain('of a');
      for (const fd of fds) closeSync(fd);
      fds.splice(0, 3, ...['a', 'b', 'c'].map((name) => openSync(bundle.file(name), 'r')));
      bundle.write((spec) => {
        spec.process.args = ['sh', '-c', script];
      });
      expect(await bundle.must(['run', '--preserve-fds', '1', bundle.id], { fds, env })).toBe(`${both}\n`);
      bundle.write();
      await running(bundle);
      fds.push(openSync(bundle.file('a'), 'r'));
      expect(
        await bundle.must(['exec', '--preserve-fds', '1', bundle.id, 'cat', '/proc/self/fd/3'], { fds: fds.slice(3) }),
      ).toBe('of a\n');
      expect(await bundle.must(['exec', bundle.id, 'ls', '/proc/self/fd'], { fds })).toBe('0\n1\n2\n3\n');
      // Numbers that are not open stay free: none of the runtime's own comes to stand there.
      const many = await bundle.must(['exec', '--preserve-fds', '40', bundle.id, 'ls', '/proc/self/fd'], { fds: [] });
      expect(many).toBe('0\n1\n2\n3\n');
      await bundle.destroy();
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  }));

test('--console-socket takes the terminal of a container and of an exec', () =>
  inBundle(async (bundle) => {
    const talk = 'stty size; tty; echo to $(head -n 1)';
    bundle.write((spec) => {
      spec.process.terminal = true;
      spec.process.consoleSize = { height: 33, width: 77 };
      spec.process.args = ['sh', '-c', `${talk}; exec sleep 1000`];
    });
    const socket = bundle.file('console');
    const first = await receiver(bundle, 'terminal', socket);
    await bundle.create('--console-socket', socket);
    await bundle.start();
    const said = await first.ended;
    expect(said.message).toBe('/dev/ptmx');
    expect(said.text).toMatch(/33 77\s+\/dev\/(pts\/0|console)\s+/);
    expect(said.text).toContain('to you');
    const second = await receiver(bundle, 'terminal', `${socket}2`);
    await exec(bundle, '--tty', '--detach', '--console-socket', `${socket}2`, bundle.id, 'sh', '-c', talk);
    expect((await second.ended).text).toContain('to you');
    await bundle.destroy();
  }));

test('a terminal and nobody to take it, and the other way round, are refused', () =>
  inBundle(async (bundle) => {
    expect(await bundle.refused(['create', '--console-socket', '/none/x', bundle.id])).toContain('terminal is false');
    bundle.write((spec) => {
      spec.process.terminal = true;
    });
    for (const words of [['create'], ['run', '--detach']]) {
      expect(await bundle.refused([...words, bundle.id])).toContain('terminal');
      expect(await bundle.refused([...words, '--console-socket', '/none/x', bundle.id])).toContain('/none/x');
      expect(await bundle.remains()).toEqual([]);
    }
    expect(await bundle.refused(['create', '--console-socket', bundle.file('plain', ''), bundle.id])).toContain(
      'plain',
    );
    expect(await bundle.remains()).toEqual([]);
  }));

test('the terminal of a foreground run is the caller’s', () =>
  inBundle(async (bundle) => {
    const seen = await bundle.sees(
      'tty; ls -l /proc/self/fd/0',
      (spec) => {
        spec.process.terminal = true;
      },
      { input: '' },
    );
    expect(seen).toMatch(/\/dev\/(pts\/0|console)/);
  }));

test('what was printed before the end is all there', () =>
  inBundle(async (bundle) => {
    expect(
      (await bundle.sees('i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done')).split('\n'),
    ).toHaveLength(2000);
    await content(bundle.file('call-1.out'));
  }));
