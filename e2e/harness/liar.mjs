// A registry that lies. Usage: node liar.mjs PORT; says `ready`. The repository chooses the lie:
//   digest      the layer's bytes are not those of its digest
//   truncated   the layer ends before its announced length
//   hang-up     the connection is cut in the middle of the layer
//   html        the manifest is a web page
//   config      the configuration names another layer than the manifest
//   late        the layer is kept back until /release is asked for, and then there is none
//   escape-*    the layer leaves its root: dots, absolute, symlink, hardlink
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

const sha256 = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const noise = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7919 + (index >> 3)) % 251));

const entries = {
  late: [[{ name: 'late' }, noise]],
  'escape-dots': [[{ name: '../../../../../../../var/tmp/stack-escaped' }, 'escaped']],
  'escape-absolute': [[{ name: '/var/tmp/stack-escaped' }, 'escaped']],
  'escape-symlink': [
    [{ name: 'out', type: 'symlink', linkname: '/var/tmp' }],
    [{ name: 'out/stack-escaped' }, 'escaped'],
  ],
  'escape-hardlink': [[{ name: 'stolen', type: 'link', linkname: '../../../../../../../../etc/shadow' }]],
};

async function layer(kind) {
  const tar = pack();
  for (const [entry, body] of entries[kind] ?? [[{ name: 'file' }, noise]]) {
    // The same bytes each time they are asked for.
    const header = { ...entry, mtime: new Date(0) };
    if (body) tar.entry(header, body);
    else tar.entry(header);
  }
  tar.finalize();
  const chunks = [];
  for await (const chunk of tar) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function image(kind) {
  const plain = await layer(kind);
  const packed = gzipSync(plain, { level: 1 });
  const diff = kind === 'config' ? sha256(Buffer.from('another')) : sha256(plain);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Cmd: ['/bin/true'] },
      rootfs: { type: 'layers', diff_ids: [diff] },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(config), size: config.length },
      layers: [
        { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: sha256(packed), size: packed.length },
      ],
    }),
  );
  return {
    manifest,
    blobs: new Map([
      [sha256(config), config],
      [sha256(packed), packed],
    ]),
    layer: sha256(packed),
  };
}

let isReleased = false;
const kept = [];
const refuse = (response) => void response.writeHead(404).end('{}');

createServer(async (request, response) => {
  if (request.url === '/release') {
    isReleased = true;
    kept.forEach(refuse);
    return void response.end();
  }
  const [, repository, kind, reference] =
    /^\/v2\/(?:library\/)?([^/]+)\/(manifests|blobs)\/(.+)$/.exec(request.url) ?? [];
  if (!repository) return void response.writeHead(request.url === '/v2/' ? 200 : 404).end('{}');
  const made = await image(repository);
  if (kind === 'manifests') {
    if (repository === 'html')
      return void response.setHeader('content-type', 'text/html').end('<h1>Log in to the hotel</h1>');
    response.setHeader('content-type', 'application/vnd.oci.image.manifest.v1+json');
    response.setHeader('docker-content-digest', sha256(made.manifest));
    return void response.end(request.method === 'HEAD' ? undefined : made.manifest);
  }
  const blob = made.blobs.get(reference);
  if (!blob) return void response.writeHead(404).end('{}');
  response.setHeader('content-type', 'application/octet-stream');
  if (reference !== made.layer) return void response.end(blob);
  if (repository === 'digest') {
    const other = Buffer.from(blob);
    other[other.length >> 1] ^= 1;
    return void response.setHeader('content-length', other.length).end(other);
  }
  if (repository === 'late') return void (isReleased ? refuse(response) : kept.push(response));
  if (repository === 'truncated') return void response.end(blob.subarray(0, blob.length >> 1));
  if (repository === 'hang-up') {
    response.setHeader('content-length', blob.length);
    response.write(blob.subarray(0, blob.length >> 1), () => request.socket.destroy());
    return;
  }
  response.end(blob);
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
