/** A real registry on the loopback interface: Debian's docker-registry over the built images, and pushing into it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Places } from './places.ts';

export interface Registry {
  /** `http://127.0.0.1:5123` */
  url: string;
  stop(): Promise<void>;
}

/** The file docker-registry reads (distribution, docs/configuration.md). JSON is YAML. */
export function registryConfig(at: Places, port: number, isReadOnly: boolean): string {
  return JSON.stringify({
    version: '0.1',
    log: { level: 'warn' },
    storage: { filesystem: { rootdirectory: at.registry }, maintenance: { readonly: { enabled: isReadOnly } } },
    http: { addr: `127.0.0.1:${port}`, secret: 'loopback only' },
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts the registry on a free port of 127.0.0.1 and resolves once it answers. */
export async function startRegistry(at: Places): Promise<Registry> {
  const port = await freePort();
  const config = `${at.root}/registry-${port}.yml`;
  mkdirSync(at.registry, { recursive: true });
  writeFileSync(config, registryConfig(at, port, false));
  const log = openSync(`${at.root}/registry.log`, 'a');
  const child: ChildProcess = spawn(at.registryBinary, ['serve', config], { stdio: ['ignore', log, log] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(`${url}/v2/`).catch(() => undefined);
    if (answer?.ok) break;
    if (attempt === 200 || child.exitCode !== null)
      throw new Error(`docker-registry does not start: ${at.root}/registry.log`);
    await delay(50);
  }
  return {
    url,
    async stop() {
      child.kill();
      await exited;
      rmSync(config, { force: true });
    },
  };
}

async function expectStatus(answer: Response, allowed: number[], what: string): Promise<Response> {
  if (!allowed.includes(answer.status)) throw new Error(`${what}: HTTP ${answer.status} ${await answer.text()}`);
  return answer;
}

/**
 * Uploads a blob unless the registry has it (distribution-spec, "Pushing a blob monolithically").
 * @param from a repository that may have the blob already, and then shares it.
 */
export async function pushBlob(
  url: string,
  repository: string,
  digest: string,
  body: () => Promise<Blob | Buffer>,
  from?: string,
): Promise<void> {
  const base = `${url}/v2/${repository}/blobs`;
  if ((await fetch(`${base}/${digest}`, { method: 'HEAD' })).ok) return;
  const query = from && from !== repository ? `?mount=${digest}&from=${from}` : '';
  const begun = await fetch(`${base}/uploads/${query}`, { method: 'POST' });
  await expectStatus(begun, [201, 202], `push to ${repository}`);
  if (begun.status === 201) return;
  const target = new URL(begun.headers.get('location') ?? '', url);
  target.searchParams.set('digest', digest);
  const headers = { 'content-type': 'application/octet-stream' };
  const sent = await fetch(target, { method: 'PUT', body: (await body()) as Blob, headers });
  await expectStatus(sent, [201], `push ${digest} to ${repository}`);
}

export async function pushManifest(
  url: string,
  repository: string,
  reference: string,
  type: string,
  body: string,
): Promise<void> {
  const target = `${url}/v2/${repository}/manifests/${reference}`;
  const sent = await fetch(target, { method: 'PUT', body, headers: { 'content-type': type } });
  await expectStatus(sent, [201], `push manifest ${repository}:${reference}`);
}
