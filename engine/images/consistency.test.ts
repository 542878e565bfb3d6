/** Many processes on one store, killed at any instant: what is left is one consistent store. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { dockerArchive, type MadeImage, makeImage } from './fixtures/image.ts';
import { Processes } from './fixtures/processes.ts';
import { drop, RegistryFixture, times } from './fixtures/registry.ts';
import type { Entry } from './fixtures/tar.ts';
import { makeWorld, useImage, type World } from './fixtures/world.ts';
import { fsck } from './fsck.ts';
import { createImages } from './images.ts';
import { gc, prune } from './prune.ts';
import { usage } from './usage.ts';

const kernel = loadKernel();
const files = (name: string, count = 20): Entry[] =>
  Array.from({ length: count }, (_, at) => ({ name: `${name}/${at}`, content: `${name} ${at} `.repeat(300) }));
const base = files('base', 100);

let registry: RegistryFixture;
let world: World;
let processes: Processes;

/** Image `at`: a base that all share, a layer that a few share, one of its own. */
const imageOf = (at: number, version = ''): MadeImage =>
  makeImage([base, files(`group${at % 4}`), files(`own${at}${version}`)]);

beforeEach(async () => {
  registry = await RegistryFixture.start();
  world = makeWorld(kernel);
  processes = new Processes();
});
afterEach(async () => {
  processes[Symbol.dispose]();
  world[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

const images = () => createImages(world.host);
const check = () => fsck(images().store, world.host.layout);
/** Random numbers that a failure's seed repeats. Source: mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe.runIf(process.getuid?.() === 0)('the store', () => {
  test('50 pulls of 20 images at once leave one consistent store, each blob fetched once', async () => {
    const made = Array.from({ length: 20 }, (_, at) => imageOf(at));
    for (const [at, image] of made.entries()) registry.push(`app${at}`, '1', image);
    const pulls = Array.from({ length: 50 }, (_, at) =>
      processes.start(world, 'pull', `${registry.host}/app${at % 20}:1`),
    );
    const ended = await Promise.all(pulls.map((each) => each.ended));
    expect(ended).toEqual(ended.map((_, at) => ({ code: 0, output: `${made[at % 20]!.config.digest}\n` })));
    expect(await check()).toEqual([]);
    expect(world.leftovers()).toEqual([]);
    expect(images().list()).toHaveLength(20);
    const layers = new Set(made.flatMap((image) => image.layers.map(({ digest }) => digest)));
    for (const digest of layers) expect(registry.count(new RegExp(`GET .*${digest}`))).toBe(1);
  }, 240_000);

  test('killed at any instant of pull, load, rm, prune and gc, the next commands converge', async () => {
    const seed = Number(process.env.STACK_CRASH_SEED ?? Date.now() % 1e6);
    const rounds = Number(process.env.STACK_CRASH_ROUNDS ?? 24);
    const next = random(seed);
    const made = Array.from({ length: 5 }, (_, at) => imageOf(at));
    for (const [at, image] of made.entries()) registry.push(`app${at}`, '1', image);
    const names = made.map((_, at) => `${registry.host}/app${at}:1`);
    const archive = join(world.dir, 'app.tar');
    fs.writeFileSync(archive, dockerArchive(imageOf(9), ['loaded:1']));
    // One that a container uses through all of it.
    const used = await images().pull(names[0]!);
    useImage(world.host, used, 'other', 'other-db-1');
    const operations = [
      () => ['pull', ...names.slice(0, 1 + Math.floor(next() * 5))],
      () => ['load', archive],
      () => ['rm', names[1 + Math.floor(next() * 4)]!],
      () => ['prune'],
      () => ['gc', '0'],
    ];
    for (let round = 0; round < rounds; round++) {
      const running = [0, 1].map(() => {
        const operation = processes.start(world, ...operations[Math.floor(next() * operations.length)]!());
        // The shorter the more often: most operations take some milliseconds.
        const delay = 400 * next() ** 3;
        void operation.ready.then(() => setTimeout(() => operation.child.kill('SIGKILL'), delay));
        return operation.ended;
      });
      await Promise.all(running);
      const told = (await check()).filter(
        ({ kind }) => !['unreferenced', 'left-over', 'layer-unfinished'].includes(kind),
      );
      expect(told, `seed ${seed}, round ${round}`).toEqual([]);
      for (const layer of used.layers) expect(fs.readdirSync(layer), `seed ${seed}`).not.toEqual([]);
    }
    expect((await processes.start(world, 'pull', ...names).ended).code, `seed ${seed}`).toBe(0);
    expect((await processes.start(world, 'load', archive).ended).code).toBe(0);
    await prune(images().store, world.host.layout, [], () => false);
    expect(await check(), `seed ${seed}`).toEqual([]);
    expect(world.leftovers()).toEqual([]);
    expect(images().list()).toHaveLength(6);
  }, 240_000);

  test('what a command at work looked up is kept, until it is killed', async () => {
    registry.push('app', '1', imageOf(1));
    const name = `${registry.host}/app:1`;
    await images().pull(name);
    const holder = processes.start(world, 'hold', name);
    await holder.spoke;
    expect(await gc(images().store, world.host.layout, images().list, 0)).toMatchObject({ untagged: [], bytes: 0 });
    await expect(images().remove(name)).rejects.toMatchObject({ code: 'image.in-use' });
    expect(await check()).toEqual([]);
    holder.child.kill('SIGKILL');
    await holder.ended;
    expect(await gc(images().store, world.host.layout, images().list, 0)).toMatchObject({ untagged: [name], total: 0 });
    expect(world.leftovers()).toEqual([]);
  });

  test('a prune in the middle of a pull takes nothing of it', async () => {
    const image = imageOf(1);
    registry.push('app', '1', image);
    let isPruned = false;
    // The last layer waits for the prune, when the others are there and nothing names them yet.
    registry.faults = [
      (request, response) => {
        if (isPruned || !request.url?.includes(image.layers[2]!.digest)) return false;
        void prune(createImages(world.host).store, world.host.layout, [], () => true).then(({ deleted }) => {
          expect(deleted).toEqual([]);
          isPruned = true;
          response.setHeader('content-length', image.layers[2]!.blob.length);
          response.end(image.layers[2]!.blob);
        });
        return true;
      },
    ];
    await images().pull(`${registry.host}/app:1`);
    expect(isPruned).toBe(true);
    expect(registry.count(/blobs/)).toBe(4);
    expect(await check()).toEqual([]);
  });

  test('an interrupted pull is taken up where it stopped', async () => {
    const image = imageOf(1);
    registry.push('app', '1', image);
    const last = image.layers[2]!;
    registry.faults = [times(20, new RegExp(last.digest), drop(last.blob, 10))];
    await expect(images().pull(`${registry.host}/app:1`)).rejects.toThrow();
    registry.faults = [];
    await images().pull(`${registry.host}/app:1`);
    for (const { digest } of image.layers.slice(0, 2)) expect(registry.count(new RegExp(`GET .*${digest}`))).toBe(1);
  }, 60_000);

  test('gc takes the least recently used first, stops at the size, and never what containers use', async () => {
    const seed = Number(process.env.STACK_CRASH_SEED ?? Date.now() % 1e6);
    const next = random(seed);
    const pick = <T>(from: T[]): T | undefined => from[Math.floor(next() * from.length)];
    const made = Array.from({ length: 6 }, (_, at) => imageOf(at));
    for (const [at, image] of made.entries()) registry.push(`app${at}`, '1', image);
    const names = made.map((_, at) => `${registry.host}/app${at}:1`);
    const containers = new Map<string, { directory: string; layers: string[]; name: string }>();
    const { layout } = world.host;
    let count = 0;
    for (let step = 0; step < 120; step++) {
      const own = images();
      const name = pick(names)!;
      const present = own.list();
      switch (Math.floor(next() * 7)) {
        case 0:
        case 1:
          await own.pull(name);
          break;
        case 2: {
          using hold = own.hold();
          const image = await hold.use(name).catch(() => undefined);
          if (!image) break;
          const directory = useImage(world.host, image, `stack${count % 3}`, `c${count++}`);
          containers.set(directory, { directory, layers: image.layers, name });
          break;
        }
        case 3: {
          const gone = pick([...containers.values()]);
          if (gone && next() < 0.5) {
            fs.rmSync(gone.directory, { recursive: true });
            containers.delete(gone.directory);
          }
          break;
        }
        case 4: {
          const isUsed = [...containers.values()].some((each) => each.name === name);
          // By force a name goes before its containers.
          const isNamed = present.some((image) => image.names.includes(name));
          const refusal = !isNamed ? 'image.not-found' : isUsed ? 'image.in-use' : 'none';
          const removal = own.remove(name, { isForced: next() < 0.3 });
          await removal.catch((thrown) => expect(thrown.code, `seed ${seed}`).toBe(refusal));
          break;
        }
        case 5:
          await prune(own.store, layout, present, () => next() < 0.5);
          break;
        default: {
          const before = usage(own.store, layout, present);
          const keep = Math.floor(next() * before.total);
          const { untagged, total } = await gc(own.store, layout, own.list, keep);
          const after = usage(own.store, layout, images().list());
          expect(total, `seed ${seed}`).toBe(after.total);
          const idle = after.images.filter(({ users }) => users.length === 0);
          if (idle.length > 0) expect(after.total).toBeLessThanOrEqual(keep);
          const went = before.images.filter(({ image }) => image.names.some((each) => untagged.includes(each)));
          for (const { lastUsed } of went) for (const each of idle) expect(lastUsed).toBeLessThanOrEqual(each.lastUsed);
        }
      }
      for (const { layers } of containers.values()) {
        for (const layer of layers) expect(fs.existsSync(layer), `seed ${seed}, step ${step}: ${layer}`).toBe(true);
      }
    }
    await prune(images().store, layout, [], () => false);
    expect(await check(), `seed ${seed}`).toEqual([]);
  }, 120_000);
});
