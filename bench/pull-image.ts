/** Images of one layer in a registry, which differ in a small file. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { createGzip, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { pushBlob, pushManifest } from '../scripts/base-images/registry.ts';

const sha256 = (...parts: Uint8Array[]) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return `sha256:${hash.digest('hex')}`;
};

/** Of a layer that is not in memory: digests of the tar and of the file, and the file's size. */
export interface Measured {
  diffId: string;
  digest: string;
  size: number;
}

/**
 * Pushes an image and gives its name. `plain` is a tar without its end and `compressed` the same as gzip, to which a
 * second member is added with a file of the image's own; or both are told of a blob that `body` opens.
 */
export async function pushImage(
  url: string,
  host: string,
  name: string,
  plain: Uint8Array | Measured,
  compressed?: Uint8Array,
  body?: () => Promise<Blob>,
): Promise<string> {
  const [repository, tag] = name.split(':') as [string, string];
  let layer: Measured;
  let content: () => Promise<Blob | Buffer>;
  if (plain instanceof Uint8Array) {
    const tar = pack();
    const bytes = buffer(tar);
    tar.entry({ name: 'bench', mtime: new Date(0) }, name);
    tar.finalize();
    const own = await bytes;
    const blob = Buffer.concat([compressed!, gzipSync(own)]);
    layer = { diffId: sha256(plain, own), digest: sha256(blob), size: blob.length };
    content = async () => blob;
  } else {
    layer = plain;
    content = body!;
  }
  const rootfs = { type: 'layers', diff_ids: [layer.diffId] };
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const config = Buffer.from(JSON.stringify({ architecture, os: 'linux', config: { Cmd: ['sh'] }, rootfs }));
  const type = 'application/vnd.oci.image';
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: { mediaType: `${type}.config.v1+json`, digest: sha256(config), size: config.length },
    layers: [{ mediaType: `${type}.layer.v1.tar+gzip`, digest: layer.digest, size: layer.size }],
  });
  await pushBlob(url, repository, layer.digest, content);
  await pushBlob(url, repository, sha256(config), async () => config);
  await pushManifest(url, repository, tag, `${type}.manifest.v1+json`, manifest);
  return `${host}/${name}`;
}

/** Writes a layer of one file of `megabytes` that shrinks to about a fifteenth, as logs do. */
export async function largeLayer(file: string, megabytes: number): Promise<Measured> {
  const tar = pack();
  const gzip = createGzip({ level: 1 });
  const out = createWriteStream(file);
  const plain = createHash('sha256');
  const packed = createHash('sha256');
  let size = 0;
  tar.on('data', (chunk) => plain.update(chunk as Buffer));
  gzip.on('data', (chunk: Buffer) => {
    packed.update(chunk);
    size += chunk.length;
  });
  tar.pipe(gzip).pipe(out);
  const entry = tar.entry({ name: 'large', size: megabytes * 1e6, mtime: new Date(0) });
  for (let left = megabytes; left > 0; left--) {
    const piece = Buffer.alloc(1e6);
    for (let at = 0; at < piece.length; at += 50_000) randomBytes(2500).copy(piece, at);
    if (!entry.write(piece)) await once(entry, 'drain');
  }
  entry.end(Buffer.alloc(0));
  tar.finalize();
  await finished(out);
  return { diffId: `sha256:${plain.digest('hex')}`, digest: `sha256:${packed.digest('hex')}`, size };
}
