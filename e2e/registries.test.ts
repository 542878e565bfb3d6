/** Pushing to and pulling from a real registry: with TLS, and with faults in between. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { repository } from './harness/harness.ts';
import { busybox, copy, registries } from './harness/registries.ts';
import { expectError, scenario } from './harness/scenario.ts';

const world = scenario();
const { serve, bring, digestOf, ok } = registries(world);
interface Fault {
  pattern: string;
  kind: 'answer' | 'drop' | 'cut' | 'truncate' | 'corrupt';
  times: number;
  bytes?: number;
  status?: number;
  headers?: Record<string, string>;
}

test('TLS with an authority of its own: named in the settings, and refused without', async () => {
  const { host } = world;
  const at = '192.0.2.1:5443';
  const folder = join(host.folder, 'tls');
  await host.read(`mkdir ${folder} && cd ${folder} &&
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -subj /CN=ca -days 2 2>/dev/null &&
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=registry 2>/dev/null &&
    printf 'subjectAltName=IP:192.0.2.1' > names &&
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt 2>/dev/null &&
    mkdir trusted && cp ca.crt trusted/`);
  await serve(at, { tls: { certificate: `${folder}/server.crt`, key: `${folder}/server.key` } });
  const settings = (registries: object) => {
    const file = join(folder, 'settings.json');
    writeFileSync(file, JSON.stringify({ registries, cgroupParent: host.cgroupParent }));
    return { env: { STACK_SETTINGS: file } };
  };
  const name = `${at}/app:1`;
  const digest = await bring(name);
  expectError(
    await host.stack(['image', 'push', name], settings({})),
    1,
    /no authority that is trusted/,
    /registries\.192\.0\.2\.1:5443\.ca/,
  );
  const trusting = settings({ [at]: { ca: `${folder}/ca.crt` } });
  await ok(['image', 'push', name], trusting);
  await ok(['image', 'rm', name]);
  await ok(['image', 'pull', name], trusting);
  expect(await digestOf(name)).toBe(digest);
  const seen = await host.read(`skopeo inspect --cert-dir ${folder}/trusted --format '{{.Digest}}' docker://${name}`);
  expect(seen).toBe(digest);
});

describe('through a proxy that misbehaves', () => {
  const at = '127.0.0.1:5012';
  const big = 20_000_000;
  const misbehave = async (...faults: Fault[]) => {
    await world.host.read(`curl -sf -d '${JSON.stringify(faults)}' http://${at}/faults`);
  };
  const requests = async () => JSON.parse(await world.host.read(`curl -sf http://${at}/requests`)) as string[];
  let layer = '';

  beforeAll(async () => {
    const { host } = world;
    await serve('127.0.0.1:5013');
    await host.background([process.execPath, join(repository, 'e2e/harness/faulty.mjs'), '5012', '5013'], /ready/);
    // Random, so that it stays as large when it is compressed; above the size up to which one request does.
    await host.read(`cd ${host.folder} && mkdir big && head -c ${big} /dev/urandom > big/random && tar -C big -cf big.tar random &&
      ${copy} ${busybox} oci:large:${at}/large:1 && umoci raw add-layer --image large:${at}/large:1 big.tar`);
    await ok(['image', 'load', '-i', `${host.folder}/large`]);
    const { Manifest } = JSON.parse(await ok(['image', 'inspect', `${at}/large:1`]))[0];
    layer = Manifest.layers.at(-1).digest;
  });

  test('an upload that is cut, and one that the registry is too busy for, end well', async () => {
    await misbehave(
      { pattern: '^PATCH', kind: 'cut', times: 1, bytes: 5_000_000 },
      { pattern: '^PATCH', kind: 'answer', times: 1, status: 503 },
      { pattern: '^PUT.*manifests', kind: 'answer', times: 1, status: 503 },
    );
    const digest = await digestOf(`${at}/large:1`);
    expect(await ok(['image', 'push', `${at}/large:1`])).toContain(digest);
    const seen = await requests();
    expect(seen.filter((line) => /^PATCH.* cut$/.test(line))).toHaveLength(1);
    // docker-registry answers 404 to a session that was cut, which then begins anew, and goes on with one that was not.
    const asked = seen.filter((line) => /^GET .*uploads/.test(line)).map((line) => line.replace(/.* /, ''));
    expect(asked).toEqual(['404', '204']);
    expect(seen.filter((line) => /^POST .*uploads/.test(line))).toHaveLength(4);
    const manifest = await world.host.read(
      `skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://${at}/large:1`,
    );
    expect(manifest).toBe(digest);
    await world.host.read(`${copy} --src-tls-verify=false docker://${at}/large:1 dir:${world.host.folder}/back`);
  });

  test('a second push sends nothing, and to another repository the blobs are shared', async () => {
    await misbehave();
    await ok(['image', 'push', `${at}/large:1`]);
    expect((await requests()).filter((line) => /^(POST|PATCH|PUT .*blobs)/.test(line))).toEqual([]);
    await world.host.read(`cd ${world.host.folder} && ${copy} oci:large:${at}/large:1 oci:other:${at}/other:1`);
    await ok(['image', 'load', '-i', `${world.host.folder}/other`]);
    await misbehave();
    await ok(['image', 'push', `${at}/other:1`]);
    const seen = await requests();
    expect(
      seen.filter((line) => line.startsWith(`POST /v2/other/blobs/uploads/?mount=${layer}&from=large 201`)),
    ).toHaveLength(1);
    expect(seen.filter((line) => /^PATCH/.test(line))).toEqual([]);
  });

  test.each<[string, Fault[]]>([
    ['drops', [{ pattern: 'GET .*blobs', kind: 'drop', times: 4, bytes: 1_000_000 }]],
    ['ends early', [{ pattern: 'GET .*blobs', kind: 'truncate', times: 3, bytes: 700_000 }]],
    ['answers 500', [{ pattern: 'GET', kind: 'answer', times: 2, status: 500 }]],
    [
      'asks to wait',
      [{ pattern: 'GET .*manifests', kind: 'answer', times: 1, status: 429, headers: { 'retry-after': '1' } }],
    ],
  ])('a pull from a registry that %s ends well', async (_, faults) => {
    const name = `${at}/large:1`;
    const digest = await digestOf(name);
    for (const each of [name, `${at}/other:1`]) await world.host.stack(['image', 'rm', each]);
    await misbehave(...faults);
    await ok(['image', 'pull', name]);
    expect(await digestOf(name)).toBe(digest);
  });

  test('a second pull with nothing new is one request', async () => {
    await misbehave();
    await ok(['image', 'pull', `${at}/large:1`]);
    expect(await requests()).toEqual(['HEAD /v2/large/manifests/1 200']);
  });

  test('a layer that is changed on the way is refused, and the store stays as it was', async () => {
    const name = `${at}/large:1`;
    await ok(['image', 'rm', name]);
    await misbehave({ pattern: `GET .*${layer}`, kind: 'corrupt', times: 9 });
    expectError(await world.host.stack(['image', 'pull', name]), 1, /large:1/, /digest/);
    expect(await ok(['image', 'ls'])).not.toContain('large');
    await misbehave();
    await ok(['image', 'pull', name]);
  });

  test('what skopeo pushed, in both formats, is pulled', async () => {
    for (const format of ['oci', 'v2s2']) {
      const name = `${at}/skopeo:${format}`;
      await world.host.read(`${copy} --format ${format} ${busybox} --dest-tls-verify=false docker://${name}`);
      await ok(['image', 'pull', name]);
      const inspected = JSON.parse(await ok(['image', 'inspect', name]))[0];
      const digest = await world.host.read(`skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://${name}`);
      expect(inspected.RepoDigests).toContain(`${at}/skopeo@${digest}`);
      expect(await ok(['image', 'push', name])).toContain(digest);
    }
  });
});

test('a registry that swallows every packet is given up after ten seconds', async () => {
  const { host } = world;
  const filter = `nft 'add table inet silent; add chain inet silent in { type filter hook input priority 0; };
    add rule inet silent in tcp dport 9999 drop'`;
  await host.read(filter, { from: 'outside' });
  const began = Date.now();
  expectError(
    await host.stack(['image', 'pull', '192.0.2.2:9999/app:1']),
    1,
    /192\.0\.2\.2:9999/,
    /it does not answer/,
  );
  expect(Date.now() - began).toBeLessThan(20_000);
  await host.read('nft delete table inet silent', { from: 'outside' });
});

test('`push` sends the images of services that are built', async () => {
  const name = '127.0.0.1:5012/built:1';
  await bring(name);
  const stack = world.project('pushing', {
    services: { web: { build: '.', image: name }, cache: { image: '127.0.0.1:5012/none:1' } },
  });
  expect(await stack.stack(['push'])).toMatchObject({ code: 0 });
  expect((await world.host.request('http://127.0.0.1:5012/v2/built/tags/list')).body).toContain('"1"');
  stack.define({ services: { cache: { image: 'busybox:1' } } });
  const nothing = await stack.stack(['push']);
  expect([nothing.code, nothing.stderr]).toEqual([0, expect.stringContaining('nothing to push')]);
});
