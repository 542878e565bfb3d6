import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeImage } from '../fixtures/image.ts';
import { RegistryFixture, refuse } from '../fixtures/registry.ts';
import { parseReference } from '../reference.ts';
import { readChallenges } from './challenge.ts';
import { findCredentials } from './credentials.ts';
import { endpoints } from './endpoint.ts';
import { readRetryAfter } from './failure.ts';
import { defaultTiming, Registry } from './registry.ts';

let dir: string;
let registry: RegistryFixture;
const saved = process.env.DOCKER_CONFIG;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'stack-auth-'));
  process.env.DOCKER_CONFIG = dir;
  registry = await RegistryFixture.start();
  registry.push('team/app', '1', makeImage([]));
});
afterEach(async () => {
  if (saved === undefined) delete process.env.DOCKER_CONFIG;
  else process.env.DOCKER_CONFIG = saved;
  rmSync(dir, { recursive: true });
  await registry[Symbol.asyncDispose]();
});

function logIn(auth: string | object): void {
  const entry = typeof auth === 'string' ? { auth: Buffer.from(auth).toString('base64') } : auth;
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ auths: { [registry.host]: entry } }));
}

function client(): Registry {
  const [endpoint] = endpoints(parseReference(`${registry.host}/team/app:1`), {});
  return new Registry(endpoint!, 'app', new AbortController().signal, { ...defaultTiming, tries: 1 });
}

/** Wants `authorization`, else answers with `challenge`. */
function demand(authorization: string, challenge: string): void {
  registry.faults.push((request, response) => {
    if (!request.url?.startsWith('/v2/') || request.headers.authorization === authorization) return false;
    response.setHeader('www-authenticate', challenge);
    refuse(response, 401, 'UNAUTHORIZED', 'authentication required');
    return true;
  });
}

/** A token service at /token: answers what `token` makes of the request. */
function serveTokens(token: (authorization: string | undefined, body: string, url: URL) => object | null): void {
  registry.faults.push((request, response) => {
    if (!request.url?.startsWith('/token')) return false;
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const answer = token(request.headers.authorization, body, new URL(request.url!, 'http://x'));
      if (answer) response.end(JSON.stringify(answer));
      else refuse(response, 401, 'UNAUTHORIZED', 'no');
    });
    return true;
  });
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

test('basic: the login of docker is used, its absence is explained', async () => {
  demand(basic('ann:s:ecret'), 'Basic realm="r"');
  await expect(client().manifest('1')).rejects.toMatchObject({
    code: 'image.registry-refused',
    message: expect.stringContaining('authentication required'),
    hint: expect.stringContaining('stack login'),
  });
  logIn('ann:s:ecret');
  expect((await client().manifest('1')).mediaType).toContain('manifest');
  logIn('ann:wrong');
  await expect(client().manifest('1')).rejects.toMatchObject({ code: 'image.registry-refused' });
});

test('bearer: an anonymous token for the scope that was asked', async () => {
  const asked: string[] = [];
  serveTokens((authorization, _, url) => {
    asked.push(`${authorization} ${url.searchParams.get('service')} ${url.searchParams.get('scope')}`);
    return { token: 't1' };
  });
  const scope = 'repository:team/app:pull';
  demand('Bearer t1', `Bearer realm="http://${registry.host}/token",service="reg",scope="${scope}"`);
  const reader = client();
  await reader.manifest('1');
  await reader.manifest('1');
  expect(asked).toEqual([`undefined reg ${scope}`]);
});

test('bearer: credentials go to the token service; a refresh token by POST', async () => {
  serveTokens((authorization, body) => {
    if (authorization === basic('ann:secret')) return { access_token: 't2' };
    const form = new URLSearchParams(body);
    return form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === 'long'
      ? { access_token: 't2' }
      : null;
  });
  demand('Bearer t2', `Bearer realm="http://${registry.host}/token"`);
  await expect(client().manifest('1')).rejects.toMatchObject({ code: 'image.registry-refused' });
  logIn('ann:secret');
  await client().manifest('1');
  logIn({ username: 'ann', identitytoken: 'long' });
  await client().manifest('1');
});

