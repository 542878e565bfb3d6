import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { type MadeImage, makeImage, sha256 } from './fixtures/image.ts';
import { RegistryFixture, refuse, times } from './fixtures/registry.ts';
import { makeWorld, type World } from './fixtures/world.ts';
import { createImages } from './images.ts';
import { parseReference } from './reference.ts';
import { endpoints } from './registry/endpoint.ts';
import { defaultTiming, Registry } from './registry/registry.ts';
import { uploadBlob } from './registry/upload.ts';

const kernel = loadKernel();
const timing = { backoff: 5, stall: 400, longestWait: 2000 };
const content = Buffer.alloc(1_000_000, 'some content of a layer ');
const image = makeImage([[{ name: 'a', content }], [{ name: 'b' }]], { compression: 'none' });

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

const images = () => createImages(world.host, timing);

/** The image in the store, under a name whose registry does not have it. */
async function stored(made: MadeImage, name: string): Promise<string> {
  registry.push(name.replace(/:.*/, ''), name.replace(/.*:/, ''), made);
  await images().pull(`${registry.host}/${name}`);
  await restart();
  return `${registry.host}/${name}`;
}

/** An empty registry at the same place. */
async function restart(): Promise<void> {
  const port = Number(registry.port);
  await registry[Symbol.asyncDispose]();
  registry = await RegistryFixture.start(port);
}

