/** exec: what a further process is in and what it is told with: root, cgroups, processors, terminal, pid file, exit codes. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Bundle, inBundle, program, until } from './bundle.ts';
import { cgroupsNamed } from './remains.ts';

const running = (bundle: Bundle) => bundle.must(['run', '--detach', bundle.id]);
const exec = (bundle: Bundle, ...words: string[]) => bundle.must(['exec', ...words]);

test('a container without a mount namespace: its root, and none of the host', () =>
  inBundle(async (bundle) => {
    bundle.write((spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'mount');
    });
    bundle.file('bundle/rootfs/mark', 'inside');
    await running(bundle);
    expect(await exec(bundle, bundle.id, 'sh', '-c', 'cat /mark; pwd')).toBe('inside/\n');
    expect(await exec(bundle, '--cwd', '/tmp', bundle.id, 'pwd')).toBe('/tmp\n');
    expect(await exec(bundle, bundle.id, 'ls', '/')).not.toMatch(/root|usr/);
    await bundle.destroy();
  }));

test('a pid file that cannot be written: the process does not go on', () =>
  inBundle(async (bundle) => {
    await running(bundle);
    mkdirSync(bundle.file('directory'));
    for (const file of [bundle.file('none/pid'), bundle.file('directory')]) {
      for (const how of [['--detach'], []]) {
        const said = await bundle.refused(['exec', ...how, '--pid-file', file, bundle.id, 'sleep', '1003']);
        expect(said).toMatch(/ENOENT|EISDIR/);
      }
    }
    await until('nothing is left of them', async () => !(await bundle.must(['ps', bundle.id])).includes('sleep 1003'));
    await bundle.destroy();
  }));

test('exit codes: 126 and 127 where the command cannot be executed, 128 + signal', () =>
  inBundle(async (bundle) => {
    bundle.file('bundle/rootfs/plain', '');
    await running(bundle);
    const { id } = bundle;
    const code = async (...words: string[]) => (await bundle.call(['exec', id, ...words])).code;
    expect(await code('none-such')).toBe(127);
    expect(await code('/none/such')).toBe(127);
    expect(await code('/tmp')).toBe(126);
    expect(await code('sh', '-c', 'kill -TERM $$')).toBe(143);
    expect(await code('sh', '-c', 'kill -KILL $$')).toBe(137);
    expect(await code('sh', '-c', 'exit 126')).toBe(126);
    expect((await bundle.call(['exec', '--detach', id, 'none-such'])).code).toBe(127);
    expect((await bundle.call(['exec', 'none-such-container', 'true'])).code).toBe(1);
    await bundle.destroy();
  }));

const several = availableParallelism() > 1;
test.skipIf(!several)(
  `execCPUAffinity, asked of sched_getaffinity(2) inside${several ? '' : ' (skipped: one processor)'}`,
  () =>
    inBundle(async (bundle) => {
      const mask = async (...words: string[]) =>
        Number(`0x${/([0-9a-f]+)\n$/.exec(await exec(bundle, ...words, bundle.id, 'sh', '-c', 'taskset -p $$'))![1]}`);
      const process = (execCPUAffinity: object) =>
        bundle.file(
          'process',
          JSON.stringify({ args: ['sh', '-c', 'taskset -p $$'], cwd: '/', env: ['PATH=/bin'], execCPUAffinity }),
        );
      const of = async (affinity: object) =>
        Number(`0x${/([0-9a-f]+)\n$/.exec(await exec(bundle, '--process', process(affinity), bundle.id))![1]}`);
      bundle.write((spec) => {
        spec.process.execCPUAffinity = { initial: '1' };
        spec.process.args = ['sh', '-c', 'taskset -p $$ > /first; exec sleep 1000'];
      });
      await running(bundle);
      // It is not for the container's first process (runtime-spec config.md).
      const first = await until(
        'it has said',
        () => bundle.has('bundle/rootfs/first') && bundle.read('bundle/rootfs/first'),
      );
      expect(Number(`0x${/([0-9a-f]+)\n$/.exec(first)![1]}`) & 1).toBe(1);
      expect(await mask()).toBe(2);
      expect(await of({ initial: '0' })).toBe(1);
      expect(await of({ initial: '0', final: '1' })).toBe(2);
      expect(await of({ final: '0-1' })).toBe(3);
      await bundle.destroy();
    }),
);

/** Directories of the container, and one more below each. */
function below(bundle: Bundle, name: string): string[] {
  const made = cgroupsNamed(bundle.id).map((path) => join(path, name));
  for (const path of made) {
    mkdirSync(path);
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const value = bundle.text(join(path, '..', file));
      if (existsSync(join(path, file)) && value) writeFileSync(join(path, file), value);
    }
  }
  return made;
}

