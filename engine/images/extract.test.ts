import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { extracting, filesystem, isRoot } from './fixtures/extracting.fixture.ts';
import type { Entry } from './fixtures/tar.ts';
import { removeTree } from './remove-tree.ts';

const at = extracting();
const read = (path: string) => fs.readFileSync(join(at.root, path), 'utf8');
const attribute = (path: string, name: string) => {
  const script =
    'import os, sys; sys.stdout.buffer.write(os.getxattr(sys.argv[1], sys.argv[2], follow_symlinks=False))';
  return execFileSync('python3', ['-c', script, join(at.root, path), name], {
    stdio: ['ignore', 'pipe', 'ignore'],
  }).toString('latin1');
};
const isWhiteout = (path: string) => at.stat(path).isCharacterDevice() && at.stat(path).rdev === 0n;

describe.runIf(isRoot)('faithful', () => {
  test('every kind of entry, whatever the size of the pieces it comes in', () => {
    const entries: Entry[] = [
      { name: './', mode: 0o750, mtime: 5 },
      { name: 'd/', mode: 0o1777, uid: 7, gid: 8, mtime: 6 },
      { name: 'd/file', content: 'x'.repeat(1500), mode: 0o4711, uid: 7, gid: 8, mtime: 7 },
      { name: 'd/empty', mode: 0o600 },
      { name: 'd/hard', type: '1', linkName: 'd/file' },
      { name: 'd/soft', type: '2', linkName: '/nowhere', uid: 9, gid: 9, mtime: 8 },
      { name: 'd/pipe', type: '6', mode: 0o622 },
      { name: 'd/null', type: '3', major: 1, minor: 3, mode: 0o666 },
      { name: 'd/loop', type: '4', major: 7, minor: 300, mode: 0o660, gid: 6 },
    ];
    for (const chunk of [1, 511, 512, 513, 1 << 20]) {
      fs.rmSync(at.root, { recursive: true });
      fs.mkdirSync(at.root);
      at.extract(entries, chunk);
      expect(at.stat('.')).toMatchObject({ mode: 0o40750n, mtimeNs: 5_000_000_000n });
      expect(at.stat('d')).toMatchObject({ mode: 0o41777n, uid: 7n, gid: 8n, mtimeNs: 6_000_000_000n });
      expect(at.stat('d/file')).toMatchObject({
        mode: 0o104711n,
        uid: 7n,
        gid: 8n,
        nlink: 2n,
        mtimeNs: 7_000_000_000n,
      });
      expect(read('d/hard')).toBe('x'.repeat(1500));
      expect(at.stat('d/empty')).toMatchObject({ mode: 0o100600n, size: 0n });
      expect(at.stat('d/soft')).toMatchObject({ uid: 9n, gid: 9n, mtimeNs: 8_000_000_000n });
      expect(fs.readlinkSync(join(at.root, 'd/soft'))).toBe('/nowhere');
      expect(at.stat('d/pipe').mode).toBe(0o10622n);
      expect(at.stat('d/null')).toMatchObject({ mode: 0o20666n, rdev: 0x103n });
      expect(at.stat('d/loop')).toMatchObject({ mode: 0o60660n, gid: 6n });
    }
  });

  test('a setgid directory keeps its bit and gives its group to nobody', () => {
    at.extract([
      { name: 'mail/', mode: 0o2775, gid: 8 },
      { name: 'mail/box', mode: 0o600 },
      { name: 'mail/sub/', mode: 0o755 },
    ]);
    expect(at.stat('mail')).toMatchObject({ mode: 0o42775n, gid: 8n });
    expect(at.stat('mail/box').gid).toBe(0n);
    expect(at.stat('mail/sub')).toMatchObject({ mode: 0o40755n, gid: 0n });
  });

  test('pax records: long names, long links, ids, fractions of seconds, attributes', () => {
    const long = `${'n'.repeat(90)}/${'é'.repeat(100)}`;
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
    at.extract([
      { name: 'short', content: 'c', pax: { path: long, mtime: '1.000000005', uid: '3000000000', gid: '70000' } },
      { name: 'link', type: '2', pax: { linkpath: 't'.repeat(300) } },
      {
        name: 'ping',
        content: 'p',
        uid: 1,
        pax: { 'SCHILY.xattr.security.capability': capability, 'SCHILY.xattr.user.a': 'b=c\n' },
      },
      { name: 'plain', content: 'q' },
      { name: 'steered', pax: { 'SCHILY.xattr.trusted.overlay.redirect': '/etc' } },
    ]);
    expect(at.stat(long)).toMatchObject({ mtimeNs: 1_000_000_005n, uid: 3_000_000_000n, gid: 70_000n });
    expect(fs.readlinkSync(join(at.root, 'link'))).toBe('t'.repeat(300));
    expect(attribute('ping', 'security.capability')).toBe(capability.toString('latin1'));
    expect(attribute('ping', 'user.a')).toBe('b=c\n');
    expect(() => attribute('plain', 'user.a')).toThrow();
    expect(() => attribute('steered', 'trusted.overlay.redirect')).toThrow();
  });

  test('names are bytes: those that are no UTF-8 come out as they were', () => {
    const names = [
      [0x66, 0xff],
      [0xc3, 0xa9],
      [0xe9, 0x2e, 0xc3],
      [0xed, 0xa0, 0x80],
      [0xf0, 0x9f, 0x90, 0xb3, 0xfe],
      [0xef, 0xbf, 0xbd, 0x80],
    ];
    const bytes = names.map((name) => Buffer.from(name));
    at.extract(bytes.map((path) => ({ name: 'x', content: 'x', pax: { path } })));
    const found = fs.readdirSync(at.root, { encoding: 'buffer' });
    expect(found.sort(Buffer.compare)).toEqual(bytes.sort(Buffer.compare));
    const fd = fs.openSync(at.dir, fs.constants.O_DIRECTORY);
    removeTree(filesystem, fd, 'root');
    fs.closeSync(fd);
    expect(fs.readdirSync(at.dir)).toEqual([]);
    fs.mkdirSync(at.root);
  });

  test.each(['gnu', 'posix 0.0', 'posix 0.1', 'posix 1.0'])('sparse files of GNU tar, format %s', (format) => {
    const source = join(at.dir, 'source');
    fs.mkdirSync(source);
    const write = (name: string, size: number, pieces: number[]) => {
      const fd = fs.openSync(join(source, name), 'w');
      for (const at of pieces) fs.writeSync(fd, `piece at ${at}`, at);
      fs.ftruncateSync(fd, size);
      fs.closeSync(fd);
    };
    write('few', 1_000_000, [0, 500_000]);
    write(
      'many',
      3_000_000,
      Array.from({ length: 60 }, (_, i) => 10_000 + i * 40_960),
    );
    write('hole', 200_000, []);
    write('plain', 5, [0]);
    const [kind, version] = format.split(' ');
    const options = version ? [`--sparse-version=${version}`] : [];
    const args = [
      '-cS',
      `--format=${kind}`,
      ...options,
      '--hole-detection=raw',
      '-C',
      source,
      'few',
      'many',
      'hole',
      'plain',
    ];
    const content = execFileSync('tar', args);
    expect(content.length).toBeLessThan(500_000);
    at.extract(content, 700);
    for (const name of ['few', 'many', 'hole', 'plain']) {
      expect(fs.readFileSync(join(at.root, name)).equals(fs.readFileSync(join(source, name))), name).toBe(true);
    }
    // Holes stay holes: a small download must not fill the disk.
    expect(fs.statSync(join(at.root, 'many')).blocks * 512).toBeLessThan(1_000_000);
    fs.rmSync(source, { recursive: true });
  });

  test('GNU long names and base-256 numbers', () => {
    const script = `
import io, sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.GNU_FORMAT) as t:
    i = tarfile.TarInfo('a' * 80 + '/' + 'b' * 80); i.size = 2; i.uid = 2 ** 31; i.mtime = 1; t.addfile(i, io.BytesIO(b'ok'))
    i = tarfile.TarInfo('link'); i.type = tarfile.SYMTYPE; i.linkname = 'c' * 200; t.addfile(i)
`;
    at.extract(execFileSync('python3', ['-c', script]));
    const name = `${'a'.repeat(80)}/${'b'.repeat(80)}`;
    expect(read(name)).toBe('ok');
    expect(at.stat(name).uid).toBe(2n ** 31n);
    expect(fs.readlinkSync(join(at.root, 'link'))).toBe('c'.repeat(200));
  });

  test('whiteouts become overlay whiteouts, opaque directories overlay opaque ones', () => {
    at.extract([
      { name: 'a/' },
      { name: 'a/.wh.gone' },
      { name: 'a/.wh..wh..opq' },
      { name: '.wh.replaced' },
      { name: 'replaced/' },
      { name: 'replaced/new', content: 'n' },
      { name: 'late/' },
      { name: '.wh.late' },
      { name: 'kept', content: 'k' },
      { name: '.wh.kept' },
      { name: '.wh.back' },
      { name: 'back', content: 'b' },
      { name: '.wh..wh.plnk/x', content: 'aufs' },
    ]);
    expect(isWhiteout('a/gone')).toBe(true);
    expect(attribute('a', 'trusted.overlay.opaque')).toBe('y');
    expect(attribute('replaced', 'trusted.overlay.opaque')).toBe('y');
    expect(attribute('late', 'trusted.overlay.opaque')).toBe('y');
    expect(read('kept')).toBe('k');
    expect(read('back')).toBe('b');
  });

  test('the later of two entries counts; a directory keeps its content', () => {
    at.extract([
      { name: 'x', content: 'first' },
      { name: 'x', content: 'second', mode: 0o600 },
      { name: 'd/', mode: 0o700 },
      { name: 'd/in', content: 'in' },
      { name: 'd/', mode: 0o711, mtime: 3 },
      { name: 'e/' },
      { name: 'e/deep/' },
      { name: 'e/deep/f', content: 'f' },
      { name: 'e', content: 'a file now' },
      { name: 'l', type: '2', linkName: 'd' },
      { name: 'l/', mode: 0o755 },
    ]);
    expect(read('x')).toBe('second');
    expect(read('d/in')).toBe('in');
    expect(at.stat('d')).toMatchObject({ mode: 0o40711n, mtimeNs: 3_000_000_000n });
    expect(read('e')).toBe('a file now');
    expect(at.stat('l').isDirectory()).toBe(true);
  });

  test('missing parents are made; links inside the layer are followed', () => {
    at.extract([
      { name: 'p/q/r', content: 'made' },
      { name: 'usr/lib/' },
      { name: 'lib', type: '2', linkName: 'usr/lib' },
      { name: 'lib/so', content: 'so' },
      { name: 'lib/sub/deep', content: 'deep' },
      { name: '/', mode: 0o755 },
    ]);
    expect(read('p/q/r')).toBe('made');
    expect(at.stat('p/q').mode).toBe(0o40755n);
    expect(read('usr/lib/so')).toBe('so');
    expect(read('usr/lib/sub/deep')).toBe('deep');
  });
});
