/** A layer whose pull was cut is gone on with where it broke off, by whoever pulls next. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { makeImage } from './fixtures/image.ts';
import { type Operation, Processes } from './fixtures/processes.ts';
import { RegistryFixture } from './fixtures/registry.ts';
import { makeWorld, type World } from './fixtures/world.ts';
import { fsck } from './fsck.ts';
import { createImages } from './images.ts';
import { partialPath, partialSize } from './partial.ts';
import { gc, prune } from './prune.ts';
import { usage } from './usage.ts';

const kernel = loadKernel();
// No compression makes less of it: the blob is as long as its content.
const content = randomBytes(3_000_000);
const image = makeImage([[{ name: 'data', content }]]);
const { digest, blob } = image.layers[0]!;
const half = Math.floor(blob.length / 2);
const day = 24 * 60 * 60 * 1000;

let registry: RegistryFixture;
let world: World;
let processes: Processes;

const images = () => createImages(world.host, { backoff: 1 });
const name = () => `${registry.host}/app:1`;
const store = () => images().store;

beforeEach(async () => {
  registry = await RegistryFixture.start();
  registry.push('app', '1', image);
  world = makeWorld(kernel);
  processes = new Processes();
});
afterEach(async () => {
  processes[Symbol.dispose]();
  world[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

/** Sends the first half of the layer and then nothing more. */
function hang(): void {
  registry.faults = [
    (request, response) => {
      if (!request.url?.includes(digest)) return false;
      response.setHeader('content-length', blob.length);
      response.write(blob.subarray(0, half));
      return true;
    },
  ];
}

