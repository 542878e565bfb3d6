/** Writes the cases as folders with one stack file, which docker's bake and ours both read. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { type ArchiveEntry, type Cases, type ContextFile, epochSeconds } from './case.ts';

/** What the cases' sections and Dockerfiles speak of. */
export const environment = { CONFORMANCE_SECRET: 'from the environment' };

export async function writeCases(folder: string, cases: Cases): Promise<void> {
  for (const [name, { files = {}, dockerfile }] of Object.entries(cases)) {
    const context = join(folder, name);
    mkdirSync(context, { recursive: true });
    for (const [path, file] of Object.entries(files)) await writeContextFile(context, path, file);
    if (dockerfile) writeFileSync(join(context, 'Dockerfile'), dockerfile);
    settle(context);
  }
  writeFileSync(join(folder, 'secret.txt'), 'from a file\n');
  writeFileSync(join(folder, 'compose.yaml'), JSON.stringify(stackFile(cases), null, 1));
}

export const imageOf = (name: string) => `conformance/${name}:1`;

const stackFile = (cases: Cases) => ({
  name: 'conformance',
  services: Object.fromEntries(
    Object.entries(cases).map(([name, { build }]) => [
      name,
      { image: imageOf(name), build: { context: `./${name}`, ...build } },
    ]),
  ),
  secrets: { fromfile: { file: './secret.txt' }, fromenv: { environment: 'CONFORMANCE_SECRET' } },
});

async function writeContextFile(context: string, path: string, file: ContextFile): Promise<void> {
  const at = join(context, path);
  mkdirSync(dirname(at), { recursive: true });
  if (typeof file === 'string') writeFileSync(at, file);
  else if ('text' in file) {
    writeFileSync(at, file.text);
    chmodSync(at, file.mode);
  } else if ('link' in file) symlinkSync(file.link, at);
  else if ('sameAs' in file) linkSync(join(context, file.sameAs), at);
  else if ('directory' in file) {
    mkdirSync(at, { recursive: true });
    chmodSync(at, file.directory);
  } else writeFileSync(at, await archive(file.tar, file.compression));
}

async function archive(entries: ArchiveEntry[], compression?: 'gzip' | 'bzip2' | 'xz'): Promise<Buffer> {
  const packing = pack();
  for (const { text = '', xattrs = {}, ...entry } of entries) {
    const pax = Object.fromEntries(Object.entries(xattrs).map(([name, value]) => [`SCHILY.xattr.${name}`, value]));
    const mode = entry.mode ?? (entry.type === 'directory' ? 0o755 : 0o644);
    packing.entry({ ...entry, mode, mtime: new Date(epochSeconds * 1000), pax } as Header, text);
  }
  packing.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of packing) chunks.push(chunk as Buffer);
  const plain = Buffer.concat(chunks);
  if (compression === 'gzip') return gzipSync(plain);
  return compression ? execFileSync(compression, ['-c'], { input: plain }) : plain;
}

/** Owners that are nobody's here, and times that are not now. */
function settle(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const at = join(path, entry.name);
    if (entry.isDirectory()) settle(at);
    const { mode } = lstatSync(at);
    lchownSync(at, 1001, 1002);
    // chown(2) clears set-user-ID.
    if (!entry.isSymbolicLink()) chmodSync(at, mode & 0o7777);
    lutimesSync(at, epochSeconds, epochSeconds);
  }
}
