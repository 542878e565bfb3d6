/**
 * Builds every case with docker and writes what it made to expected.json, without its cache.
 *
 *   node e2e/build/conformance/record.ts [case…]     as root, in dockerd's network namespace (`nsenter -n` first)
 *
 * docker keeps contexts by their files' sizes and times, which are the same in every run: a file that changed and kept its size
 * needs `docker builder prune` first. docker is found on PATH, or where STACK_BENCH_PEER_PREFIX and STACK_BENCH_PEER_FOLDER lead (bench/contender.ts). The
 * base images are those of scripts/base-images, tagged busybox:1 and debian:13 in docker's store.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { places } from '../../../scripts/base-images/places.ts';
import { startRegistry } from '../../../scripts/base-images/registry.ts';
import { run } from '../../harness/process.ts';
import type { Facts } from './case.ts';
import { allCases, bases } from './cases.ts';
import { environment, imageOf, writeCases } from './context.ts';
import { Layout } from './facts.ts';

const expectedFile = join(import.meta.dirname, 'expected.json');
const prefix = (process.env.STACK_BENCH_PEER_PREFIX ?? '').split(' ').filter(Boolean);
const [here, there] = (process.env.STACK_BENCH_PEER_FOLDER ?? '').split('=');
const chosen = process.argv.slice(2);
const cases = Object.fromEntries(
  Object.entries(allCases).filter(([name]) => chosen.length === 0 || chosen.some((start) => name.startsWith(start))),
);
const folder = mkdtempSync(join(here || tmpdir(), 'conformance-'));
const inside = folder.replace(here || folder, there || folder);
const docker = (...args: string[]) => {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return run([], [...prefix, 'env', '-C', inside, ...variables, 'docker', ...args], { timeoutMs: 120_000 });
};
async function must(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await docker(...args);
  if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** bake of buildx 0.13 hands neither limits nor hosts over: they go as flags. */
function command(name: string): string[] {
  const common = ['--progress=plain', '--no-cache'];
  const { ulimits, extra_hosts: hosts } = (cases[name]!.build ?? {}) as {
    ulimits?: Record<string, number>;
    extra_hosts?: string[];
  };
  if (!ulimits && !hosts) return ['bake', ...common, '-f', 'compose.yaml', name];
  const limits = Object.entries(ulimits ?? {}).map(([limit, value]) => `--ulimit=${limit}=${value}`);
  const names = (hosts ?? []).map((entry) => `--add-host=${entry.replace('=', ':')}`);
  return ['build', ...common, ...limits, ...names, '-t', imageOf(name), name];
}

const server = spawn(process.execPath, [join(import.meta.dirname, 'server.mjs')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const registry = await startRegistry(places());
try {
  await new Promise((resolve) => server.stdout.once('data', resolve));
  for (const base of bases) {
    const pulled = `${registry.url.replace('http://', '')}/library/${base}`;
    await must('pull', '-q', pulled);
    await must('tag', pulled, base);
    await must('rmi', pulled);
  }
  await writeCases(folder, cases);
  const built: string[] = [];
  const recorded: Record<string, Facts | 'fails'> =
    chosen.length === 0 ? {} : (JSON.parse(readFileSync(expectedFile, 'utf8')) as Record<string, Facts | 'fails'>);
  for (const name of Object.keys(cases)) {
    const { code, stderr } = await docker('buildx', ...command(name));
    const why = stderr.trim().split('\n').at(-1);
    process.stderr.write(`${name}: ${code === 0 ? 'built' : `fails: ${why}`}\n`);
    if (code === 0) built.push(name);
    else recorded[name] = 'fails';
  }
  await must('save', '-o', join(inside, 'images.tar'), ...bases, ...built.map(imageOf));
  const layout = join(folder, 'layout');
  execFileSync('mkdir', [layout]);
  execFileSync('tar', ['-xf', join(folder, 'images.tar'), '-C', layout]);
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    manifests: { digest: string; annotations: Record<string, string> }[];
  };
  const manifestOf = (image: string) =>
    index.manifests.find(({ annotations }) => annotations['io.containerd.image.name'] === `docker.io/${image}`)!.digest;
  const reader = new Layout(layout);
  for (const base of bases) await reader.addBase(manifestOf(`library/${base}`));
  for (const name of built) recorded[name] = await reader.facts(manifestOf(imageOf(name)));
  const sorted = Object.fromEntries(
    Object.keys(allCases).flatMap((name) => (recorded[name] ? [[name, recorded[name]]] : [])),
  );
  writeFileSync(expectedFile, `${JSON.stringify(sorted, null, 1)}\n`);
  if (built.length > 0) await must('rmi', ...built.map(imageOf));
} finally {
  server.kill();
  await registry.stop();
  rmSync(folder, { recursive: true, force: true });
}