/** Resolves when the file of the partial blob has `bytes`. */
async function written(bytes: number): Promise<void> {
  while (partialSize(store(), digest) < bytes) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** A pull in a process of its own that is killed in the middle of the layer. */
async function killedPull(): Promise<void> {
  hang();
  const { child, ended } = processes.start(world, 'pull', name());
  await written(half);
  child.kill('SIGKILL');
  expect((await ended).code).toBe(null);
  registry.faults = [];
  registry.ranges = [];
}

async function expectWhole(): Promise<void> {
  const stored = images().get(name());
  expect(fs.readFileSync(join(stored.layers[0]!, 'data')).equals(content)).toBe(true);
  expect(fs.readFileSync(store().blob(digest)).equals(blob)).toBe(true);
  expect(await fsck(store(), world.host.layout)).toEqual([]);
  expect(world.leftovers()).toEqual([]);
}

const layerRanges = () => registry.ranges.filter((range) => range.startsWith(digest));

describe.runIf(process.getuid?.() === 0)('a pull that was cut', () => {
  test('killed in mid-layer: the next asks for the rest only', async () => {
    await killedPull();
    await images().pull(name());
    expect(layerRanges()).toEqual([`${digest} bytes=${half}-`]);
    await expectWhole();
  });

  test('interrupted by its signal: the next asks for the rest only', async () => {
    hang();
    const stop = new AbortController();
    const pulled = images().pull(name(), { signal: stop.signal });
    pulled.catch(() => undefined);
    await written(half);
    stop.abort();
    await expect(pulled).rejects.toMatchObject({ code: 'plan.interrupted' });
    registry.faults = [];
    registry.ranges = [];
    await images().pull(name());
    expect(layerRanges()).toEqual([`${digest} bytes=${half}-`]);
    await expectWhole();
  });

  test('killed again and again, it still comes to its end', async () => {
    for (const part of [0.2, 0.5, 0.9]) {
      const end = Math.floor(blob.length * part);
      registry.faults = [
        (request, response) => {
          if (!request.url?.includes(digest)) return false;
          const from = Number(/[0-9]+/.exec(request.headers.range ?? '0')![0]);
          response.writeHead(from > 0 ? 206 : 200, {
            'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}`,
          });
          response.write(blob.subarray(from, end));
          return true;
        },
      ];
      const { child, ended } = processes.start(world, 'pull', name());
      await written(end);
      child.kill('SIGKILL');
      await ended;
    }
    registry.faults = [];
    registry.ranges = [];
    await images().pull(name());
    expect(layerRanges()).toEqual([`${digest} bytes=${Math.floor(blob.length * 0.9)}-`]);
    await expectWhole();
  });

  test.each([
    ['in its content', (at: Buffer) => at.fill(0, 1000, 200_000)],
    ['at its start', (at: Buffer) => at.fill(0, 0, 10)],
  ])('a part that was damaged %s is dropped and the layer fetched anew, once', async (_, harm) => {
    await killedPull();
    const path = partialPath(store(), digest);
    const torn = fs.readFileSync(path);
    harm(torn);
    fs.writeFileSync(path, torn);
    await images().pull(name());
    expect(layerRanges().at(-1)).toBe(digest);
    expect(layerRanges().length).toBeLessThanOrEqual(2);
    await expectWhole();
  });

  test('a whole one that was not put in its place yet needs no request; one that is too long is none', async () => {
    store().prepare();
    fs.writeFileSync(partialPath(store(), digest), blob);
    await images().pull(name());
    expect(layerRanges()).toEqual([]);
    await expectWhole();
    await images().remove(name());
    fs.writeFileSync(partialPath(store(), digest), Buffer.concat([blob, blob]));
    await images().pull(name());
    expect(layerRanges()).toEqual([digest]);
    await expectWhole();
  });

  test('where the fresh content is wrong too, it is refused and nothing is kept', async () => {
    await killedPull();
    const torn = Buffer.from(blob);
    torn[blob.length - 100]! ^= 1;
    registry.corrupt(digest, torn);
    await expect(images().pull(name())).rejects.toMatchObject({ code: 'image.digest-mismatch' });
    expect(layerRanges()).toEqual([`${digest} bytes=${half}-`, digest]);
    expect(world.leftovers()).toEqual([]);
    registry.corrupt(digest, blob);
    await images().pull(name());
    await expectWhole();
  });

  test('a registry that knows no ranges sends it all again, and it fits', async () => {
    await killedPull();
    registry.faults = [
      (request, response) => {
        if (!request.url?.includes(digest)) return false;
        response.setHeader('content-length', blob.length);
        response.end(blob);
        return true;
      },
    ];
    await images().pull(name());
    await expectWhole();
  });

  test('two at once: one goes on, the other waits for it', async () => {
    await killedPull();
    const runs: Operation[] = [processes.start(world, 'pull', name()), processes.start(world, 'pull', name())];
    for (const { ended } of runs) expect(await ended).toEqual({ code: 0, output: `${image.config.digest}\n` });
    expect(layerRanges()).toEqual([`${digest} bytes=${half}-`]);
    await expectWhole();
  });

  test('two at once that have the blob in different places each bring it to its end', async () => {
    const other = makeImage([[{ name: 'below', content: 'below' }], [{ name: 'data', content }]]);
    expect(other.layers[1]!.digest).toBe(digest);
    registry.push('other', '1', other);
    await killedPull();
    const names = [name(), `${registry.host}/other:1`];
    const runs = names.map((each) => processes.start(world, 'pull', each));
    for (const { ended } of runs) expect((await ended).code).toBe(0);
    await expectWhole();
  });

  test('df counts it, fsck takes it for no damage, prune and gc remove it', async () => {
    for (const remove of [
      () => prune(store(), world.host.layout, [], () => true),
      () => gc(store(), world.host.layout, () => [], 1e12),
    ]) {
      await killedPull();
      expect(usage(store(), world.host.layout, [])).toMatchObject({ unreferenced: half, total: half });
      expect(await fsck(store(), world.host.layout)).toMatchObject([{ kind: 'unreferenced', subject: digest }]);
      expect((await remove()).bytes).toBe(half);
      expect(world.leftovers()).toEqual([]);
      expect(await fsck(store(), world.host.layout)).toEqual([]);
    }
  });

  test('prune leaves one alone that a pull is at', async () => {
    hang();
    const { child, ended } = processes.start(world, 'pull', name());
    await written(half);
    await prune(store(), world.host.layout, [], () => true);
    expect(partialSize(store(), digest)).toBe(half);
    child.kill('SIGKILL');
    await ended;
  });

  test('after a week without a pull of it, the next command removes it', async () => {
    store().prepare();
    const path = partialPath(store(), digest);
    const age = (days: number) => {
      fs.mkdirSync(dirname(path), { recursive: true });
      fs.writeFileSync(path, blob.subarray(0, half));
      const then = new Date(Date.now() - days * day);
      fs.utimesSync(path, then, then);
      store().prepare();
      return fs.existsSync(path);
    };
    expect([age(6), age(8)]).toEqual([true, false]);
  });
});
