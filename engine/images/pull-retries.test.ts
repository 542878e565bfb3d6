import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { image, layer, layerUrl, manifests, pulling, status } from './fixtures/pulling.fixture.ts';
import { drop, endEarly, type Fault, times } from './fixtures/registry.ts';

const at = pulling();

describe.runIf(process.getuid?.() === 0)('faults that pass', () => {
  test.each<[string, Fault]>([
    ['500 twice', times(2, manifests, status(500))],
    ['503 for a blob', times(2, /GET .*\/blobs\//, status(503))],
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
    at.registry.push('app', '1', image);
    if (/ranges/.test(name)) at.registry.faults.push(times(1, layerUrl, drop(layer.blob, 100_000)));
    at.registry.faults.unshift(fault);
    const stored = await at.pull('app:1');
    expect(fs.readFileSync(join(stored.layers[0]!, 'blob'))).toHaveLength(300_000);
  });

  test('a cut layer is taken up where it broke', async () => {
    at.registry.push('app', '1', image);
    const ranges: unknown[] = [];
    at.registry.faults.push(
      (request) => {
        if (request.url?.includes(layer.digest)) ranges.push(request.headers.range);
        return false;
      },
      times(1, layerUrl, drop(layer.blob, 100_000)),
    );
    await at.pull('app:1');
    expect(ranges).toEqual([undefined, 'bytes=100000-']);
  });
});
