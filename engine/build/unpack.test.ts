/** ADD of an archive that is refused lets go of everything it had begun. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { unpack } from './unpack.ts';

const verbs = loadKernel().filesystem;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-unpack-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Descriptors of this process that lead to the archive. */
const open = (archive: string) =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === archive;
    } catch {
      return false;
    }
  });

test.each(['tar', 'tar.gz', 'tar.xz'])('%s: the archive is closed', async (kind) => {
  const archive = join(folder, `up.${kind}`);
  const script = `
import tarfile, io, os
with tarfile.open("${archive}", "w:${{ tar: '', 'tar.gz': 'gz', 'tar.xz': 'xz' }[kind]}") as t:
    for name in ["../../evil", "more"]:
        i = tarfile.TarInfo(name); data = os.urandom(800000); i.size = len(data); t.addfile(i, io.BytesIO(data))
`;
  execFileSync('python3', ['-c', script]);
  await expect(add(`up.${kind}`)).rejects.toThrow(/evil/);
  await vi.waitFor(() => expect(open(archive)).toEqual([]), { timeout: 2000 });
  expect(readdirSync(join(folder, 'tree'))).toEqual([]);
});

test('what a program finds damaged at the very end is refused', async () => {
  const archive = join(folder, 'damaged.tar.xz');
  execFileSync('sh', ['-c', 'echo content > file && tar -cJf damaged.tar.xz file'], { cwd: folder });
  const bytes = readFileSync(archive);
  // The check of the last block: before the index, whose size the footer has. Source: xz file format, 2.1.2.2.
  const index = (bytes.readUInt32LE(bytes.length - 8) + 1) * 4;
  bytes[bytes.length - 12 - index - 1]! ^= 0xff;
  writeFileSync(archive, bytes);
  for (let times = 0; times < 10; times++) await expect(add('damaged.tar.xz')).rejects.toThrow(/damaged/);
});

/** ADD of an archive of the folder into `tree`. */
async function add(name: string): Promise<void> {
  mkdirSync(join(folder, 'tree'), { recursive: true });
  const [source, root] = [folder, join(folder, 'tree')].map((path) => openSync(path, constants.O_DIRECTORY)) as [
    number,
    number,
  ];
  const { signal } = new AbortController();
  const metadata = { owner: undefined, chmod: undefined, nowNs: 0n, signal };
  const item = {
    source: { root: source, isContext: true },
    path: name,
    name,
    isDirectory: false,
    filter: { includes: () => true, enters: () => true },
  };
  try {
    await unpack({ verbs, root, destination: '/', ...metadata }, item, root);
  } finally {
    closeSync(source);
    closeSync(root);
  }
}