describe.runIf(process.getuid?.() === 0)('push', () => {
  test('a push that takes long holds up no removal, and what it sends is not removed', async () => {
    const other = await stored(makeImage([[{ name: 'c' }]]), 'other:1');
    const name = await stored(image, 'team/app:1');
    const begun = Promise.withResolvers<void>();
    const end = new AbortController();
    registry.faults.push((request) => {
      if (request.method !== 'POST') return false;
      begun.resolve();
      return true;
    });
    const pushed = createImages(world.host, { ...timing, stall: 60_000 }).push(name, { signal: end.signal });
    pushed.catch(() => undefined);
    await begun.promise;
    const removals = createImages(world.host);
    expect(await removals.remove(other)).toMatchObject({ untagged: [other] });
    await expect(removals.remove(name)).rejects.toMatchObject({ code: 'image.in-use' });
    end.abort();
    await expect(pushed).rejects.toMatchObject({ code: 'plan.interrupted' });
  }, 15_000);

  test.each([
    ['OCI', image],
    ["docker's schema 2", makeImage([[{ name: 'a' }]], { isDocker: true })],
  ])('what is pulled, pushed and pulled again keeps its digest: %s', async (_, made) => {
    const name = await stored(made, 'team/app:1');
    expect(await images().push(name)).toMatchObject({ digest: made.manifest.digest, size: made.manifest.size });
    expect(registry.document('team/app', '1')).toEqual(made.manifest.content);
    expect(registry.uploads.open).toBe(0);
    await images().remove(name);
    expect(await images().pull(name)).toMatchObject({ digest: made.manifest.digest, id: made.config.digest });
  });

  test('what is there is not sent again', async () => {
    const name = await stored(image, 'team/app:1');
    const first = await images().push(name);
    expect(new Set(first.blobs.map(({ how }) => how))).toEqual(new Set(['uploaded']));
    registry.requests = [];
    const second = await images().push(name);
    expect(new Set(second.blobs.map(({ how }) => how))).toEqual(new Set(['present']));
    expect(registry.count(/POST|PATCH|PUT .*blobs/)).toBe(0);
  });

  test('a blob that another repository has is shared from there', async () => {
    registry.push('base', '1', image);
    await images().pull(`${registry.host}/base:1`);
    const other = makeImage([[{ name: 'a', content }], [{ name: 'c' }]], { compression: 'none' });
    registry.push('tmp', '1', other);
    await images().pull(`${registry.host}/tmp:1`);
    await restart();
    registry.push('base', '1', image);
    const pushed = await images().push(`${registry.host}/tmp:1`);
    const shared = pushed.blobs.find(({ digest }) => digest === image.layers[0]!.digest);
    expect(shared?.how).toBe('mounted');
    expect(registry.count(new RegExp(`POST /v2/tmp/blobs/uploads/\\?mount=${shared!.digest}&from=base`))).toBe(1);
  });

  test('a subject is noted by the registry, or by the list that stands in for it, once', async () => {
    const subject = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: sha256('subject'), size: 7 };
    const made = makeImage([[{ name: 'a' }]], { manifest: { subject, annotations: { k: 'v' } } });
    const name = await stored(made, 'app:1');
    await images().push(name);
    const tag = subject.digest.replace(':', '-');
    expect(registry.document('app', tag)).toBeUndefined();
    registry.hasReferrers = false;
    await images().push(name);
    await images().push(name);
    expect(JSON.parse(registry.document('app', tag)!.toString()).manifests).toEqual([
      {
        mediaType: made.manifest.mediaType,
        digest: made.manifest.digest,
        size: made.manifest.size,
        artifactType: 'application/vnd.oci.image.config.v1+json',
        annotations: { k: 'v' },
      },
    ]);
    const { referrers } = await images().referrers(`${registry.host}/app@${subject.digest}`);
    expect(referrers.map(({ digest }) => digest)).toEqual([made.manifest.digest]);
  });

  test('referrers come in pages, and of one type where it is given', async () => {
    registry.push('app', '1', image);
    const subject = { mediaType: image.manifest.mediaType, digest: image.manifest.digest, size: image.manifest.size };
    const refer = (artifactType: string) => {
      const text = Buffer.from(JSON.stringify({ schemaVersion: 2, artifactType, subject, config: {}, layers: [] }));
      registry.pushDocument('app', sha256(text), text, 'application/vnd.oci.image.manifest.v1+json');
      return sha256(text);
    };
    const digests = ['a/sbom', 'a/signature', 'a/sbom-2'].map(refer);
    registry.pageSize = 1;
    const found = await images().referrers(`${registry.host}/app:1`);
    expect(found.digest).toBe(image.manifest.digest);
    expect(found.referrers.map(({ digest }) => digest)).toEqual(digests);
    const some = await images().referrers(`${registry.host}/app:1`, 'a/signature');
    expect(some.referrers.map(({ digest }) => digest)).toEqual([digests[1]]);
  });

  test.each<[string, string, RegExp, () => void]>([
    [
      '403',
      'image.registry-refused',
      /denies/,
      () => registry.faults.push(times(1, /POST/, (r) => refuse(r, 403, 'DENIED', 'no'))),
    ],
    [
      '401',
      'image.registry-refused',
      /wants a login/,
      () => registry.faults.push(times(9, /POST/, (r) => refuse(r, 401, 'U', 'no'))),
    ],
    [
      '500',
      'image.registry-refused',
      /answered 500/,
      () => registry.faults.push(times(99, /PUT.*manif/, (r) => refuse(r, 500, 'U', 'no'))),
    ],
    [
      'too large',
      'image.registry-refused',
      /too large/,
      () => registry.faults.push(times(99, /PUT.*manif/, (r) => refuse(r, 413, 'U', 'no'))),
    ],
    [
      'silence',
      'image.registry-unreachable',
      /stopped sending/,
      () => registry.faults.push(times(99, /PUT.*manif/, () => {})),
    ],
  ])('%s is said in words', async (_, code, message, arrange) => {
    const name = await stored(image, 'app:1');
    arrange();
    await expect(images().push(name)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('a digest alone cannot be pushed to, and what is not here cannot be pushed', async () => {
    const name = await stored(image, 'app:1');
    await expect(images().push(name.replace(':1', `@${image.manifest.digest}`))).rejects.toMatchObject({
      code: 'image.reference',
    });
    await expect(images().push(`${registry.host}/other:1`)).rejects.toMatchObject({ code: 'image.not-found' });
  });

  test('a blob that is damaged here is refused there', async () => {
    const name = await stored(image, 'app:1');
    const path = join(world.host.layout.images, 'blobs', image.layers[0]!.digest.replace(':', '/'));
    fs.writeFileSync(path, Buffer.alloc(fs.statSync(path).size, 'x'));
    await expect(images().push(name)).rejects.toMatchObject({ message: expect.stringContaining('did not match') });
    expect(registry.document('app', '1')).toBeUndefined();
  });
});

describe('an upload', () => {
  const digest = sha256(content);
  const source = {
    digest,
    size: content.length,
    async *open(from: number, to: number) {
      for (let at = from; at < to; at += 50_000) yield content.subarray(at, Math.min(to, at + 50_000));
    },
  };
  const upload = async (chunkSize?: number, signal = new AbortController().signal) => {
    const [endpoint] = endpoints(parseReference(`${registry.host}/app:1`), {});
    using to = new Registry(endpoint!, 'app', signal, { ...defaultTiming, ...timing }, 'pull,push');
    return uploadBlob(to, source, chunkSize ? { chunkSize } : {});
  };
  const patches = () => registry.count(/^PATCH/);

  test('small in one request', async () => {
    expect(await upload()).toBe('uploaded');
    expect(registry.requests.map((line) => line.replace(/ .*/, ''))).toEqual(['HEAD', 'POST', 'PUT']);
    expect(await upload()).toBe('present');
  });

  test('in chunks, each no smaller than the registry asks for', async () => {
    expect(await upload(300_000)).toBe('uploaded');
    expect(patches()).toBe(4);
    registry.forget(digest);
    registry.requests = [];
    registry.uploads.minimum = 600_000;
    expect(await upload(300_000)).toBe('uploaded');
    expect(patches()).toBe(2);
  });

  test('a registry without chunks gets it whole', async () => {
    registry.uploads.hasChunks = false;
    expect(await upload(300_000)).toBe('uploaded');
    expect(patches()).toBe(1);
    expect(registry.uploads.open).toBe(0);
  });

  test.each([
    ['a chunk', 300_000],
    ['a whole', undefined],
  ])('%s that is cut is taken up where it broke', async (_, chunkSize) => {
    registry.uploads.cut = { after: 100_000, times: 2 };
    expect(await upload(chunkSize)).toBe('uploaded');
    expect(registry.count(/^GET .*uploads/)).toBe(2);
    expect(registry.count(/^POST/)).toBe(1);
    expect(registry.uploads.open).toBe(0);
  });

  test('a session that the registry lost begins anew', async () => {
    registry.faults.push(times(1, /^PATCH/, (response) => response.destroy()));
    registry.faults.push(
      times(1, /^GET .*uploads/, (response) => refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN', 'gone')),
    );
    expect(await upload(300_000)).toBe('uploaded');
    expect(registry.count(/^POST/)).toBe(2);
  });

  test('429 with Retry-After and 503 are waited for', async () => {
    registry.faults.push(
      times(1, /^PATCH/, (response) => {
        response.setHeader('retry-after', '1');
        refuse(response, 429, 'TOOMANYREQUESTS', 'slowly');
      }),
      times(1, /^PUT/, (response) => refuse(response, 503, 'UNAVAILABLE', 'busy')),
    );
    const began = performance.now();
    expect(await upload(300_000)).toBe('uploaded');
    expect(performance.now() - began).toBeGreaterThan(1000);
  });

  test('a registry that takes nothing is given up', async () => {
    registry.faults.push(times(99, /^PATCH/, () => {}));
    await expect(upload(300_000)).rejects.toMatchObject({ code: 'image.registry-unreachable' });
  });

  test('an interruption ends it', async () => {
    const stop = new AbortController();
    registry.faults.push(times(99, /^PATCH/, () => stop.abort()));
    await expect(upload(300_000, stop.signal)).rejects.toMatchObject({ code: 'plan.interrupted' });
  });
});