test('--cgroup: a cgroup below the container’s, in all hierarchies or in those of a controller', () =>
  inBundle(async (bundle) => {
    await running(bundle);
    const { id } = bundle;
    const own = bundle.proc((await bundle.state()).pid, 'cgroup');
    const made = below(bundle, 'sub');
    expect(made.length).toBeGreaterThan(0);
    const seen = (...words: string[]) =>
      exec(bundle, ...words.flatMap((word) => ['--cgroup', word]), id, 'cat', '/proc/self/cgroup');
    const everywhere = own.replaceAll(new RegExp(`/${id}$`, 'gm'), `/${id}/sub`);
    for (const form of ['sub', '/sub']) expect(await seen(form)).toBe(everywhere);
    expect(await bundle.refused(['exec', '--cgroup', 'none', id, 'true'])).toContain('none');
    expect(await bundle.refused(['exec', '--cgroup', '../..', id, 'true'])).toContain('not below');
    expect(await bundle.refused(['exec', '--cgroup', 'bogus:sub', id, 'true'])).toContain('bogus');
    const isV1 = existsSync('/sys/fs/cgroup/memory');
    if (isV1) {
      const some = own.replaceAll(new RegExp(`^(\\d+:(memory|cpu):.*/${id})$`, 'gm'), '$1/sub');
      expect(some).not.toBe(own);
      expect(await seen('cpu,memory:sub')).toBe(some);
      expect(await seen('cpu:sub', 'memory:/sub')).toBe(some);
      expect(await bundle.refused(['exec', '--cgroup', 'cpu:sub', '--cgroup', 'cpu:', id, 'true'])).toContain('twice');
      expect(await bundle.refused(['exec', '--cgroup', 'cpu:../x', id, 'true'])).toContain('not below');
    } else {
      console.log('skipped: controller:path is of cgroup v1, which this machine has not');
    }
    for (const path of made) if (readdirSync(join(path, '..')).includes('sub')) rmdirSync(path);
    await bundle.destroy();
  }));

/** The command at a terminal of its own, in Python: says what it shows, and sets its size when told to on stdin. */
const atTerminal = `
import fcntl, os, pty, select, struct, sys, termios
def size(rows, columns): fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
pid, terminal = pty.fork()
if pid == 0:
    # Not before the terminal has its first size.
    sys.stdin.readline()
    os.execvp(sys.argv[1], sys.argv[1:])
size(30, 70)
os.write(terminal, b'go\\n')
while True:
    ready, _, _ = select.select([0, terminal], [], [])
    if terminal in ready:
        try: part = os.read(terminal, 4096)
        except OSError: break
        os.write(1, part)
    if 0 in ready:
        line = os.read(0, 64).split()
        if len(line) == 2: size(int(line[0]), int(line[1]))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

test.each(['run', 'exec'])('%s in the foreground: the size of the caller’s terminal, and each later one', (command) =>
  inBundle(async (bundle) => {
    const script =
      'trap "stty size" WINCH; stty size; n=0; while [ $n -lt 2000 ] && ! [ -e /over ]; do sleep 0.02; n=$((n+1)); done; exit 5';
    if (command === 'exec') await running(bundle);
    else
      bundle.write((spec) => {
        spec.process.terminal = true;
        spec.process.args = ['sh', '-c', script];
      });
    const words = command === 'exec' ? ['exec', '--tty', bundle.id, 'sh', '-c', script] : ['run', bundle.id];
    const fixture = bundle.file('at-terminal.py', atTerminal);
    const child = spawn('python3', [fixture, program, '--root', bundle.root, ...words], {
      cwd: bundle.path,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    try {
      await until('its first size', () => said.includes('30 70'));
      child.stdin.write('41 123\n');
      await until('its second size', () => said.includes('41 123'));
      child.stdin.write('7 19\n');
      await until('its third size', () => said.includes('7 19'));
      bundle.file('bundle/rootfs/over', '');
      expect(await ended).toBe(5);
    } finally {
      child.kill('SIGKILL');
    }
    await bundle.destroy();
  }),
);
