/**
 * Where base images are kept between runs: ~/.cache/stack-fixtures, or the folder named by STACK_FIXTURES.
 *
 *   registry/           storage of docker-registry: all that is needed to serve the images
 *   tools/              docker-registry itself, unpacked from its package: nothing is installed as a service
 *   trees/<image>/      root file systems that other images are built on
 *   apt/                package lists and archives, shared by the builds
 *   images/<image>.json what was built, and the hash of what it was built from
 *   debian/             index and packages that builds of the tests install (packages.ts)
 *   kernel/             Debian's cloud kernel and its modules, for the guest of e2e/vm
 */
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Places {
  root: string;
  registry: string;
  registryBinary: string;
  tools: string;
  trees: string;
  apt: string;
  debian: string;
  kernel: string;
  marker(image: string): string;
}

export function places(environment: NodeJS.ProcessEnv = process.env): Places {
  const root =
    environment.STACK_FIXTURES || join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'stack-fixtures');
  return {
    root,
    registry: join(root, 'registry'),
    registryBinary: join(root, 'tools/usr/bin/docker-registry'),
    tools: join(root, 'tools'),
    trees: join(root, 'trees'),
    apt: join(root, 'apt'),
    debian: join(root, 'debian'),
    kernel: join(root, 'kernel'),
    marker: (image) => join(root, 'images', `${image}.json`),
  };
}
