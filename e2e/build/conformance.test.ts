/**
 * Small Dockerfiles, each built by ours and compared with what docker 26 made of it: outcome, configuration, every entry of the
 * tree. conformance/record.ts records docker's part.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { scenario } from '../harness/scenario.ts';
import type { Facts } from './conformance/case.ts';
import { allCases, bases } from './conformance/cases.ts';
import { differences } from './conformance/compare.ts';
import { environment, imageOf, writeCases } from './conformance/context.ts';
import { Layout } from './conformance/facts.ts';

const world = scenario();
const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'conformance/expected.json'), 'utf8')) as Record<
  string,
  Facts | 'fails'
>;
const ours = new Map<string, Facts>();
let said = '';

beforeAll(async () => {
  const stack = world.project('conformance');
  await writeCases(stack.folder, allCases);
  const server = await world.host.background(
    [process.execPath, join(import.meta.dirname, 'conformance/server.mjs')],
    /serving/,
  );
  for (const base of bases) await stack.ok(['image', 'pull', base]);
  // Refused cases make it exit 1: each is looked for in the store.
  const done = await stack.stack(['build', '--no-cache'], { env: environment, timeoutMs: 300_000 });
  said = `${done.stdout}${done.stderr}`;
  await server.stop();
  const images = join(world.host.root, 'images');
  const { manifests } = JSON.parse(readFileSync(join(images, 'index.json'), 'utf8')) as {
    manifests: { digest: string; annotations?: Record<string, string> }[];
  };
  const manifestOf = (name: string) =>
    manifests.find(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === `docker.io/${name}`)?.digest;
  const reader = new Layout(images);
  for (const base of bases) await reader.addBase(manifestOf(`library/${base}`)!);
  for (const name of Object.keys(allCases)) {
    const manifest = manifestOf(imageOf(name));
    if (manifest) ours.set(name, await reader.facts(manifest));
  }
});

test('docker has built every case, and no other', () => {
  expect(Object.keys(recorded)).toEqual(Object.keys(allCases));
});

describe('each as docker', () => {
  for (const [name, one] of Object.entries(allCases)) {
    test(name, () => {
      const outcome = ours.get(name) ?? 'fails';
      const found = differences(one, recorded[name]!, outcome);
      expect(found, outcome === 'fails' ? said : one.dockerfile).toEqual([]);
    });
  }
});
