/** The one image all contenders run: busybox, as a docker-archive made here. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, createWriteStream, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';

/** With a registry's name in front, so that none of the engines looks elsewhere for it. */
export const imageName = 'localhost/stack-bench:busybox';

/** Where a command lies on PATH, or undefined. */
export function which(command: string): string | undefined {
  const folders = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`.split(delimiter);
  return folders
    .map((folder) => join(folder, command))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** A tar of a root file system: busybox and a link for each of its applets. */
export async function busyboxLayer(): Promise<Buffer> {
  const busybox = which('busybox');
  if (!busybox) throw new Error('busybox not found. On Debian and Ubuntu: apt-get install -y busybox-static');
  const applets = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  const tar = pack();
  const bytes = buffer(tar);
  const fixed = { mtime: new Date(0), uid: 0, gid: 0 };
  for (const name of ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp']) {
    tar.entry({ ...fixed, name, type: 'directory', mode: name === 'tmp' ? 0o1777 : 0o755 });
  }
  tar.entry({ ...fixed, name: 'etc/passwd', mode: 0o644 }, 'root:x:0:0:root:/root:/bin/sh\n');
  tar.entry({ ...fixed, name: 'etc/group', mode: 0o644 }, 'root:x:0:\n');
  tar.entry({ ...fixed, name: 'bin/busybox', mode: 0o755 }, readFileSync(busybox));
  for (const name of applets.filter((applet) => applet !== 'busybox')) {
    tar.entry({ ...fixed, name: `bin/${name}`, type: 'symlink', linkname: 'busybox' });
  }
  tar.finalize();
  return bytes;
}

/** Writes a docker-archive of {@link imageName} (docker's image specification 1.2) to `path`. */
export async function writeArchive(path: string, layer: Buffer): Promise<void> {
  const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
  const config = JSON.stringify({
    architecture: { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: { Cmd: ['sh'], Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'stack bench' }],
  });
  const configName = `${sha256(config)}.json`;
  const tar = pack();
  const written = pipeline(tar, createWriteStream(path));
  tar.entry({ name: 'layer.tar' }, layer);
  tar.entry({ name: configName }, config);
  tar.entry(
    { name: 'manifest.json' },
    JSON.stringify([{ Config: configName, RepoTags: [imageName], Layers: ['layer.tar'] }]),
  );
  tar.finalize();
  await written;
}
