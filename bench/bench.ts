/**
 * `npm run bench`: ours and each peer found, in one run on this machine. Medians, and how many times ours a peer takes.
 *
 *   npm run bench -- --runs 5 --sizes 1,10,30 --single-runs 50
 *
 * As root, with the product built, on a machine that does nothing else. Our state lies below TMPDIR. Peers are found on
 * PATH, or where STACK_BENCH_PEER_PREFIX leads (bench/contender.ts).
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Contender, findPeers, ours, peerAccess } from './contender.ts';
import { privateHost } from './host.ts';
import { busyboxLayer, writeArchive } from './image.ts';
import { measureRuntimes } from './runtime.ts';
import { measureSingle } from './single.ts';
import { median, type Row, table } from './table.ts';

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    sizes: { type: 'string', default: '1,10,30' },
    'single-runs': { type: 'string', default: '40' },
  },
});
const runs = Number(options.runs);
const sizes = options.sizes.split(',').map(Number);
const say = (line: string) => process.stderr.write(`${line}\n`);

const steps = [
  { name: 'up -d', args: ['up', '-d'] },
  { name: 'up -d again', args: ['up', '-d'] },
  { name: 'ps', args: ['ps'] },
  { name: 'down', args: ['down'] },
];

/** Measures one stack once and adds to `samples`; memory is looked at before `down`. */
async function measureStack(contender: Contender, size: number, samples: Map<string, number[]>): Promise<void> {
  const add = (what: string, value: number) => samples.set(what, [...(samples.get(what) ?? []), value]);
  for (const { name, args } of steps) {
    if (name === 'down') {
      const { processes, rss, pss } = contender.held();
      add('processes', processes);
      add('rss', rss / 1024);
      add('pss', pss / 1024);
    }
    add(name, (await contender.compose(size, args)).milliseconds);
  }
}

/** All contenders take turns, so that whatever else the machine does falls on each alike. */
async function measureSize(contenders: Contender[], size: number): Promise<Row[]> {
  const samples = new Map(contenders.map(({ name }) => [name, new Map<string, number[]>()]));
  for (let run = 0; run < runs; run++) {
    for (const contender of contenders) {
      say(`${size} services, run ${run + 1} of ${runs}: ${contender.name}`);
      await measureStack(contender, size, samples.get(contender.name)!);
    }
  }
  const row = (name: string, what: string, unit: Row['unit']): Row => ({
    name: `${String(size).padStart(2)} services: ${name}`,
    unit,
    values: new Map(contenders.map((each) => [each.name, median(samples.get(each.name)!.get(what)!)])),
  });
  return [
    ...steps.map(({ name }) => row(name, name, 'ms')),
    row('processes that stay', 'processes', ''),
    row('resident, Rss', 'rss', 'MB'),
    row('resident, Pss', 'pss', 'MB'),
  ];
}

async function main(): Promise<void> {
  const command = join(dirname(import.meta.dirname), 'bin/stack');
  const temporary = mkdtempSync(join(tmpdir(), 'stack-bench-'));
  const access = peerAccess(process.env, temporary);
  const host = await privateHost();
  const contenders: Contender[] = [];
  try {
    const layer = await busyboxLayer();
    mkdirSync(access.folder, { recursive: true });
    const archive = join(access.folder, 'busybox.tar');
    await writeArchive(archive, layer);
    for (const contender of [ours(host, command), ...(await findPeers(access, say))]) {
      await contender.load(archive);
      contenders.push(contender);
      // Once unmeasured: caches of code and of layers.
      for (const { args } of steps) await contender.compose(1, args);
    }
    const names = contenders.map(({ name }) => name);
    console.log(`Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model.trim()}, medians of ${runs} runs\n`);
    for (const size of sizes) console.log(`${table(await measureSize(contenders, size), names)}\n`);
    console.log(`${await measureSingle(host, layer, Number(options['single-runs']), say)}\n`);
    console.log(await measureRuntimes(layer, Number(options['single-runs']), say));
  } finally {
    for (const contender of contenders) {
      for (const size of new Set([1, ...sizes])) await contender.compose(size, ['down']).catch(() => {});
      await contender.unload().catch((error: Error) => say(error.message));
    }
    await host.close();
    rmSync(access.folder, { recursive: true, force: true });
    rmSync(temporary, { recursive: true, force: true });
  }
}

// Whatever runs at that moment is interrupted with us and fails; what follows cleans up.
process.once('SIGINT', () => say('interrupted, cleaning up'));
await main();
