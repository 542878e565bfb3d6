/**
 * Where everything lies. Both roots move by one environment variable each, so a test owns a private world.
 *
 *   STACK_ROOT      /var/lib/stack
 *     images/                     an OCI image layout: oci-layout, index.json, blobs/sha256/… (more in engine/images/store)
 *     layers/<chain id>/          an unpacked layer: fs/, and a mark once it is whole
 *     volumes/<name>/             volume.json, _data/
 *     networks/<name>.json        NetworkRecord
 *     stacks/<stack>/<id>/        one container: container.json, config.json (OCI bundle), upper/, work/, log,
 *                                 hosts, hostname, resolv.conf
 *   STACK_RUN       /run/stack
 *     settings.json               the settings file as it was last checked (engine/settings)
 *     locks/<stack>               flock(2), held while a command changes the stack
 *     networks/<name>.names       table of names the resolvers map (engine/network/names)
 *     containers/<id>/            control (the shim's socket), status
 */
import { join } from 'node:path';

export interface Layout {
  root: string;
  run: string;
  images: string;
  layers: string;
  volumes: string;
  networks: string;
  stacks: string;
  locks: string;
  stackDir(stack: string): string;
  containerDir(stack: string, id: string): string;
  containerRun(id: string): string;
  lock(stack: string): string;
  networkRecord(name: string): string;
  networkNames(name: string): string;
  volumeDir(name: string): string;
}

export function layout(environment: NodeJS.ProcessEnv = process.env): Layout {
  const root = environment.STACK_ROOT || '/var/lib/stack';
  const run = environment.STACK_RUN || '/run/stack';
  return {
    root,
    run,
    images: join(root, 'images'),
    layers: join(root, 'layers'),
    volumes: join(root, 'volumes'),
    networks: join(root, 'networks'),
    stacks: join(root, 'stacks'),
    locks: join(run, 'locks'),
    stackDir: (stack) => join(root, 'stacks', stack),
    containerDir: (stack, id) => join(root, 'stacks', stack, id),
    containerRun: (id) => join(run, 'containers', id),
    lock: (stack) => join(run, 'locks', stack),
    networkRecord: (name) => join(root, 'networks', `${name}.json`),
    networkNames: (name) => join(run, 'networks', `${name}.names`),
    volumeDir: (name) => join(root, 'volumes', name),
  };
}
