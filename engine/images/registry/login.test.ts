import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RegistryFixture, refuse } from '../fixtures/registry.ts';
import { eraseSecret, getSecret, listSecrets, storeSecret } from './credential-helper.ts';
import { findLogin } from './credentials.ts';
import { filedLogin, login, logout, readServer } from './login.ts';

let dir: string;
let file: string;
let registry: RegistryFixture;
const saved = { DOCKER_CONFIG: process.env.DOCKER_CONFIG, PATH: process.env.PATH };

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'stack-login-'));
  file = join(dir, 'config.json');
  process.env.DOCKER_CONFIG = dir;
  registry = await RegistryFixture.start();
});
afterEach(async () => {
  for (const [name, value] of Object.entries(saved)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  rmSync(dir, { recursive: true });
  await registry[Symbol.asyncDispose]();
});

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const config = () => JSON.parse(readFileSync(file, 'utf8'));
const logIn = (user = 'ann', password = 's:ecret') =>
  login(
    { user, password },
    { server: registry.host, settings: {}, signal: new AbortController().signal, timing: { backoff: 5 } },
  );

function demand(authorization: string, challenge: string): void {
  registry.faults.push((request, response) => {
    if (!request.url?.startsWith('/v2/') || request.headers.authorization === authorization) return false;
    response.setHeader('www-authenticate', challenge);
    refuse(response, 401, 'UNAUTHORIZED', 'authentication required');
    return true;
  });
}

test('only a login that is right is kept, and only its owner can read it', async () => {
  demand(basic('ann:s:ecret'), 'Basic realm="r"');
  await expect(logIn('ann', 'wrong')).rejects.toMatchObject({
    code: 'image.registry-refused',
    message: expect.stringContaining('of ann'),
  });
  expect(readdirSync(dir)).toEqual([]);
  expect(await logIn()).toMatchObject({ place: file });
  expect(config()).toEqual({ auths: { [registry.host]: { auth: Buffer.from('ann:s:ecret').toString('base64') } } });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await filedLogin(registry.host)).toEqual({ user: 'ann', password: 's:ecret' });
});

test('the rest of the file stays: other logins, settings of docker, the link it lies behind', async () => {
  const other = { auths: { 'a.test': { auth: 'eDp5', email: 'a@b' } }, psFormat: 'x', proxies: { default: {} } };
  writeFileSync(join(dir, 'real.json'), JSON.stringify(other));
  chmodSync(join(dir, 'real.json'), 0o644);
  symlinkSync('real.json', file);
  await logIn();
  expect(config()).toEqual({ ...other, auths: { ...other.auths, [registry.host]: expect.anything() } });
  expect(lstatSync(file).isSymbolicLink()).toBe(true);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await logout(registry.host)).toBe(true);
  expect(config()).toEqual(other);
  expect(await logout(registry.host)).toBe(false);
  expect(readdirSync(dir).sort()).toEqual(['config.json', 'real.json']);
});

test('a file that is no JSON is left as it is', async () => {
  writeFileSync(file, '{ broken');
  await expect(logIn()).rejects.toMatchObject({ code: 'config.unreadable' });
  expect(readFileSync(file, 'utf8')).toBe('{ broken');
});

test('a token service that gives a refresh token: it is kept in place of the password', async () => {
  demand('Bearer t', `Bearer realm="http://${registry.host}/token",service="s"`);
  registry.faults.push((request, response) => {
    if (!request.url?.startsWith('/token')) return false;
    const url = new URL(request.url, 'http://x');
    const isRight =
      request.headers.authorization === basic('ann:s:ecret') && url.searchParams.get('offline_token') === 'true';
    if (isRight) response.end(JSON.stringify({ token: 't', refresh_token: 'long' }));
    else refuse(response, 401, 'UNAUTHORIZED', 'no');
    return true;
  });
  await expect(logIn('ann', 'wrong')).rejects.toMatchObject({ code: 'image.registry-refused' });
  await logIn();
  const auth = Buffer.from('ann:').toString('base64');
  expect(config()).toEqual({ auths: { [registry.host]: { auth, identitytoken: 'long' } } });
  expect(readFileSync(file, 'utf8')).not.toContain('ecret');
  expect(await filedLogin(registry.host)).toEqual({ user: 'ann', password: '', identityToken: 'long' });
});

test.each([
  ['', 'https://index.docker.io/v1/'],
  ['docker.io', 'https://index.docker.io/v1/'],
  ['https://r.test:5000/v2/', 'r.test:5000'],
  ['registry', 'registry'],
])('server "%s" is filed under %s', (server, key) => {
  expect(readServer(server).key).toBe(key);
});

test('what is no server is refused', () => {
  expect(() => readServer('a b')).toThrow(expect.objectContaining({ code: 'usage' }));
  expect(() => readServer('../x')).toThrow(expect.objectContaining({ code: 'usage' }));
});

test('a helper: store, get, list, erase; its own words where it fails', async () => {
  const kept = join(dir, 'kept');
  const script = `#!/bin/sh
case $1 in
  store) cat > ${kept} ;;
  get) read -r key; grep -q "\\"$key\\"" ${kept} 2>/dev/null && cat ${kept} || { echo "credentials not found in native keychain"; exit 1; } ;;
  list) echo '{"r.test":"ann"}' ;;
  erase) cat > /dev/null; rm -f ${kept} ;;
esac
`;
  writeFileSync(join(dir, 'docker-credential-own'), script, { mode: 0o755 });
  writeFileSync(join(dir, 'docker-credential-locked'), '#!/bin/sh\necho "keychain\x1b[2J is locked"; exit 1\n', {
    mode: 0o755,
  });
  process.env.PATH = `${dir}:${saved.PATH}`;
  expect(await getSecret('own', 'r.test\n')).toBeUndefined();
  await storeSecret('own', { ServerURL: 'r.test', Username: 'ann', Secret: 'x' });
  expect(await getSecret('own', 'r.test\n')).toEqual({ user: 'ann', secret: 'x' });
  expect(await listSecrets('own')).toEqual({ 'r.test': 'ann' });
  await eraseSecret('own', 'r.test');
  expect(await getSecret('own', 'r.test\n')).toBeUndefined();
  await expect(getSecret('locked', 'r.test')).rejects.toThrow(
    'docker-credential-locked failed: keychain [2J is locked',
  );
  await expect(getSecret('absent', 'r.test')).rejects.toThrow('docker-credential-absent is not on the PATH');
  await expect(getSecret('../../bin/sh', 'r.test')).rejects.toThrow('is no name of a helper');
  writeFileSync(file, JSON.stringify({ credsStore: 'locked' }));
  expect(await findLogin(['r.test'])).toMatchObject({ problem: expect.stringContaining('is locked') });
});
