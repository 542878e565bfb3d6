import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer, request as requestTls } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { StackError } from '../../../schemas/errors.ts';
import { parseReference } from '../reference.ts';
import { tlsOptions } from './certificates.ts';
import { endpoints } from './endpoint.ts';
import { Transient } from './failure.ts';
import { type Init, Transport } from './transport.ts';

let dir: string;
const closers: (() => void)[] = [];
const environment = { ...process.env };
type Registries = Parameters<typeof tlsOptions>[0];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'stack-transport-'));
  const openssl = (args: string) => execFileSync('openssl', args.split(' '), { cwd: dir, stdio: 'pipe' });
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
  openssl(`req -x509 ${key} -keyout ca.key -out ca.crt -subj /CN=ca -days 2`);
  for (const name of ['server', 'client']) {
    writeFileSync(join(dir, 'names'), 'subjectAltName=IP:127.0.0.1,DNS:registry.test');
    openssl(`req ${key} -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`);
    openssl(
      `x509 -req -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out ${name}.crt`,
    );
  }
});
afterAll(() => rmSync(dir, { recursive: true }));
afterEach(() => {
  for (const close of closers.splice(0)) close();
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']) {
    if (environment[name] === undefined) delete process.env[name];
    else process.env[name] = environment[name];
  }
});

const read = (name: string) => readFileSync(join(dir, name));

