/** Ways out of a container through its root file system, shut: each was a CVE of a runtime once. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../harness/process.ts';
import { Bundle, beside, Probe, type Spec } from './escape-bundle.ts';

const probe = new Probe();
beforeAll(() => probe.build());
afterAll(() => probe[Symbol.dispose]());

const without = (destination: string) => (spec: Spec) => {
  spec.mounts = spec.mounts.filter((mount) => mount.destination !== destination);
};
const replace = (bundle: Bundle, path: string, target: string) => {
  rmSync(bundle.inside(path), { recursive: true, force: true });
  symlinkSync(target, bundle.inside(path));
};

describe('mount targets that are symlinks (CVE-2019-16884, CVE-2019-19921, CVE-2021-30465, CVE-2023-27561)', () => {
  test.each([
    ['/proc', 'absolute', '/elsewhere'],
    ['/proc', 'relative', '../../../elsewhere'],
    ['/proc', 'below itself', 'bin/../tmp'],
    ['/sys', 'absolute', '/elsewhere'],
    ['/sys/fs/cgroup', 'absolute', '/elsewhere'],
  ])('%s as a symlink, %s: refused', async (path, _, target) => {
    await using bundle = new Bundle(probe);
    mkdirSync(bundle.inside('elsewhere'));
    mkdirSync(join(bundle.inside(path), '..'), { recursive: true });
    replace(bundle, path, target);
    const done = await bundle.ended(['true'], path.startsWith('/sys/') ? without('/sys') : undefined);
    expect(done.code).not.toBe(0);
    expect(done.stderr).toMatch(/a symbolic link is in the way/);
  });

  test('a bind mount through symlinks lands inside of the root, wherever they point', async () => {
    await using bundle = new Bundle(probe);
    const { outside } = bundle;
    symlinkSync(outside, bundle.inside('absolute'));
    symlinkSync(`../../../../../..${outside}`, bundle.inside('relative'));
    symlinkSync(`/proc/1/root${outside}`, bundle.inside('magic'));
    mkdirSync(bundle.inside(outside), { recursive: true });
    const source = join(bundle.folder, 'source');
    writeFileSync(source, 'given\n');
    const targets = ['/absolute/a', '/relative/b/c', '/relative/../d', `/../../..${outside}/e`];
    const done = await bundle.ended(['cat', ...targets], (spec) => {
      for (const destination of targets)
        spec.mounts.push({ destination, source, type: 'bind', options: ['bind', 'ro'] });
    });
    expect(done).toMatchObject({ code: 0, stdout: 'given\n'.repeat(targets.length) });
    expect(readdirSync(bundle.inside(outside)).sort()).toEqual(['a', 'b', 'e']);
    const magic = await bundle.ended(['true'], ({ mounts }) =>
      mounts.push({ destination: '/magic/f', source, type: 'bind', options: ['bind'] }),
    );
    expect(magic.code).not.toBe(0);
  });

  test('a directory that is swapped for a symlink while containers are made (CVE-2021-30465)', async () => {
    await using bundle = new Bundle(probe);
    const { outside } = bundle;
    const volume = join(bundle.folder, 'volume');
    mkdirSync(bundle.inside(outside), { recursive: true });
    mkdirSync(join(volume, 'real/below'), { recursive: true });
    symlinkSync(`../../../../../../../../..${outside}`, join(volume, 'trap'));
    const options = ['bind'];
    bundle.configure(['probe', 'descriptors'], ({ mounts }) => {
      mounts.push({ destination: '/volume', source: volume, type: 'bind', options });
      mounts.push({ destination: '/volume/real/below', type: 'tmpfs', source: 'tmpfs' });
      mounts.push({ destination: '/volume/real/made', source: bundle.rootfs, type: 'bind', options });
    });
    using racer = beside(['sh', '-c', `cd ${volume}; exec ${probe.file} exchange real trap 3`]);
    let isOver = false;
    void racer.ended.then(() => (isOver = true));
    let made = 0;
    for (let round = 0; round < 200 && !isOver; round++) {
      const done = await bundle.run();
      if (done.code === 0) made++;
      // What a mount in the host's own namespace would show, and what was created on the way.
      expect(bundle.leaks()).toEqual([]);
    }
    expect(Number(await racer.ended)).toBeGreaterThan(100);
    expect(made).toBeGreaterThan(3);
  });
});

describe('files of the kernel that an image or a volume covers', () => {
  test('masked files show the null device of the host, not what the image has at /dev/null (CVE-2025-31133)', async () => {
    await using bundle = new Bundle(probe);
    writeFileSync(bundle.inside('secret'), 'leaked\n');
    writeFileSync(bundle.inside('masked'), 'visible\n');
    symlinkSync('/secret', bundle.inside('dev/null'));
    const noDevices = ({ linux, mounts }: Spec) => {
      linux.maskedPaths = ['/masked', '/proc/keys'];
      const dev = mounts.find(({ destination }) => destination === '/dev')!;
      Object.assign(dev, { type: 'bind', source: bundle.inside('dev'), options: ['bind'] });
    };
    const done = await bundle.ended(
      ['sh', '-c', 'stat -c "%t:%T %F" /masked /proc/keys; cat /masked /proc/keys; readlink /dev/null'],
      (spec) => {
        noDevices(spec);
        for (const path of ['/dev/pts', '/dev/shm', '/dev/mqueue']) without(path)(spec);
      },
    );
    expect(done).toMatchObject({
      code: 0,
      stdout: '1:3 character special file\n1:3 character special file\n/secret\n',
    });
  });

  test.each([
    ['a symlink', (path: string) => symlinkSync('/secret', path)],
    ['a file', (path: string) => writeFileSync(path, '')],
  ])('/dev/null of the image is %s where devices are made: refused', async (_, make) => {
    await using bundle = new Bundle(probe);
    writeFileSync(bundle.inside('secret'), 'kept\n');
    make(bundle.inside('dev/null'));
    const done = await bundle.ended(['true'], without('/dev'));
    expect(done.code).not.toBe(0);
    expect(done.stderr).toMatch(/\/dev\/null.*EEXIST|EEXIST.*\/dev\/null/s);
    expect(readFileSync(bundle.inside('secret'), 'utf8')).toBe('kept\n');
  });

  test('/dev/console is no way to another file (CVE-2025-52565)', async () => {
    const withConsole = (spec: Spec) => {
      spec.process.terminal = true;
      without('/dev')(spec);
    };
    await using bundle = new Bundle(probe);
    writeFileSync(bundle.inside('secret'), 'kept\n');
    mkdirSync(bundle.inside('dev/pts'));
    symlinkSync('/secret', bundle.inside('dev/console'));
    bundle.configure(['sh', '-c', 'stat -c %F /secret'], withConsole);
    const linked = await onTerminal(bundle);
    expect(linked).toMatch(/dev\/console: a symbolic link is in the way/);
    rmSync(bundle.inside('dev/console'));
    writeFileSync(bundle.inside('dev/console'), 'of the image\n');
    const plain = await onTerminal(bundle);
    expect(plain).toContain('regular file');
    expect(readFileSync(bundle.inside('dev/console'), 'utf8')).toBe('of the image\n');
  });

  /** Decoys of what the runtime writes to below /proc, in a folder that the container may see as its /proc. */
  function decoys(bundle: Bundle): string {
    const folder = mkdtempSync(join(bundle.folder, 'decoy-'));
    for (const name of ['sys/net/ipv4', 'self/attr', 'thread-self/attr', '1/attr'])
      mkdirSync(join(folder, name), { recursive: true });
    for (const name of ['sys/net/ipv4/ip_forward', 'self/attr/exec', 'thread-self/attr/exec', 'self/oom_score_adj']) {
      writeFileSync(join(folder, name), 'decoy');
    }
    return folder;
  }
  const contents = async (folder: string) => (await run([], ['grep', '-rhv', '^decoy$', folder])).stdout;

  test('a decoy of /proc is not written to: sysctl, oom score, exec (CVE-2025-52881)', async () => {
    await using bundle = new Bundle(probe);
    const folder = decoys(bundle);
    const shadow = (spec: Spec) => {
      spec.mounts.push({ destination: '/proc', source: folder, type: 'bind', options: ['bind'] });
      spec.process.oomScoreAdj = 321;
    };
    const sysctl = await bundle.ended(['true'], (spec) => {
      shadow(spec);
      spec.linux.sysctl = { 'net.ipv4.ip_forward': '1' };
    });
    expect(sysctl.code).not.toBe(0);
    expect(sysctl.stderr).toMatch(/sysctl/);
    await bundle.started(['sleep', '1000'], shadow);
    const { pid } = JSON.parse((await bundle.runtime(['state', bundle.id])).stdout) as { pid: number };
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8')).toBe('321\n');
    expect(await bundle.exec(['cat', '/proc/self/oom_score_adj'])).toMatchObject({ code: 0, stdout: 'decoy' });
    expect(await contents(folder)).toBe('');
  });

  test.each([
    ['a link in a tmpfs', '/proc/sys/net/ipv4', 'tmpfs'],
    ['another file of procfs', '/proc/sys/net/ipv4/ip_forward', 'file'],
    ['another directory of procfs', '/proc/sys/net/ipv4', 'folder'],
  ])('a kernel parameter that is covered by %s is refused (CVE-2025-52881)', async (_, destination, kind) => {
    await using bundle = new Bundle(probe);
    const link = join(bundle.folder, 'link');
    mkdirSync(link);
    symlinkSync('/proc/sysrq-trigger', join(link, 'ip_forward'));
    // As harmless a parameter of the host as there is stands for those that are not.
    const harmless = '/proc/sys/kernel/printk_ratelimit_burst';
    const before = readFileSync(harmless, 'utf8');
    const source = { tmpfs: link, file: harmless, folder: '/proc/sys/kernel' }[kind]!;
    const name = kind === 'folder' ? 'printk_ratelimit_burst' : 'ip_forward';
    const done = await bundle.ended(['true'], ({ mounts, linux }) => {
      mounts.push({ destination, source, type: 'bind', options: ['bind'] });
      linux.sysctl = { [`net.ipv4.${name}`]: '11' };
    });
    const after = readFileSync(harmless, 'utf8');
    if (after !== before) writeFileSync(harmless, before);
    expect(after).toBe(before);
    expect(done.code).not.toBe(0);
    expect(done.stderr).toMatch(/sysctl/);
  });
});

async function onTerminal(bundle: Bundle): Promise<string> {
  const script = join(bundle.folder, 'console.py');
  writeFileSync(script, 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)');
  const done = await bundle.run(['python3', script]);
  return done.stdout + done.stderr;
}
