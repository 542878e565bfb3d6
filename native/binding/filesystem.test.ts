import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Fd } from '../../schemas/kernel.ts';
import { loadKernel } from '../index.ts';

const { filesystem: verbs } = loadKernel();
const isRoot = process.getuid?.() === 0;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_IN_ROOT = 0x10;
const O_PATH = 0o10000000;

let dir: string;
let root: Fd;
const open: Fd[] = [];
const opened = (fd: Fd): Fd => {
  open.push(fd);
  return fd;
};

beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'stack-verbs-'));
  root = opened(fs.openSync(dir, fs.constants.O_DIRECTORY));
});

afterEach(() => {
  for (const fd of open.splice(0)) fs.closeSync(fd);
  fs.rmSync(dir, { recursive: true, force: true });
});

test('names of more than one component are refused before the kernel sees them', () => {
  for (const name of ['..', '.', 'a/b', '/etc', '']) {
    expect(() => verbs.mkdirat(root, name, 0o755), name).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => verbs.unlinkat(root, name, false), name).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => verbs.linkat(root, 'x', root, name), name).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  }
  expect(() => verbs.fchownat(root, '../x', 0, 0)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
});

test('openat2 keeps a resolution inside its root', () => {
  fs.mkdirSync(join(dir, 'in'));
  fs.symlinkSync('/etc', join(dir, 'in/out'));
  const inner = opened(fs.openSync(join(dir, 'in'), fs.constants.O_DIRECTORY));
  const beneath = { flags: fs.constants.O_RDONLY, resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
  expect(() => verbs.openat2(inner, '../x', beneath)).toThrow(expect.objectContaining({ code: 'EXDEV' }));
  expect(() => verbs.openat2(inner, 'out/passwd', beneath)).toThrow(
    expect.objectContaining({ code: 'EXDEV', step: 'openat2', subject: 'out/passwd' }),
  );
  // In root mode `/etc` of the link means the root's own.
  expect(() => verbs.openat2(inner, 'out', { flags: O_PATH, resolve: RESOLVE_IN_ROOT })).toThrow(
    expect.objectContaining({ code: 'ENOENT' }),
  );
});

test('makes, links, renames, reads and removes entries', () => {
  verbs.mkdirat(root, 'd', 0o700);
  verbs.symlinkat('/nowhere', root, 'link');
  verbs.mknodat(root, 'pipe', fs.constants.S_IFIFO | 0o600, 0, 0);
  fs.writeFileSync(join(dir, 'file'), 'x');
  const d = opened(verbs.openat2(root, 'd', { flags: O_PATH | fs.constants.O_DIRECTORY }));
  verbs.linkat(root, 'file', d, 'hard');
  verbs.renameat(root, 'pipe', d, 'pipe');
  expect(verbs.readdir(root).sort()).toEqual(['d', 'file', 'link']);
  expect(verbs.readdir(d).sort()).toEqual(['hard', 'pipe']);
  expect(verbs.readdir(d)).toHaveLength(2);
  expect(verbs.readlinkat(root, 'link')).toBe('/nowhere');
  expect(fs.lstatSync(join(dir, 'd/hard')).nlink).toBe(2);
  verbs.unlinkat(d, 'hard', false);
  verbs.unlinkat(d, 'pipe', false);
  verbs.unlinkat(root, 'd', true);
  expect(verbs.readdir(root).sort()).toEqual(['file', 'link']);
});

test('times, modes and attributes land on the entry itself, never on what a link points to', () => {
  fs.writeFileSync(join(dir, 'file'), 'x');
  fs.symlinkSync('file', join(dir, 'link'));
  const before = fs.statSync(join(dir, 'file'), { bigint: true }).mtimeNs;
  verbs.utimensat(root, 'link', 5n, -1n);
  expect(fs.lstatSync(join(dir, 'link'), { bigint: true }).mtimeNs).toBe(-1n);
  expect(fs.statSync(join(dir, 'file'), { bigint: true }).mtimeNs).toBe(before);
  const file = opened(verbs.openat2(root, 'file', { flags: O_PATH }));
  verbs.fchmod(file, 0o4711);
  expect(fs.statSync(join(dir, 'file')).mode & 0o7777).toBe(0o4711);
  verbs.utimensat(file, '', 1_000_000_007n, 1_000_000_009n);
  expect(fs.statSync(join(dir, 'file'), { bigint: true }).mtimeNs).toBe(1_000_000_009n);
});

test.runIf(isRoot)('ownership, devices and attributes', () => {
  verbs.mknodat(root, 'null', fs.constants.S_IFCHR | 0o666, 1, 3);
  expect(fs.lstatSync(join(dir, 'null')).rdev).toBe(0x103);
  fs.symlinkSync('null', join(dir, 'link'));
  verbs.fchownat(root, 'link', 7, 8);
  expect(fs.lstatSync(join(dir, 'link'))).toMatchObject({ uid: 7, gid: 8 });
  expect(fs.lstatSync(join(dir, 'null'))).toMatchObject({ uid: 0, gid: 0 });
  verbs.lsetxattr(root, '', 'trusted.stack', Buffer.from('dir'));
  verbs.lsetxattr(root, 'link', 'trusted.stack', Buffer.from('link'));
  const script =
    'import os, sys; print(os.getxattr(sys.argv[1], "trusted.stack", follow_symlinks=False).decode(), end="")';
  const value = (name: string) => execFileSync('python3', ['-c', script, join(dir, name)], { encoding: 'utf8' });
  expect(value('')).toBe('dir');
  expect(value('link')).toBe('link');
  expect(verbs.llistxattr(root, 'link')).toContain('trusted.stack');
  expect(Buffer.from(verbs.lgetxattr(root, 'link', 'trusted.stack')).toString()).toBe('link');
  expect(Buffer.from(verbs.lgetxattr(root, '', 'trusted.stack')).toString()).toBe('dir');
  expect(verbs.llistxattr(root, 'null')).not.toContain('trusted.stack');
  expect(() => verbs.lgetxattr(root, 'null', 'trusted.stack')).toThrow(expect.objectContaining({ code: 'ENODATA' }));
});

test('a waiting flock gets the lock when its holder lets go', async () => {
  const path = join(dir, 'lock');
  const first = opened(fs.openSync(path, 'w'));
  const second = opened(fs.openSync(path, 'w'));
  expect(verbs.tryFlock(first, 'exclusive')).toBe(true);
  expect(verbs.tryFlock(second, 'shared')).toBe(false);
  expect(await verbs.flock(second, 'exclusive', false)).toBe(false);
  let isHeld = false;
  const waiting = verbs.flock(second, 'exclusive', true).then((got) => {
    isHeld = got;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isHeld).toBe(false);
  verbs.tryFlock(first, 'unlock');
  await waiting;
  expect(isHeld).toBe(true);
  expect(verbs.tryFlock(first, 'exclusive')).toBe(false);
});

test('many waiting locks do not starve the thread pool', async () => {
  const path = join(dir, 'lock');
  const holder = opened(fs.openSync(path, 'w'));
  verbs.tryFlock(holder, 'exclusive');
  const waiting = Array.from({ length: 12 }, () => verbs.flock(opened(fs.openSync(path, 'w')), 'shared', true));
  await fs.promises.writeFile(join(dir, 'pool'), 'works');
  verbs.tryFlock(holder, 'unlock');
  expect(await Promise.all(waiting)).toEqual(waiting.map(() => true));
});

test.runIf(isRoot)('overlayView merges layers without any mount in the table', () => {
  const before = fs.readFileSync('/proc/self/mountinfo', 'utf8');
  const layers = ['upper', 'lower'].map((name) => {
    fs.mkdirSync(join(dir, name));
    fs.writeFileSync(join(dir, name, 'who'), name);
    fs.writeFileSync(join(dir, name, `only-${name}`), '');
    return opened(fs.openSync(join(dir, name), fs.constants.O_DIRECTORY));
  });
  verbs.mknodat(layers[0]!, 'only-lower', fs.constants.S_IFCHR, 0, 0);
  const view = opened(verbs.overlayView(layers));
  expect(verbs.readdir(view).sort()).toEqual(['only-upper', 'who']);
  const who = opened(verbs.openat2(view, '/who', { flags: fs.constants.O_RDONLY, resolve: RESOLVE_IN_ROOT }));
  expect(fs.readFileSync(who, 'utf8')).toBe('upper');
  const one = opened(verbs.overlayView([layers[1]!]));
  expect(verbs.readdir(one).sort()).toEqual(['only-lower', 'who']);
  expect(fs.readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before);
});

test.runIf(isRoot)('overlayMount keeps changes in its upper directory, and is in no table', () => {
  const before = fs.readFileSync('/proc/self/mountinfo', 'utf8');
  const [lower, upper, work] = ['lower', 'upper', 'work'].map((name) => {
    fs.mkdirSync(join(dir, name));
    return opened(fs.openSync(join(dir, name), fs.constants.O_DIRECTORY));
  }) as [number, number, number];
  fs.writeFileSync(join(dir, 'lower/gone'), '');
  const mount = opened(verbs.overlayMount([lower], upper, work));
  fs.closeSync(verbs.openat2(mount, '/made', { flags: fs.constants.O_CREAT, mode: 0o600, resolve: RESOLVE_IN_ROOT }));
  verbs.unlinkat(mount, 'gone', false);
  expect(verbs.readdir(mount)).toEqual(['made']);
  expect(verbs.readdir(lower)).toEqual(['gone']);
  expect(fs.lstatSync(join(dir, 'upper/gone')).isCharacterDevice()).toBe(true);
  expect(fs.readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before);
});

test.runIf(isRoot)(
  'a file system is mounted by descriptor, and the kernel says which option it does not know',
  async () => {
    const target = opened(verbs.openat2(root, '.', { flags: O_PATH | fs.constants.O_DIRECTORY }));
    const mount = (type: string, options: string[]) => verbs.mount(type, 'mine', options, 2, target);
    await expect(mount('nosuchfs', [])).rejects.toMatchObject({ step: 'fsopen', code: 'ENODEV' });
    await expect(mount('tmpfs', ['sice=4k'])).rejects.toMatchObject({
      step: 'fsconfig',
      code: 'EINVAL',
      subject: expect.stringContaining("Unknown parameter 'sice'"),
    });
    await mount('tmpfs', ['size=64k', 'mode=700']);
    try {
      expect(fs.statfsSync(dir).blocks * fs.statfsSync(dir).bsize).toBe(65_536);
      expect(fs.readFileSync('/proc/self/mounts', 'utf8')).toMatch(
        new RegExp(`^mine ${dir} tmpfs \\S*nosuid\\S*mode=700`, 'm'),
      );
    } finally {
      verbs.unmount(dir);
    }
  },
);

test('a file system that keeps no quotas of projects says so, by the call that failed', () => {
  // e2e/vm has one that keeps them.
  expect(() => verbs.limitProject(root, 7, 4096)).toThrow(expect.objectContaining({ step: 'quotactl_fd' }));
  expect(() => verbs.limitProject(99_999, 7, 4096)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  expect(() => verbs.setProject(99_999, 7)).toThrow(expect.objectContaining({ code: 'EBADF' }));
});

test('a directory can be made the top of hierarchies, where its file system knows that', () => {
  const knows = ['ENOTTY', 'EOPNOTSUPP', 'EINVAL', undefined];
  let code: string | undefined;
  try {
    verbs.setTopDirectory(root);
    verbs.setTopDirectory(root);
  } catch (thrown) {
    code = (thrown as NodeJS.ErrnoException).code;
  }
  expect(knows).toContain(code);
  expect(() => verbs.setTopDirectory(99_999)).toThrow(expect.objectContaining({ code: 'EBADF' }));
});

test.runIf(isRoot)('overlayMount takes as many layers as an image may have', () => {
  const before = fs.readFileSync('/proc/self/mountinfo', 'utf8');
  const lower = Array.from({ length: 200 }, (_, at) => {
    fs.mkdirSync(join(dir, `${at}`));
    fs.writeFileSync(join(dir, `${at}`, `of-${at}`), '');
    fs.writeFileSync(join(dir, `${at}`, 'who'), `${at}`);
    return opened(fs.openSync(join(dir, `${at}`), fs.constants.O_DIRECTORY));
  });
  const [upper, work] = ['upper', 'work'].map((name) => {
    fs.mkdirSync(join(dir, name));
    return opened(fs.openSync(join(dir, name), fs.constants.O_DIRECTORY));
  }) as [number, number];
  for (const mount of [opened(verbs.overlayMount(lower, upper, work)), opened(verbs.overlayView(lower))]) {
    expect(verbs.readdir(mount)).toHaveLength(201);
    const who = opened(verbs.openat2(mount, '/who', { flags: fs.constants.O_RDONLY, resolve: RESOLVE_IN_ROOT }));
    expect(fs.readFileSync(who, 'utf8')).toBe('0');
    const make = () => verbs.mkdirat(mount, 'made', 0o755);
    if (verbs.readdir(upper).length === 0) make();
    else expect(make).toThrow(/Read-only/);
  }
  expect(fs.readdirSync(join(dir, 'upper'))).toEqual(['made']);
  expect(fs.readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before);
});

test('many names are looked at in one call, none of them followed', () => {
  fs.writeFileSync(join(dir, 'file'), 'four');
  fs.symlinkSync('file', join(dir, 'link'));
  fs.writeFileSync(Buffer.from(`${dir}/\xff`, 'latin1'), '');
  const names = ['link', 'file', '\udcff'];
  const found = verbs.lstats(root, names);
  expect(found).toHaveLength(names.length * 11);
  const { ino, size, mtimeNs, ctimeNs, mode, dev } = fs.lstatSync(join(dir, 'file'), { bigint: true });
  expect([...found.subarray(11, 15)]).toEqual([ino, size, mtimeNs, ctimeNs]);
  expect([found[16], found[19], found[21]]).toEqual([mode, dev, 1n]);
  expect(Number(found[5]) & fs.constants.S_IFMT).toBe(fs.constants.S_IFLNK);
  expect(() => verbs.lstats(root, ['file', 'gone'])).toThrow(
    expect.objectContaining({ code: 'ENOENT', subject: 'gone' }),
  );
  expect(() => verbs.lstats(root, ['../file'])).toThrow(expect.objectContaining({ code: 'EINVAL' }));
});

test.runIf(isRoot)('files are copied with what is asked for of them; links and pipes are not', () => {
  for (const name of ['from', 'to']) fs.mkdirSync(join(dir, name));
  const [from, to] = ['from', 'to'].map((name) => opened(fs.openSync(join(dir, name), fs.constants.O_DIRECTORY)));
  const large = Buffer.alloc(200_000, 'large');
  fs.writeFileSync(join(dir, 'from/small'), 'small');
  fs.writeFileSync(join(dir, 'from/large'), large);
  verbs.lsetxattr(from!, 'large', 'user.mark', Buffer.from('1'));
  fs.symlinkSync('small', join(dir, 'from/link'));
  execFileSync('mkfifo', [join(dir, 'from/pipe')]);
  const of = (...metadata: bigint[]) => BigInt64Array.from(metadata);
  const both = of(1n, 2n, 0o4755n, 5_000_000_001n, 3n, 4n, 0o600n, 0n);
  expect(verbs.copyFiles(from!, to!, ['small', 'large'], both)).toEqual([1]);
  expect(fs.readFileSync(join(dir, 'to/small'), 'utf8')).toBe('small');
  expect(fs.readFileSync(join(dir, 'to/large')).equals(large)).toBe(true);
  expect(verbs.llistxattr(to!, 'large')).toEqual([]);
  const { uid, gid, mode, mtimeNs } = fs.statSync(join(dir, 'to/small'), { bigint: true });
  expect([uid, gid, mode & 0o7777n, mtimeNs]).toEqual([1n, 2n, 0o4755n, 5_000_000_001n]);
  const one = of(0n, 0n, 0o644n, 0n);
  const copy = (name: string) => () => verbs.copyFiles(from!, to!, [name], one);
  expect(copy('small')).toThrow(expect.objectContaining({ code: 'EEXIST', subject: 'small' }));
  expect(copy('link')).toThrow(expect.objectContaining({ code: 'ELOOP' }));
  expect(copy('pipe')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  expect(copy('../from/small')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  expect(() => verbs.copyFiles(from!, to!, ['small'], of(1n))).toThrow(expect.objectContaining({ code: 'EINVAL' }));
});

test('small files are read in one call, with their length told beforehand', () => {
  fs.writeFileSync(join(dir, 'a'), 'first');
  fs.writeFileSync(join(dir, 'b'), '');
  fs.writeFileSync(join(dir, 'c'), 'third');
  fs.symlinkSync('a', join(dir, 'link'));
  verbs.lsetxattr(root, 'c', 'user.mark', Buffer.from('1'));
  const { content, attributed } = verbs.readFiles(root, ['a', 'b', 'c'], Uint32Array.of(5, 0, 3));
  expect([Buffer.from(content).toString(), attributed]).toEqual(['firstthi', [2]]);
  const read = (name: string, size: number) => () => verbs.readFiles(root, [name], Uint32Array.of(size));
  expect(read('a', 6)).toThrow(expect.objectContaining({ code: 'ENODATA', subject: 'a' }));
  expect(read('link', 5)).toThrow(expect.objectContaining({ code: 'ELOOP' }));
  expect(read('../a', 5)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
});
