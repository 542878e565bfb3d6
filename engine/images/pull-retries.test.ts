import * as fs from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import type { Settings } from '../../schemas/settings.ts';
import { makeImage } from './fixtures/image.ts';
import { drop, endEarly, type Fault, RegistryFixture, refuse, times } from './fixtures/registry.ts';
import { makeWorld, type World } from './fixtures/world.ts';
import { createImages } from './images.ts';

const kernel = loadKernel();
const timing = { backoff: 5, stall: 300, longestWait: 2000 };
const architecture = { x64: 'amd64' }[process.arch as string] ?? process.arch;
const big = Buffer.alloc(300_000, 'content');
const image = makeImage(
  [
    [
      { name: 'bin/' },
      { name: 'bin/true', content: 'true', mode: 0o755 },
      { name: 'etc/' },
      { name: 'etc/old', content: 'o' },
    ],
    [{ name: 'etc/' }, { name: 'etc/.wh.old' }, { name: 'etc/new', content: 'n' }, { name: 'blob', content: big }],
  ],
  { compression: 'none', architecture },
);

let registry: RegistryFixture;
let world: World;

beforeEach(async () => {
  registry = await RegistryFixture.start();
  world = makeWorld(kernel);
});
afterEach(async () => {
  world[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

const images = (settings: Settings = {}) => createImages({ ...world.host, settings }, timing);
const pull = (repository: string, options = {}) => images().pull(`${registry.host}/${repository}`, options);

const layer = image.layers[1]!;
const blobs = /GET .*\/blobs\//;
const manifests = /\/manifests\//;
const layerUrl = new RegExp(`GET .*${layer.digest}`);
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    for (const [key, value] of Object.entries(headers)) response.setHeader(key, value);
    refuse(response, code, 'SAID', 'so it said');
  };

describe.runIf(process.getuid?.() === 0)('faults that pass', () => {
  test.each<[string, Fault]>([
    ['500 twice', times(2, manifests, status(500))],
    ['503 for a blob', times(2, blobs, status(503))],
    ['429 with Retry-After', times(1, manifests, status(429, { 'retry-after': '1' }))],
    ['a dropped connection', times(2, manifests, (response) => response.destroy())],
    ['a layer cut twice', times(2, layerUrl, drop(layer.blob, 100_000))],
    [
      'a layer that stalls',
      times(1, layerUrl, (response) => response.writeHead(200).write(layer.blob.subarray(0, 70_000))),
    ],
    ['a layer that ends early, as if in order', times(2, layerUrl, endEarly(layer.blob, 100_000))],
    [
      'a registry whose ranges begin earlier than asked for',
      (request, response) => {
        if (!layerUrl.test(`${request.method} ${request.url}`) || !request.headers.range) return false;
        const last = layer.blob.length - 1;
        response.writeHead(206, { 'content-range': `bytes 50000-${last}/${last + 1}` });
        response.end(layer.blob.subarray(50_000));
        return true;
      },
    ],
    ['a registry that never answers at first', times(1, manifests, () => {})],
  ])('%s', async (name, fault) => {
    registry.push('app', '1', image);
    if (/ranges/.test(name)) registry.faults.push(times(1, layerUrl, drop(layer.blob, 100_000)));
    registry.faults.unshift(fault);
    const stored = await pull('app:1');
    expect(fs.readFileSync(join(stored.layers[0]!, 'blob'))).toEqual(big);
  });

  test('a cut layer is taken up where it broke', async () => {
    registry.push('app', '1', image);
    const ranges: unknown[] = [];
    registry.faults.push(
      (request) => {
        if (request.url?.includes(layer.digest)) ranges.push(request.headers.range);
        return false;
      },
      times(1, layerUrl, drop(layer.blob, 100_000)),
    );
    await pull('app:1');
    expect(ranges).toEqual([undefined, 'bytes=100000-']);
  });
});
