import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { makeImage } from './fixtures/image.ts';
import { RegistryFixture } from './fixtures/registry.ts';
import type { Entry } from './fixtures/tar.ts';
import { makeWorld, type World } from './fixtures/world.ts';
import { createImages } from './images.ts';

const kernel = loadKernel();
const puller = join(import.meta.dirname, 'fixtures/puller.ts');
const files = (layer: number): Entry[] =>
  Array.from({ length: 300 }, (_, at) => ({ name: `l${layer}/f${at}`, content: `${layer} ${at} `.repeat(200) }));
const image = makeImage([files(0), files(1), files(2)]);

let registry: RegistryFixture;
let world: World;
const children = new Set<ChildProcess>();

beforeEach(async () => {
  registry = await RegistryFixture.start();
  registry.push('app', '1', image);
  world = makeWorld(kernel);
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  world[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

/** By default a pull of the image in a process of its own. */
function run(
  command = process.execPath,
  args = [puller, world.host.layout.root, `${registry.host}/app:1`],
): { child: ChildProcess; ended: Promise<{ code: number | null; output: string }> } {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let output = '';
  child.stdout!.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr!.on('data', (chunk) => {
    output += chunk;
  });
  const ended = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.on('close', (code) => {
      children.delete(child);
      resolve({ code, output });
    });
  });
  return { child, ended };
}

describe.runIf(process.getuid?.() === 0)('processes', () => {
  test.each([0, 1, 2, 3, 4])(
    'killed while request %i is answered: the next run finishes, nothing half made is left',
    async (request) => {
      const { child, ended } = run();
      let seen = 0;
      registry.faults = [
        (incoming, response) => {
          if (incoming.method !== 'GET' || seen++ !== request) return false;
          setTimeout(() => child.kill('SIGKILL'), 10 * request);
          const layer = image.layers.find(({ digest }) => incoming.url?.includes(digest));
          if (!layer) return true;
          response.setHeader('content-length', layer.blob.length);
          response.write(layer.blob.subarray(0, layer.blob.length / 2));
          return true;
        },
      ];
      expect((await ended).code).toBe(null);
      registry.faults = [];
      const images = createImages(world.host);
      expect(images.list()).toEqual([]);
      const stored = await images.pull(`${registry.host}/app:1`);
      expect(world.leftovers()).toEqual([]);
      for (const [at, layer] of stored.layers.entries()) {
        expect(fs.readdirSync(join(layer, `l${2 - at}`))).toHaveLength(300);
      }
    },
  );

  test('several at once share the work, and agree', async () => {
    const runs = await Promise.all([run(), run(), run()].map(({ ended }) => ended));
    expect(runs).toEqual(runs.map(() => ({ code: 0, output: `${image.config.digest}\n` })));
    for (const { digest } of image.layers) expect(registry.count(new RegExp(`GET .*${digest}`))).toBe(1);
    expect(world.leftovers()).toEqual([]);
    expect(createImages(world.host).list()).toHaveLength(1);
  });

  test('a full disk is named, and nothing half made stays on it', async () => {
    const { root } = world.host.layout;
    fs.mkdirSync(root);
    const script = `
      mount -t tmpfs -o size=1m none "$1" && "$2" "$3" "$1" "$4"
      ls -A "$1/images/ingest"; ls -A "$1/layers" | grep new
    `;
    const args = ['-m', 'sh', '-c', script, 'sh', root, process.execPath, puller, `${registry.host}/app:1`];
    const { output } = await run('unshare', args).ended;
    expect(output).toBe(`host.disk-full No space left on the disk while adding ${registry.host}/app:1.\n`);
  });

  test('the death of one that holds a layer frees it for who waits', async () => {
    const { digest, blob } = image.layers[0]!;
    const hung = new Promise<void>((resolve) => {
      registry.faults = [
        (incoming, response) => {
          if (!incoming.url?.includes(digest)) return false;
          registry.faults = [];
          response.setHeader('content-length', blob.length);
          response.write(blob.subarray(0, 100));
          resolve();
          return true;
        },
      ];
    });
    const first = run();
    await hung;
    const second = createImages(world.host).pull(`${registry.host}/app:1`, {
      onProgress: ({ layer }) => {
        if (layer.state === 'waiting') first.child.kill('SIGKILL');
      },
    });
    expect((await second).id).toBe(image.config.digest);
    expect((await first.ended).code).toBe(null);
    // What the dead one left goes with the next run.
    await createImages(world.host).pull(`${registry.host}/app:1`, { policy: 'always' });
    expect(world.leftovers()).toEqual([]);
  });
});