test.each<[string, object[]]>([
  [
    'Bearer realm="https://a/token",service="s",scope="x:y,z"',
    [{ scheme: 'bearer', parameters: { realm: 'https://a/token', service: 's', scope: 'x:y,z' } }],
  ],
  ['BASIC realm=plain', [{ scheme: 'basic', parameters: { realm: 'plain' } }]],
  [
    'Negotiate, Basic realm="a \\"b\\"", Bearer realm="https://c/"',
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'a "b"' } },
      { scheme: 'bearer', parameters: { realm: 'https://c/' } },
    ],
  ],
  ['=,"', []],
  ['', []],
])('challenge %s', (header, challenges) => {
  expect(readChallenges(header)).toEqual(challenges);
});

test('credentials are found under the names docker files them', async () => {
  const file = join(dir, 'config.json');
  const auth = Buffer.from('u:p').toString('base64');
  writeFileSync(
    file,
    JSON.stringify({ auths: { 'https://index.docker.io/v1/': { auth }, 'https://ghcr.io': { auth } } }),
  );
  const [hub] = endpoints(parseReference('redis'), {});
  expect(await findCredentials(hub!.credentialKeys, file)).toEqual({ user: 'u', password: 'p' });
  expect(await findCredentials(['ghcr.io'], file)).toEqual({ user: 'u', password: 'p' });
  expect(await findCredentials(['other.io'], file)).toBeUndefined();
  writeFileSync(file, 'not json');
  expect(await findCredentials(['ghcr.io'], file)).toBeUndefined();
});

test('credential helpers are asked by registry, then the one for all', async () => {
  const file = join(dir, 'config.json');
  const helper = (name: string, answers: Record<string, object>) => {
    const cases = Object.entries(answers).map(([key, answer]) => `'${key}') echo '${JSON.stringify(answer)}';;`);
    const script = `#!/bin/sh\n[ "$1" = get ] || exit 3\ncase "$(cat)" in ${cases.join(' ')} *) exit 1;; esac\n`;
    writeFileSync(join(dir, `docker-credential-${name}`), script, { mode: 0o755 });
  };
  helper('one', { 'ghcr.io': { Username: 'ann', Secret: 's' } });
  helper('all', { 'other.io': { Username: '<token>', Secret: 'long' } });
  const auth = Buffer.from('u:p').toString('base64');
  const auths = { 'plain.io': { auth } };
  writeFileSync(
    file,
    JSON.stringify({ auths, credHelpers: { 'ghcr.io': 'one', 'gone.io': 'absent' }, credsStore: 'all' }),
  );
  const path = process.env.PATH;
  process.env.PATH = `${dir}:${path}`;
  try {
    expect(await findCredentials(['ghcr.io'], file)).toEqual({ user: 'ann', password: 's' });
    expect(await findCredentials(['other.io'], file)).toEqual({ user: '<token>', password: '', identityToken: 'long' });
    expect(await findCredentials(['plain.io'], file)).toEqual({ user: 'u', password: 'p' });
    expect(await findCredentials(['gone.io'], file)).toBeUndefined();
    expect(await findCredentials(['unknown.io'], file)).toBeUndefined();
  } finally {
    process.env.PATH = path;
  }
});

test('endpoints: mirrors with scheme and prefix first; http only where it is allowed', () => {
  const settings = {
    registries: {
      'docker.io': { mirrors: ['http://127.0.0.1:5000', 'm.example.com/hub/'] },
      'own.example.com': { insecure: true },
    },
  };
  const show = (name: string) =>
    endpoints(parseReference(name), settings).map(
      ({ schemes, host, repository }) => `${schemes} ${host} ${repository}`,
    );
  expect(show('redis')).toEqual([
    'http 127.0.0.1:5000 library/redis',
    'https m.example.com hub/library/redis',
    'https registry-1.docker.io library/redis',
  ]);
  expect(show('own.example.com/a')).toEqual(['https,http own.example.com a']);
  expect(show('other.example.com/a')).toEqual(['https other.example.com a']);
  expect(show('localhost:5000/a')).toEqual(['https,http localhost:5000 a']);
});

test('Retry-After is seconds or a date', () => {
  expect(readRetryAfter('7')).toBe(7000);
  expect(readRetryAfter('Thu, 01 Jan 1970 00:00:10 GMT', 4000)).toBe(6000);
  expect(readRetryAfter('soon')).toBeUndefined();
});