async function serve(listener: RequestListener, tls?: object): Promise<string> {
  const server = tls
    ? createTlsServer({ cert: read('server.crt'), key: read('server.key'), ...tls }, listener)
    : createServer(listener);
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function get(url: string, init: Init = {}, registries: Registries = {}): Promise<string> {
  const [endpoint] = endpoints(parseReference('registry.test/app'), { registries: registries ?? {} });
  const signal = new AbortController().signal;
  const stopped = () => new StackError('plan.interrupted', { message: 'x' });
  using transport = new Transport(endpoint!, signal, 500, stopped);
  const request = { endpoint: endpoint!, image: 'app', what: 'manifest 1' };
  try {
    const answer = await transport.exchange(request, url, init);
    let text = `${answer.status} `;
    for await (const chunk of answer.body()) text += Buffer.from(chunk).toString();
    return text;
  } catch (thrown) {
    throw thrown instanceof Transient ? thrown.error : thrown;
  }
}

const secret = { headers: { authorization: 'Basic c2VjcmV0' } };
const echo: RequestListener = (request, response) => response.end(`${request.headers.authorization ?? 'nothing'}`);

test('a login stays with the origin it was meant for, and is not taken up again', async () => {
  const far = await serve((request, response) => {
    if (request.url === '/back') response.writeHead(302, { location: `http://${near}/end` }).end();
    else echo(request, response);
  });
  const near = await serve((request, response) => {
    if (request.url === '/end') return echo(request, response);
    response.writeHead(307, { location: request.url === '/own' ? '/end' : `http://${far}${request.url}` }).end();
  });
  expect(await get(`http://${near}/own`, secret)).toBe('200 Basic c2VjcmV0');
  expect(await get(`http://${near}/end2`, secret)).toBe('200 nothing');
  expect(await get(`http://${near}/back`, secret)).toBe('200 nothing');
});

test.each([
  ['http://127.0.0.1:1/', /is not encrypted/],
  ['ftp://x/', /which is no address/],
  ['https://[', /which is no address/],
])('from TLS to %s is refused', async (location, words) => {
  const host = await serve((_, response) => response.writeHead(302, { location }).end(), {});
  await expect(get(`https://${host}/`, secret, { [host]: { insecure: true } })).rejects.toMatchObject({
    code: 'image.registry-protocol',
    message: expect.stringMatching(words),
  });
});

test('redirects without end, and one that loses what is sent, are refused', async () => {
  const host = await serve((_, response) => response.writeHead(302, { location: '/again' }).end());
  await expect(get(`http://${host}/`)).rejects.toThrow(/after 5 other places/);
  const content = { size: 1, open: () => [Buffer.from('x')] };
  await expect(get(`http://${host}/`, { method: 'PUT', content })).rejects.toThrow(/loses what PUT sends/);
});

test('what is sent goes along with a redirect that keeps it', async () => {
  const host = await serve((request, response) => {
    if (request.url === '/') return void response.writeHead(307, { location: '/kept' }).end();
    request.pipe(response);
  });
  const content = { size: 4, open: () => [Buffer.from('what')] };
  expect(await get(`http://${host}/`, { method: 'PUT', content })).toBe('200 what');
});

test('a refusal before all is sent is heard', async () => {
  const host = await serve((_, response) => response.writeHead(413).end('too much'));
  async function* endless() {
    for (let at = 0; at < 2000; at++) yield Buffer.alloc(1 << 20);
  }
  const answered = get(`http://${host}/`, { method: 'PUT', content: { size: 2000 << 20, open: endless } });
  // The peer may drop the rest before its answer is read.
  await expect(answered.catch((error: StackError) => `413 ${error.code}`)).resolves.toMatch(/^413/);
});

test('an authority of the settings, of docker’s folder, and none', async () => {
  const host = await serve(echo, {});
  const loopback = { [host]: { insecure: false } };
  await expect(get(`https://${host}/`, {}, loopback)).rejects.toMatchObject({
    code: 'image.registry-unreachable',
    message: expect.stringContaining('no authority that is trusted'),
    hint: expect.stringContaining(`registries.${host}.ca`),
  });
  expect(await get(`https://${host}/`, {}, { [host]: { ca: join(dir, 'ca.crt') } })).toBe('200 nothing');
  expect(await get(`https://${host}/`, {}, { [host]: { insecure: true } })).toBe('200 nothing');
  const folder = join(dir, 'certs.d');
  mkdirSync(join(folder, 'far.test:5000'), { recursive: true });
  writeFileSync(join(folder, 'far.test:5000/ca.crt'), read('ca.crt'));
  const reached = () =>
    new Promise((resolve, reject) => {
      const port = host.replace(/.*:/, '');
      const options = { host: '127.0.0.1', port, ...tlsOptions({}, 'far.test:5000', folder) };
      requestTls(options, ({ statusCode }) => resolve(statusCode))
        .on('error', reject)
        .end();
    });
  expect(await reached()).toBe(200);
  writeFileSync(join(folder, 'far.test:5000/ca.crt'), 'not a certificate');
  await expect(reached()).rejects.toThrow(/far\.test:5000\/ca\.crt for registry far\.test:5000 holds no certificate/);
  expect(tlsOptions({}, 'other.test', folder).rejectUnauthorized).toBe(true);
});

test('a host without TLS is told as such', async () => {
  const host = await serve(echo);
  await expect(get(`https://${host}/`)).rejects.toMatchObject({
    message: expect.stringContaining('it speaks no TLS'),
    hint: expect.stringContaining(`registries.${host}.insecure`),
  });
});

test('a certificate of ours is shown where the settings name one', async () => {
  const host = await serve(echo, { ca: read('ca.crt'), requestCert: true, rejectUnauthorized: true });
  const ca = join(dir, 'ca.crt');
  await expect(get(`https://${host}/`, {}, { [host]: { ca } })).rejects.toThrow();
  const registries = { [host]: { ca, clientCert: join(dir, 'client.crt'), clientKey: join(dir, 'client.key') } };
  expect(await get(`https://${host}/`, {}, registries)).toBe('200 nothing');
});

test('proxies: plain HTTP in absolute form, TLS through a tunnel, with the proxy’s own login', async () => {
  const host = await serve(echo, {});
  const port = Number(host.replace(/.*:/, ''));
  const seen: string[] = [];
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
    response.end(request.headers.host);
  });
  proxy.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url} ${request.headers['proxy-authorization']} ${request.headers.authorization}`);
    if (request.url?.startsWith('denied')) return void socket.end('HTTP/1.1 407 Login\r\n\r\n');
    const upstream = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    upstream.pipe(socket).pipe(upstream);
    for (const end of [upstream, socket]) end.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  process.env.HTTP_PROXY = `http://u:p@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  process.env.HTTPS_PROXY = process.env.HTTP_PROXY;
  const own = `Basic ${Buffer.from('u:p').toString('base64')}`;
  expect(await get('http://registry.test/v2/?a=b')).toBe('200 registry.test');
  const registries = { 'registry.test': { ca: join(dir, 'ca.crt') } };
  expect(await get('https://registry.test/v2/', secret, registries)).toBe('200 Basic c2VjcmV0');
  expect(seen).toEqual([`GET http://registry.test/v2/?a=b ${own}`, `CONNECT registry.test:443 ${own} undefined`]);
  await expect(get('https://denied.test/')).rejects.toThrow(/the proxy 127\.0\.0\.1:[0-9]+ answered 407/);
});

test('words of a registry cannot move the terminal’s cursor', async () => {
  const host = await serve((_, response) => response.writeHead(302, { location: 'x:%1b[2J\tq' }).end());
  await expect(get(`http://${host}/`)).rejects.not.toThrow(/[\u0000-\u001f]/);
});
