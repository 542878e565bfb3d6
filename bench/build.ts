/**
 * Builds of images: ours and docker's (BuildKit, by buildx) in turns, in one run, from the same folders.
 *
 *   npm run bench:build -- --runs 5        as root, with the product built
 *
 * Best some minutes after many files were removed, as this bench does at its end: making files was seen to be slower until then.
 * docker is found on PATH, or where STACK_BENCH_PEER_PREFIX and STACK_BENCH_PEER_FOLDER lead (bench/contender.ts).
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { changeFile, imageOf, writeMany, writeStages } from './build-project.ts';
import { answers, run } from './command.ts';
import { peerAccess } from './contender.ts';
import { privateHost } from './host.ts';
import { busyboxLayer, imageName, writeArchive } from './image.ts';
import { median, table } from './table.ts';

const { values: options } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const runs = Number(options.runs);
const say = (line: string) => process.stderr.write(`${line}\n`);
const command = join(dirname(import.meta.dirname), 'bin/stack');

interface Builder {
  name: string;
  load(archive: string): Promise<unknown>;
  /** Builds a project, every step anew with `isCold`. @returns milliseconds */
  build(project: string, isCold: boolean): Promise<number>;
  unload(projects: string[]): Promise<unknown>;
}

const access = peerAccess(process.env, tmpdir());
const { prefix, folder, inside } = access;
const host = await privateHost();

const ours: Builder = {
  name: 'stack',
  load: (archive) => run([...host.inside, command, 'image', 'load', '-i', archive], host),
  async build(project, isCold) {
    const file = join(folder, project, 'compose.yaml');
    const words = [command, '-f', file, 'build', '-q', ...(isCold ? ['--no-cache'] : [])];
    return (await run([...host.inside, ...words], host)).milliseconds;
  },
  unload: async () => {},
};

const docker: Builder = {
  name: 'docker',
  load: (archive) => run([...prefix, 'docker', 'load', '-i', archive.replace(folder, inside)]),
  async build(project, isCold) {
    const flags = ['-q', '-t', imageOf(project), ...(isCold ? ['--no-cache'] : [])];
    return (await run([...prefix, 'docker', 'buildx', 'build', ...flags, join(inside, project)])).milliseconds;
  },
  unload: (projects) => run([...prefix, 'docker', 'image', 'rm', imageName, ...projects.map(imageOf)]),
};

const builders = [ours];
if (await answers([...prefix, 'docker', 'buildx', 'inspect'])) builders.push(docker);
else say('docker: not measured, `docker buildx inspect` does not answer');

const samples = new Map<string, Map<string, number[]>>();

/** Everyone goes first as often as the others. */
async function measure(row: string, round: number, project: string, isCold = false): Promise<void> {
  const times = samples.get(row) ?? new Map(builders.map(({ name }) => [name, []]));
  samples.set(row, times);
  for (let turn = 0; turn < builders.length; turn++) {
    const builder = builders[(round + turn) % builders.length]!;
    execFileSync('sync');
    times.get(builder.name)!.push(await builder.build(project, isCold));
  }
  say(`${row}: ${[...times].map(([name, all]) => `${name} ${Math.round(all.at(-1)!)} ms`).join(', ')}`);
}

const projects = new Set<string>();
try {
  const archive = join(folder, 'base.tar');
  await writeArchive(archive, await busyboxLayer());
  for (const builder of builders) await builder.load(archive);
  const stages = writeStages(folder);
  projects.add(stages);
  for (let round = 0; round < runs; round++) {
    await measure('six stages, cold', round, stages, true);
    await measure('all cached', round, stages);
    changeFile(folder, stages, round);
    await measure('one file changed', round, stages);
    const many = writeMany(folder, round);
    projects.add(many);
    await measure('10,000 files', round, many);
    await measure('10,000 files, cached', round, many);
  }
  const rows = [...samples].map(([name, times]) => ({
    name,
    unit: 'ms' as const,
    values: new Map([...times].map(([builder, all]) => [builder, median(all)])),
  }));
  console.log(
    table(
      rows,
      builders.map(({ name }) => name),
    ),
  );
} finally {
  for (const builder of builders) await builder.unload([...projects]).catch((error: Error) => say(error.message));
  await host.close();
  rmSync(folder, { recursive: true, force: true });
}
