/**
 * Pulls of a Debian image from a registry on the loopback interface: ours, docker and podman in turns, in one run. Each round
 * has an image of its own, so that nothing has to be removed in between: ext4 makes files slowly where some were just removed.
 * Then what our largest process holds at most while it pulls a layer of 20 MB and one of 2 GB.
 *
 *   npm run bench:pull -- --runs 5        as root, with the product and the base images built (npm run base-images)
 *
 * Peers are found on PATH, or where STACK_BENCH_PEER_PREFIX leads. Theirs must be this network: otherwise `nsenter -n` first.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openAsBlob, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { places } from '../scripts/base-images/places.ts';
import { startRegistry } from '../scripts/base-images/registry.ts';
import { answers, run } from './command.ts';
import { which } from './image.ts';
import { peakMemory } from './peak-memory.ts';
import { largeLayer, pushImage } from './pull-image.ts';
import { median, type Row, table } from './table.ts';

const { values: options } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const runs = Number(options.runs);
const say = (line: string) => process.stderr.write(`${line}\n`);
const stack = join(dirname(import.meta.dirname), 'bin/stack');

interface Contender {
  name: string;
  pull(image: string): Promise<number>;
  remove(image: string): Promise<void>;
}

async function peers(): Promise<Contender[]> {
  const prefix = (process.env.STACK_BENCH_PEER_PREFIX ?? '').split(' ').filter(Boolean);
  const found: Contender[] = [];
  for (const [name, ...more] of [['docker'], ['podman', '--tls-verify=false']] as [string, ...string[]][]) {
    if (!(await answers([...prefix, name, 'info']))) {
      say(`${name}: not measured, \`${name} info\` does not answer`);
      continue;
    }
    found.push({
      name,
      pull: async (image) => (await run([...prefix, name, 'pull', '-q', ...more, image])).milliseconds,
      remove: async (image) => void (await run([...prefix, name, 'image', 'rm', image])),
    });
  }
  return found;
}

const at = places();
const folder = mkdtempSync(join(tmpdir(), 'stack-bench-pull-'));
const environment = (name: string) => ({
  ...process.env,
  STACK_ROOT: join(folder, name, 'root'),
  STACK_RUN: join(folder, name, 'run'),
});
const stores = new Map<string, NodeJS.ProcessEnv>();
const ours: Contender = {
  name: 'stack',
  // A store of its own for each image.
  pull: async (image) => {
    const env = environment(`store-${stores.size}`);
    stores.set(image, env);
    return (await run([stack, 'image', 'pull', '-q', image], { env })).milliseconds;
  },
  remove: async () => {},
};

mkdirSync(join(folder, 'registry'));
const registryBinary = which('docker-registry') ?? at.registryBinary;
const registry = await startRegistry({ ...at, root: folder, registry: join(folder, 'registry'), registryBinary });
try {
  const contenders = [ours, ...(await peers())];
  const tree = join(at.trees, 'debian');
  say(`making the layer of ${tree}`);
  const plain = execFileSync('tar', ['-C', tree, '--sort=name', '-c', '.'], { maxBuffer: 2 ** 31 });
  const compressed = gzipSync(plain.subarray(0, endOf(plain)));
  const host = registry.url.replace('http://', '');
  const samples = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  const images: string[] = [];
  for (let round = 0; round < runs; round++) {
    images.push(await pushImage(registry.url, host, `debian:${round}`, plain.subarray(0, endOf(plain)), compressed));
  }
  for (const [round, image] of images.entries()) {
    // Everyone goes first as often as the others.
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(round + turn) % contenders.length]!;
      execFileSync('sync');
      samples.get(contender.name)!.push(await contender.pull(image));
    }
    say(
      `round ${round + 1}: ${contenders.map(({ name }) => `${name} ${Math.round(samples.get(name)!.at(-1)!)} ms`).join(', ')}`,
    );
  }
  const again = await run([stack, 'image', 'pull', '-q', images[0]!], { env: stores.get(images[0]!)! });
  const rows: Row[] = [
    {
      name: `pull, ${Math.round(plain.length / 1e6)} MB`,
      unit: 'ms',
      values: new Map([...samples].map(([name, times]) => [name, median(times)])),
    },
    { name: 'pull again', unit: 'ms', values: new Map([['stack', again.milliseconds]]) },
  ];
  for (const size of [20, 2000]) {
    say(`making a layer of ${size} MB`);
    const file = join(folder, `${size}.tar.gz`);
    const layer = await largeLayer(file, size);
    const image = await pushImage(registry.url, host, `large:${size}`, layer, undefined, () => openAsBlob(file));
    const peak = await peakMemory([stack, 'image', 'pull', '-q', image], environment(`large-${size}`));
    rows.push({ name: `memory, ${size} MB layer`, unit: 'MB', values: new Map([['stack', peak / 1024]]) });
    rmSync(join(folder, `large-${size}`), { recursive: true });
  }
  console.log(
    table(
      rows,
      contenders.map(({ name }) => name),
    ),
  );
  for (const contender of contenders) for (const image of images) await contender.remove(image);
} finally {
  await registry.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Where the blocks of zeros begin that end an archive. */
function endOf(archive: Buffer): number {
  let end = archive.length;
  while (end > 0 && archive[end - 1] === 0) end--;
  return Math.ceil(end / 512) * 512;
}
