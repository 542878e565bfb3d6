/**
 * Small Dockerfiles, each built by ours and compared with what docker 26 made of it: outcome, configuration, every entry of the
 * tree. conformance/record.ts records docker's part.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Facts } from './build/conformance/case.ts';
import { allCases, bases } from './build/conformance/cases.ts';
import { differences } from './build/conformance/compare.ts';
import { environment, imageOf, writeCases } from './build/conformance/context.ts';
import { Layout } from './build/conformance/facts.ts';
import { scenario } from './harness/scenario.ts';

const world = scenario();
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, 'build/conformance/expected.json'), 'utf8'),
) as Record<string, Facts | 'fails'>;

test('docker has built every case, and no other', () => {
  expect(Object.keys(recorded)).toEqual(Object.keys(allCases));
});

test('outcome, configuration and tree of every case are those of docker', async () => {
  const stack = world.project('conformance');
  await writeCases(stack.folder, allCases);
  const server = await world.host.background(
    [process.execPath, join(import.meta.dirname, 'build/conformance/server.mjs')],
    /serving/,
  );
  for (const base of bases) await stack.ok(['image', 'pull', base]);
  // Refused cases make it exit 1: each is looked for in the store.
  const built = await stack.stack(['build', '--no-cache'], { env: environment });
  await server.stop();
  if (process.env.STACK_CONFORMANCE_LOG) writeFileSync(process.env.STACK_CONFORMANCE_LOG, built.stderr);
  const made = await factsOf(join(world.host.root, 'images'));
  const different = Object.entries(allCases).flatMap(([name, one]) => {
    const found = differences(one, recorded[name]!, made.get(name) ?? 'fails');
    return found.length > 0 ? [`${name}\n  ${found.join('\n  ')}`] : [];
  });
  expect(different.join('\n')).toBe('');
});

/** What the store has of the cases' images. */
async function factsOf(images: string): Promise<Map<string, Facts>> {
  const { manifests } = JSON.parse(readFileSync(join(images, 'index.json'), 'utf8')) as {
    manifests: { digest: string; annotations?: Record<string, string> }[];
  };
  const named = new Map(
    manifests.map(({ digest, annotations }) => [annotations?.['org.opencontainers.image.ref.name'], digest]),
  );
  const reader = new Layout(images);
  for (const base of bases) await reader.addBase(named.get(`docker.io/library/${base}`)!);
  const made = new Map<string, Facts>();
  for (const name of Object.keys(allCases)) {
    const manifest = named.get(`docker.io/${imageOf(name)}`);
    if (manifest) made.set(name, await reader.facts(manifest));
  }
  return made;
}
