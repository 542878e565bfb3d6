import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { Extractor } from './extract.ts';
import { type Entry, tar } from './fixtures/tar.ts';
import { type LayerTarOptions, layerTar } from './layer-tar.ts';
import { TarReader } from './tar.ts';

const { filesystem } = loadKernel();
const isRoot = process.getuid?.() === 0;
const isThere = (tool: string) => (process.env.PATH ?? '').split(':').some((dir) => fs.existsSync(join(dir, tool)));
let dir: string;
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'stack-layer-tar-'));
});
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

function open<T>(path: string, work: (fd: number) => T): T {
  const fd = fs.openSync(path, fs.constants.O_DIRECTORY);
  try {
    return work(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function extract(content: Buffer, name: string): string {
  const path = join(dir, name);
  fs.mkdirSync(path);
  open(path, (fd) => {
    const extractor = new Extractor(filesystem, fd, process.umask());
    const reader = new TarReader(extractor);
    reader.push(content);
    reader.finish();
    extractor.finish();
    extractor.close();
  });
  return path;
}

const write = (path: string, options?: LayerTarOptions) =>
  open(path, (fd) => Buffer.concat([...layerTar(filesystem, fd, options)]));

const long = `${'n'.repeat(120)}/${'é'.repeat(100)}`;
const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
const entries: Entry[] = [
  { name: 'b/', mode: 0o1777, uid: 7, gid: 8, mtime: 6 },
  { name: 'b/file', content: 'x'.repeat(1500), mode: 0o4711, uid: 7, gid: 8, mtime: 7 },
  { name: 'b/soft', type: '2', linkName: '/nowhere', uid: 9, gid: 9, mtime: 8 },
  { name: 'b-', mode: 0o600 },
  { name: 'a', type: '1', linkName: 'b/file' },
  { name: 'pipe', type: '6', mode: 0o622 },
  { name: 'null', type: '3', major: 1, minor: 3, mode: 0o666 },
  { name: 'loop', type: '4', major: 7, minor: 300, mode: 0o660, gid: 6 },
  { name: 'x', content: 'c', pax: { path: long, mtime: '1.000000005', uid: '3000000000', gid: '70000' } },
  { name: 'early', content: 'e', pax: { mtime: '-1.5' } },
  { name: 'link', type: '2', pax: { linkpath: 't'.repeat(300) } },
  {
    name: 'ping',
    content: 'p',
    pax: { 'SCHILY.xattr.security.capability': capability, 'SCHILY.xattr.user.a': 'b=c\n' },
  },
  { name: 'y', content: 'y', pax: { path: Buffer.from([0x66, 0xff, 0x2e]) } },
  { name: 'full', content: Buffer.alloc(600_000, 'full') },
  { name: 'gone/.wh.child' },
  { name: '.wh.gone2' },
  { name: 'opaque/.wh..wh..opq' },
  { name: 'opaque/new', content: 'n' },
];
const mtimeOf = (name: string): Entry => ({ name, mtime: 1_000_000_001 });
const made = tar([...entries, mtimeOf('gone/'), mtimeOf('opaque/'), mtimeOf(`${'n'.repeat(90)}/`)]);

/** A line for every file: what a layer must keep of it. */
function describeTree(root: string): string {
  const format = '%P %y %m %U:%G %s %l %n %T@\n';
  const found = execFileSync('find', [root, '-mindepth', '1', '!', '-type', 'd', '-printf', format], {
    encoding: 'latin1',
  });
  // Whiteouts have no time of their own.
  return found
    .replace(/( c 0 0:0 .*) \S+$/gm, '$1')
    .split('\n')
    .sort()
    .join('\n');
}

test.runIf(isRoot)('what was extracted is written, extracted and written to the same bytes', () => {
  const first = extract(made, 'first');
  const content = write(first);
  const second = extract(content, 'second');
  expect(write(second).equals(content)).toBe(true);
  expect(describeTree(second)).toBe(describeTree(first));
  expect(fs.readdirSync(join(second, 'opaque'))).toEqual(['new']);
});

test.runIf(isRoot)('the order in which files were made, and their neighbours’ links, change nothing', () => {
  const files: Entry[] = ['c', 'a', 'B', 'ü', 'a.b'].map((name) => ({ name: `d/${name}`, content: name }));
  const folder: Entry = { name: 'd/', mtime: 5 };
  const content = write(extract(tar([...files, folder]), 'first'));
  expect(write(extract(tar([folder, ...files.toReversed()]), 'second')).equals(content)).toBe(true);
  // Pinned: another digest makes every layer that was built before another one.
  expect(createHash('sha256').update(content).digest('hex')).toMatchInlineSnapshot(
    `"55fcf1cdab82415f275fcbc414d4ca9411049b404da5ecd2de2621735bd84401"`,
  );
});

test.runIf(isRoot)('whiteouts are names again, opaque directories marks, and nothing of overlayfs is left', () => {
  const listed = execFileSync('tar', ['-t'], { input: write(extract(made, 'first')), encoding: 'utf8' }).split('\n');
  expect(listed).toEqual(expect.arrayContaining(['.wh.gone2', 'gone/.wh.child', 'opaque/.wh..wh..opq', 'opaque/new']));
  expect(listed.filter((name) => name.includes('.wh.'))).toHaveLength(3);
  expect(write(join(dir, 'first')).includes('overlay')).toBe(false);
});

test.runIf(isRoot)('tar(1) makes the same files of it', () => {
  const first = extract(tar(entries.filter(({ name }) => !name.includes('.wh.'))), 'first');
  fs.writeFileSync(join(dir, 'layer.tar'), write(first));
  fs.mkdirSync(join(dir, 'theirs'));
  execFileSync('tar', ['-xpf', join(dir, 'layer.tar'), '--xattrs', '--xattrs-include=*', '-C', join(dir, 'theirs')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  expect(describeTree(join(dir, 'theirs'))).toBe(describeTree(first));
  expect(write(join(dir, 'theirs')).equals(write(first))).toBe(true);
});

if (!isThere('umoci')) console.log('skipped: layers for umoci, not found: umoci');
test.runIf(isRoot && isThere('umoci'))('umoci unpacks it to the same files', () => {
  const isExact = ({ name, pax }: Entry) => !name.includes('.wh.') && !pax && !['null', 'loop'].includes(name);
  const first = extract(tar(entries.filter(isExact)), 'first');
  fs.writeFileSync(join(dir, 'layer.tar'), write(first));
  const umoci = (...args: string[]) => execFileSync('umoci', args, { cwd: dir, stdio: 'ignore' });
  umoci('init', '--layout', 'oci');
  umoci('new', '--image', 'oci:app');
  umoci('raw', 'add-layer', '--image', 'oci:app', 'layer.tar');
  umoci('unpack', '--image', 'oci:app', 'bundle');
  expect(describeTree(join(dir, 'bundle/rootfs'))).toBe(describeTree(first));
});

test('later times are held back, sockets left out', async () => {
  const root = join(dir, 'root');
  fs.mkdirSync(root);
  fs.writeFileSync(join(root, 'now'), '');
  const server = createServer().listen(join(root, 'socket'));
  await new Promise((resolve) => server.once('listening', resolve));
  const content = write(root, { latestNs: 5_000_000_000n });
  await new Promise((resolve) => server.close(resolve));
  expect(execFileSync('tar', ['-tv', '--utc', '--full-time'], { input: content, encoding: 'utf8' })).toMatch(
    /^-rw\S+ \S+ +0 1970-01-01 00:00:05 now\n$/,
  );
});

test('a name that would hide a file is refused', () => {
  fs.writeFileSync(join(dir, '.wh.x'), '');
  expect(() => write(dir)).toThrow(expect.objectContaining({ code: 'image.archive' }));
});

test.runIf(isRoot)('a directory that overlayfs redirects is refused', () => {
  fs.mkdirSync(join(dir, 'root/moved'), { recursive: true });
  open(join(dir, 'root/moved'), (fd) => filesystem.lsetxattr(fd, '', 'trusted.overlay.redirect', Buffer.from('/old')));
  expect(() => write(join(dir, 'root'))).toThrow(expect.objectContaining({ code: 'image.archive' }));
});
