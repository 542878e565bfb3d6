/**
 * Reads what was built from an OCI layout on disk, without a part of the product. An entry of the tree is told as
 * `type mode uid:gid`, then `size sha256` of a file or `-> target` of a link, `= first name` of one with several,
 * `{name=value}` of extended attributes, and its time: `@seconds`, or `@base` where the base has the same, or nothing
 * where it is that of the build. What the base has and the image has not is `gone`.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { extract } from 'tar-stream';
import type { Facts } from './case.ts';

interface Node {
  text: string;
  isDirectory: boolean;
  mtime: number;
}

type Tree = Map<string, Node>;

interface Image {
  config: { config?: Record<string, unknown>; rootfs: { diff_ids: string[] } };
  layers: string[];
}

const compared = [
  'Env',
  'Cmd',
  'Entrypoint',
  'WorkingDir',
  'User',
  'ExposedPorts',
  'Volumes',
  'Labels',
  'StopSignal',
  'Healthcheck',
  'OnBuild',
  'Shell',
];

/** Times from here on are those of builds; those of contexts lie before. Seconds since 1970. */
const recent = Date.UTC(2021, 0, 1) / 1000;

export class Layout {
  readonly #folder: string;
  readonly #bases: { diffIds: string[]; tree: Tree }[] = [{ diffIds: [], tree: new Map() }];

  /** @param folder an OCI image layout. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Facts of images built on this one leave out what it has. */
  async addBase(manifest: string): Promise<void> {
    const { config, layers } = this.#image(manifest);
    this.#bases.push({ diffIds: config.rootfs.diff_ids, tree: await this.#flatten(layers, new Map()) });
    this.#bases.sort((a, b) => b.diffIds.length - a.diffIds.length);
  }

  /** @param manifest digest. */
  async facts(manifest: string): Promise<Facts> {
    const { config, layers } = this.#image(manifest);
    const { diff_ids: diffIds } = config.rootfs;
    const base = this.#bases.find((one) => one.diffIds.every((id, at) => id === diffIds[at]))!;
    const tree = await this.#flatten(layers.slice(base.diffIds.length), base.tree);
    const chosen = compared.map((key) => [key, normal(config.config?.[key])] as const);
    return {
      config: Object.fromEntries(chosen.filter(([, value]) => value !== undefined)),
      tree: told(tree, base.tree),
    };
  }

  #blob(digest: string): Buffer {
    return readFileSync(join(this.#folder, 'blobs', digest.replace(':', '/')));
  }

  #image(manifest: string): Image {
    const read = (digest: string) => JSON.parse(this.#blob(digest).toString()) as Record<string, never>;
    const { config, layers } = read(manifest) as unknown as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    return { config: read(config.digest) as unknown as Image['config'], layers: layers.map(({ digest }) => digest) };
  }

  async #flatten(layers: string[], base: Tree): Promise<Tree> {
    const tree = new Map(base);
    for (const layer of layers) await apply(plain(this.#blob(layer)), tree);
    return tree;
  }
}

function plain(content: Buffer): Buffer {
  if (content[0] === 0x1f && content[1] === 0x8b) return gunzipSync(content);
  return content.length >= 4 && content.readUInt32LE(0) === 0xfd2fb528 ? zstdDecompressSync(content) : content;
}

/** Source: image-spec layer.md, "Applying Changesets". */
async function apply(layer: Buffer, tree: Tree): Promise<void> {
  const remove = (path: string, itself: boolean) => {
    for (const other of [...tree.keys()])
      if (other.startsWith(`${path}/`) || (itself && other === path)) tree.delete(other);
  };
  const added: Tree = new Map();
  const entries = Readable.from([layer]).pipe(extract());
  for await (const entry of entries) {
    const { name, type, mode = 0, uid, gid, linkname, mtime, pax, size, devmajor, devminor } = entry.header;
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    const content = Buffer.concat(chunks);
    const path = `/${name.replace(/^\.?\//, '').replace(/\/$/, '')}`;
    const slash = path.lastIndexOf('/');
    const [parent, last] = [path.slice(0, slash), path.slice(slash + 1)];
    if (last === '.wh..wh..opq') {
      remove(parent, false);
      continue;
    }
    if (last.startsWith('.wh.')) {
      remove(`${parent}/${last.slice(4)}`, true);
      continue;
    }
    if (type === 'link') {
      const target = `/${linkname!.replace(/^\.?\//, '')}`;
      added.set(path, added.get(target) ?? tree.get(target)!);
      continue;
    }
    const words = [type ?? 'file', (mode & 0o7777).toString(8).padStart(4, '0'), `${uid}:${gid}`];
    if (type === 'symlink') words.splice(1, 1);
    if (type === 'file') words.push(`${size} ${createHash('sha256').update(content).digest('hex').slice(0, 16)}`);
    if (linkname) words.push(`-> ${linkname}`);
    if (type === 'character-device' || type === 'block-device') words.push(`${devmajor}:${devminor}`);
    const prefix = 'SCHILY.xattr.';
    for (const [key, value] of Object.entries((pax ?? {}) as Record<string, string>).sort())
      if (key.startsWith(prefix)) words.push(`{${key.slice(prefix.length)}=${JSON.stringify(value)}}`);
    const isDirectory = type === 'directory';
    if (!isDirectory) remove(path, false);
    added.set(path, { text: words.join(' '), isDirectory, mtime: Math.floor(mtime!.getTime() / 1000) });
  }
  for (const [path, node] of added) tree.set(path, node);
}

function told(tree: Tree, base: Tree): Record<string, string> {
  const names = new Map<Node, string[]>();
  for (const [path, node] of tree) names.set(node, [...(names.get(node) ?? []), path]);
  const lines: [string, string][] = [];
  for (const [path, node] of tree) {
    const before = base.get(path);
    if (before === node || (before?.text === node.text && before.mtime === node.mtime)) continue;
    const several = names.get(node)!.sort();
    const first = several.length > 1 ? ` = ${several[0]}` : '';
    const time = before?.mtime === node.mtime ? ' @base' : node.mtime < recent ? ` @${node.mtime}` : '';
    lines.push([path, node.text + first + time]);
  }
  for (const path of base.keys()) {
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (!tree.has(path) && (tree.has(parent) || !base.has(parent))) lines.push([path, 'gone']);
  }
  return Object.fromEntries(lines.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Absent, null and empty say the same. Order counts in lists alone. */
function normal(value: unknown): unknown {
  if (value === undefined || value === null || value === '') return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value;
  if (typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
