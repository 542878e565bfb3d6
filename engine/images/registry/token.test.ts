import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeImage } from '../fixtures/image.ts';
import { drop, RegistryFixture, refuse, times } from '../fixtures/registry.ts';
import { parseReference } from '../reference.ts';
import { endpoints } from './endpoint.ts';
import { defaultTiming, Registry } from './registry.ts';

const image = makeImage([[{ name: 'a', content: Buffer.alloc(400_000, 'content') }]], { compression: 'none' });
const layer = image.layers[0]!;
let dir: string;
let registry: RegistryFixture;
/** Scopes asked for, a line each request. */
let asked: string[];
/** The token that is good now; each answer of the service makes a new one unless the test says otherwise. */
let good: string;
let lifetime: number | undefined;
const saved = process.env.DOCKER_CONFIG;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'stack-token-'));
  process.env.DOCKER_CONFIG = dir;
  registry = await RegistryFixture.start();
  registry.push('team/app', '1', image);
  asked = [];
  good = '';
  lifetime = undefined;
  let count = 0;
  registry.faults.push((request, response) => {
    const url = new URL(request.url!, 'http://registry');
    if (url.pathname === '/token') {
      asked.push(url.searchParams.getAll('scope').join(' '));
      good = `token-${++count}`;
      response.end(JSON.stringify({ token: good, ...(lifetime ? { expires_in: lifetime } : {}) }));
      return true;
    }
    if (good !== '' && request.headers.authorization === `Bearer ${good}`) return false;
    const scope = url.searchParams.has('mount') ? 'repository:base:pull' : 'repository:team/app:pull';
    response.setHeader('www-authenticate', `Bearer realm="http://${registry.host}/token",service="s",scope="${scope}"`);
    refuse(response, 401, 'UNAUTHORIZED', 'authentication required');
    return true;
  });
});
afterEach(async () => {
  if (saved === undefined) delete process.env.DOCKER_CONFIG;
  else process.env.DOCKER_CONFIG = saved;
  rmSync(dir, { recursive: true });
  await registry[Symbol.asyncDispose]();
});

function client(actions: 'pull' | 'pull,push' = 'pull'): Registry {
  const [endpoint] = endpoints(parseReference(`${registry.host}/team/app:1`), {});
  const timing = { ...defaultTiming, backoff: 5, stall: 500 };
  return new Registry(endpoint!, 'app', new AbortController().signal, timing, actions);
}

async function bytes(reader: Registry): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of reader.blob(layer.digest, layer.blob.length)) parts.push(chunk);
  return Buffer.concat(parts);
}

test('requests at the same time share one token', async () => {
  using reader = client();
  await Promise.all([reader.manifest('1'), reader.manifest('1'), bytes(reader), bytes(reader)]);
  expect(asked).toEqual(['repository:team/app:pull']);
});

test('a token that ends in the middle of a layer is renewed, and the layer goes on where it was', async () => {
  registry.faults.push(
    times(1, new RegExp(`GET .*${layer.digest}`), (response, request) => {
      good = 'ended';
      drop(layer.blob, 100_000)(response, request);
    }),
  );
  using reader = client();
  expect(await bytes(reader)).toEqual(layer.blob);
  expect(asked).toHaveLength(2);
});

test('a token that has run out by the clock is not sent', async () => {
  lifetime = 0.001;
  using reader = client();
  await reader.manifest('1');
  registry.requests = [];
  await new Promise((resolve) => setTimeout(resolve, 5));
  await reader.manifest('1');
  expect(registry.requests.map((line) => line.replace(/\?.*/, ''))).toEqual([
    'GET /token',
    'GET /v2/team/app/manifests/1',
  ]);
});

test('a token for more than before, where a blob is shared from another repository', async () => {
  using writer = client('pull,push');
  await writer.manifest('1');
  const request = writer.client.request('blob');
  good = 'of before';
  const target = writer.path(`blobs/uploads/?mount=${layer.digest}&from=base`);
  (await writer.client.exchange(request, target, { method: 'POST' }, [201, 202])).cancel();
  expect(asked).toEqual(['repository:team/app:pull,push', 'repository:team/app:pull,push repository:base:pull']);
});

test('a token that is refused at once is an error, not a circle', async () => {
  registry.faults.unshift(
    times(99, /\/v2\//, (response) => {
      response.setHeader('www-authenticate', `Bearer realm="http://${registry.host}/token"`);
      refuse(response, 401, 'UNAUTHORIZED', 'not that one');
    }),
  );
  using reader = client();
  await expect(reader.manifest('1')).rejects.toMatchObject({ code: 'image.registry-refused' });
  expect(asked).toHaveLength(1);
});

test.each<[string, object | string, RegExp]>([
  ['no JSON', '<html>', /does not answer with JSON/],
  ['no token', {}, /gives no token/],
  ['a token with a line break', { token: 'a\r\nx: y' }, /gives no token/],
  ['too much', 'x'.repeat(2 << 20), /more than/],
])('a token service that answers with %s', async (_, answer, words) => {
  registry.faults.unshift(
    times(1, /\/token/, (response) => response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))),
  );
  using reader = client();
  await expect(reader.manifest('1')).rejects.toMatchObject({
    code: 'image.registry-protocol',
    message: expect.stringMatching(words),
  });
});

test.each([
  ['http://far.test/token', /not encrypted/],
  ['file:///etc/passwd', /no address/],
])('no login is sent to %s', async (realm, words) => {
  const file = { auths: { [registry.host]: { auth: Buffer.from('ann:secret').toString('base64') } } };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(file));
  registry.faults.unshift(
    times(99, /\/v2\//, (response) => {
      response.setHeader('www-authenticate', `Bearer realm="${realm}"`);
      refuse(response, 401, 'UNAUTHORIZED', 'no');
    }),
  );
  using reader = client();
  // As over TLS: over plain HTTP there is nothing more to lose.
  reader.endpoint.schemes = ['https', 'http'];
  await expect(
    reader.client.authorization.answer(reader.client.request('x'), `Bearer realm="${realm}"`, undefined),
  ).rejects.toThrow(words);
});

test('a registry token of the file is shown as it is', async () => {
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ auths: { [registry.host]: { registrytoken: 'own' } } }));
  good = 'own';
  using reader = client();
  await reader.manifest('1');
  expect(asked).toEqual([]);
});
