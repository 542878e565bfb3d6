/** docker-registry servers of a scenario, and images to push to them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { places } from '../../scripts/base-images/places.ts';
import type { Scenario } from './scenario.ts';

/** skopeo, which trusts what the test made. */
export const copy = 'skopeo --insecure-policy copy -q';
/** The small image at the registry of the harness, for {@link copy}. */
export const busybox = '--src-tls-verify=false docker://127.0.0.1:5000/library/busybox:1';

export function registries(world: Scenario) {
  /** Starts docker-registry with a storage of its own. */
  async function serve(address: string, more: { auth?: object; tls?: object } = {}): Promise<void> {
    const { host } = world;
    const folder = join(host.folder, `registry-${address.replace(/.*:/, '')}`);
    mkdirSync(folder);
    const { auth, tls } = more;
    const config = {
      version: '0.1',
      log: { level: 'info', formatter: 'text' },
      storage: { filesystem: { rootdirectory: join(folder, 'data') } },
      http: { addr: address, secret: 'of the test', ...(tls ? { tls } : {}) },
      ...(auth ? { auth } : {}),
    };
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    await host.background([places().registryBinary, 'serve', join(folder, 'config.json')], /listening on/);
  }

  /** A folder for docker's configuration, with what it says. */
  function dockerConfig(name: string, config: object): { env: Record<string, string>; file: string } {
    const folder = join(world.host.folder, name);
    mkdirSync(folder);
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    return { env: { DOCKER_CONFIG: folder }, file: join(folder, 'config.json') };
  }

  /** The small image in the store under `name`; gives the digest of its manifest. */
  async function bring(name: string): Promise<string> {
    const { host } = world;
    const layout = `${host.folder}/layout-${name.replace(/\W/g, '-')}`;
    await host.read(`${copy} ${busybox} oci:${layout}:${name}`);
    expect(await host.stack(['image', 'load', '-i', layout])).toMatchObject({ code: 0 });
    return digestOf(name);
  }

  async function digestOf(name: string): Promise<string> {
    const inspected = JSON.parse((await world.host.stack(['image', 'inspect', name])).stdout);
    return inspected[0].Manifest.digest;
  }

  async function ok(args: string[], options = {}): Promise<string> {
    const done = await world.host.stack(args, options);
    expect(done).toMatchObject({ code: 0 });
    return done.stdout;
  }

  return { serve, dockerConfig, bring, digestOf, ok };
}
