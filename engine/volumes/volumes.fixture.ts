/** A private state folder with an image made on the spot, for the tests of volumes. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Host } from '../host.ts';
import { layout } from '../state/layout.ts';

export const kernel = loadKernel();
export const isRoot = process.getuid?.() === 0;

export interface VolumeWorld {
  /** Anew for each test. */
  dir: string;
  host: Host;
  /** An image of unpacked layers, uppermost first, each made by its function. */
  image(volumes: string[], ...layers: ((root: string) => void)[]): StoredImage;
}

/** Registers the hooks. */
export function volumeWorld(): VolumeWorld {
  const world = {} as VolumeWorld;
  beforeEach(() => {
    const dir = fs.mkdtempSync(join(tmpdir(), 'stack-volumes-'));
    world.dir = dir;
    world.host = {
      kernel,
      settings: {},
      layout: layout({ STACK_ROOT: join(dir, 'root'), STACK_RUN: join(dir, 'run') }),
    };
  });
  afterEach(() => fs.rmSync(world.dir, { recursive: true, force: true }));
  world.image = (volumes, ...layers) =>
    ({
      id: 'sha256:test',
      names: [],
      config: { config: { Volumes: Object.fromEntries(volumes.map((path) => [path, {}])) } },
      layers: layers.map((fill, at) => {
        const root = join(world.dir, `layer${at}`);
        fs.mkdirSync(root);
        fill(root);
        return root;
      }),
    }) as unknown as StoredImage;
  return world;
}

/** Type, mode, owner, times, link target, content and hard link partners of everything below a directory. */
export function describe(root: string): Record<string, unknown> {
  const all: Record<string, unknown> = {};
  const inodes = new Map<number, string>();
  const visit = (path: string) => {
    const full = join(root, path);
    const status = fs.lstatSync(full, { bigint: true });
    const first = inodes.get(Number(status.ino));
    inodes.set(Number(status.ino), first ?? path);
    all[path] = {
      mode: status.mode.toString(8),
      owner: `${status.uid}:${status.gid}`,
      mtime: String(status.mtimeNs),
      ...(status.isSymbolicLink() ? { to: fs.readlinkSync(full) } : {}),
      ...(status.isFile() ? { content: fs.readFileSync(full, 'utf8'), same: first } : {}),
      ...(status.isCharacterDevice() ? { device: String(status.rdev) } : {}),
    };
    if (status.isDirectory()) for (const name of fs.readdirSync(full).sort()) visit(join(path, name));
  };
  visit('.');
  return all;
}

/** A layer with everything a file system can hold, in /srv/data. */
export const rich = (root: string) => {
  const data = join(root, 'srv/data');
  fs.mkdirSync(join(data, 'sub/empty'), { recursive: true });
  fs.writeFileSync(join(data, 'a'), 'content of a', { mode: 0o640 });
  fs.chmodSync(join(data, 'a'), 0o4755);
  fs.linkSync(join(data, 'a'), join(data, 'sub/hard'));
  fs.symlinkSync('/etc/passwd', join(data, 'sub/link'));
  fs.writeFileSync(join(data, 'big'), Buffer.alloc(700_000, 'b'));
  execFileSync('mkfifo', [join(data, 'pipe')]);
  execFileSync('mknod', [join(data, 'null'), 'c', '1', '3']);
  fs.chownSync(join(data, 'sub'), 70, 71);
  fs.lchownSync(join(data, 'sub/link'), 5, 6);
  fs.chmodSync(data, 0o1770);
  fs.chownSync(data, 999, 998);
  fs.utimesSync(join(data, 'big'), 1000, 2000.5);
  fs.utimesSync(join(data, 'sub'), 1, 1_000_000_001);
  const setxattr = 'import os, sys; os.setxattr(sys.argv[1], sys.argv[2], b"v")';
  execFileSync('python3', ['-c', setxattr, join(data, 'big'), 'user.kept']);
};
