/** Logins and content stay where they are meant to go, whatever a registry or token service answers. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseReference } from '../reference.ts';
import { endpoints } from './endpoint.ts';
import { defaultTiming, Registry } from './registry.ts';
import { uploadBlob } from './upload.ts';

let dir: string;
const closers: (() => void)[] = [];
const saved = process.env.DOCKER_CONFIG;
const signal = new AbortController().signal;
const timing = { ...defaultTiming, tries: 1, stall: 500 };
const blob = {
  digest: `sha256:${'a'.repeat(64)}`,
  size: 3,
  open: async function* () {
    yield Buffer.from('abc');
  },
};

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'stack-secrets-'));
  process.env.DOCKER_CONFIG = dir;
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
  if (saved === undefined) delete process.env.DOCKER_CONFIG;
  else process.env.DOCKER_CONFIG = saved;
  rmSync(dir, { recursive: true });
});

async function serve(listener: RequestListener, tls?: object): Promise<string> {
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Files a login for `host`. */
function logIn(host: string, entry: object): void {
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ auths: { [host]: entry } }));
}

function client(host: string, settings: object = {}): Registry {
  const [endpoint] = endpoints(parseReference(`${host}/team/app:1`), { registries: { [host]: settings } });
  return new Registry(endpoint!, 'app', signal, timing, 'pull,push');
}

test.each([
  ['the same host', (own: string) => `http://${own}/upload`],
  ['another host', (_: string, plain: string) => `http://${plain}/upload`],
])('an upload does not leave TLS for plain HTTP at %s', async (_, place) => {
  const args = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out crt -subj /CN=a -days 2';
  execFileSync('openssl', [...args.split(' '), '-addext', 'subjectAltName=IP:127.0.0.1'], { cwd: dir, stdio: 'pipe' });
  const heard: string[] = [];
  const plain = await serve((request, response) => {
    heard.push(`${request.method} ${request.headers.authorization}`);
    response.writeHead(201).end();
  });
  let own = '';
  own = await serve(
    (request, response) => {
      if (!request.headers.authorization) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else if (request.method === 'HEAD') response.writeHead(404).end();
      else response.writeHead(202, { location: place(own, plain) }).end();
    },
    { cert: readFileSync(join(dir, 'crt')), key: readFileSync(join(dir, 'key')) },
  );
  logIn(own, { auth: Buffer.from('ann:secret').toString('base64') });
  using registry = client(own, { ca: join(dir, 'crt') });
  await expect(uploadBlob(registry, blob)).rejects.toMatchObject({
    code: 'image.registry-protocol',
    message: expect.stringContaining('not encrypted'),
  });
  expect(heard).toEqual([]);
});

test('a refresh token is not sent on to another host by a redirect of the token service', async () => {
  const heard: string[] = [];
  const other = await serve((request, response) => {
    request.on('data', (data) => heard.push(String(data))).on('end', () => response.end('{"token":"t"}'));
  });
  let own = '';
  own = await serve((request, response) => {
    if (request.url === '/token') response.writeHead(307, { location: `http://${other}/token` }).end();
    else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${own}/token"` }).end();
  });
  logIn(own, { auth: Buffer.from('ann:').toString('base64'), identitytoken: 'refresh-secret' });
  using registry = client(own);
  await expect(registry.manifest('1')).rejects.toMatchObject({ code: 'image.registry-protocol' });
  expect(heard).toEqual([]);
});

test('a host that the registry redirects to cannot ask for the login', async () => {
  const heard: string[] = [];
  let far = '';
  far = await serve((request, response) => {
    heard.push(`${request.url} ${request.headers.authorization ?? 'nothing'}`);
    if (request.url?.startsWith('/token')) response.end('{"token":"t"}');
    else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${far}/token"` }).end();
  });
  const own = await serve((_, response) => response.writeHead(307, { location: `http://${far}/blob` }).end());
  logIn(own, { auth: Buffer.from('ann:secret').toString('base64') });
  using registry = client(own);
  await expect(registry.blob(blob.digest, 3).next()).rejects.toMatchObject({ code: 'image.registry-refused' });
  expect(heard).toEqual(['/blob nothing']);
});
