/** Runs a recipe's build.sh over its base, and packs what changed as one layer. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Places } from './places.ts';
import { type Recipe, recipesDir } from './recipes.ts';
import { must } from './tools.ts';

export const suite = 'bookworm';

export interface Layer {
  /** sha256 of the compressed bytes, with its algorithm. */
  digest: string;
  /** Of the uncompressed bytes. */
  diffId: string;
  size: number;
  file: string;
  /** The repository that got it first. */
  repository?: string;
}

/** Mounts the overlay (where there is a base), runs build.sh, turns the overlay's marks into whiteouts. */
const script = `
set -eu
mkdir -p "$WORK/upper" "$WORK/work" "$WORK/merged" "$APT/lists/partial" "$APT/archives/partial"
ROOT=$TREE
if [ -n "$BASE" ]; then
  ROOT=$WORK/merged
  mount -t overlay overlay -o "lowerdir=$BASE,upperdir=$WORK/upper,workdir=$WORK/work" "$ROOT"
  mount --rbind /dev "$ROOT/dev"
  mount -t proc proc "$ROOT/proc"
  mount --bind /etc/resolv.conf "$ROOT/etc/resolv.conf"
  mount --bind /etc/hosts "$ROOT/etc/hosts"
  mount --bind "$APT/lists" "$ROOT/var/lib/apt/lists"
  mount --bind "$APT/archives" "$ROOT/var/cache/apt/archives"
fi
export ROOT
. "$HERE/../build-lib.sh"
. "$HERE/build.sh"
[ -z "$BASE" ] || umount -R "$WORK/merged"
`;

const whiteouts = `
find . -type c -exec sh -c 'for f; do
  [ "$(stat -c %t:%T "$f")" = 0:0 ] || continue
  rm "$f"; : > "$(dirname "$f")/.wh.$(basename "$f")"
done' sh {} +
`;

/**
 * The mirror this machine already uses for Debian, so that what is reachable for it is reachable for us. One that carries
 * another release carries ours too.
 * @throws Error where apt knows none.
 */
export function mirror(): string {
  const known = process.env.STACK_DEBIAN_MIRROR || knownMirror();
  if (known) return known;
  must('apt-get', ['-q', 'update']);
  const fetched = knownMirror();
  if (fetched) return fetched;
  throw new Error('apt knows no Debian mirror: add one to its sources, or name one in STACK_DEBIAN_MIRROR.');
}

function knownMirror(): string | undefined {
  const targets = must('apt-get', ['indextargets', '--format', '$(ORIGIN) $(CODENAME) $(REPO_URI)'])
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([origin, , uri = '']) => origin === 'Debian' && /^https?:/.test(uri) && !uri.includes('security'));
  return (targets.find(([, codename]) => codename === suite) ?? targets[0])?.[2];
}

/** @param base tree of the recipe below, absent for an image from nothing. */
export async function buildLayer(at: Places, recipe: Recipe, base?: string): Promise<Layer> {
  const tree = join(at.trees, recipe.name);
  const work = join(at.root, 'work', recipe.name);
  for (const folder of [work, ...(base ? [] : [tree])]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  }
  const here = join(recipesDir, recipe.name);
  must('unshare', ['-m', 'sh', '-c', script], {
    env: {
      ...process.env,
      PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
      WORK: work,
      TREE: tree,
      BASE: base ?? '',
      APT: at.apt,
      HERE: here,
      SUITE: suite,
      MIRROR: mirror(),
      NODE: process.execPath,
    },
  });
  const source = base ? join(work, 'upper') : tree;
  if (base) must('sh', ['-c', whiteouts], { cwd: source });
  const layer = await pack(source, join(at.root, 'work', `${recipe.name}.tar.gz`));
  rmSync(work, { recursive: true, force: true });
  return layer;
}

async function pack(source: string, file: string): Promise<Layer> {
  const tar = spawn('tar', ['-C', source, '--numeric-owner', '--sort=name', '--exclude=./dev/*', '-cf', '-', '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const done = new Promise<number | null>((resolve) => tar.once('exit', resolve));
  const plain = createHash('sha256');
  const packed = createHash('sha256');
  let size = 0;
  await pipeline(
    tar.stdout,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        plain.update(chunk);
        yield chunk;
      }
    },
    createGzip({ level: 3 }),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        packed.update(chunk);
        size += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(file),
  );
  if ((await done) !== 0) throw new Error(`tar of ${source} failed`);
  return { digest: `sha256:${packed.digest('hex')}`, diffId: `sha256:${plain.digest('hex')}`, size, file };
}
