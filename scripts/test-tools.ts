/**
 * What the tests need besides `npm install`: the programs they look at the world with, and the base images. Installed
 * and built where missing; in place, it costs milliseconds.
 * Usage: node scripts/test-tools.ts
 */
import { fileURLToPath } from 'node:url';
import { ensureBaseImages } from './base-images/base-images.ts';
import type { Places } from './base-images/places.ts';
import { ensurePackages } from './base-images/tools.ts';

/** Debian's package by the command it is needed for. */
const packages = {
  buildah: 'buildah',
  busybox: 'busybox-static',
  ip: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  podman: 'podman',
  python3: 'python3',
  setcap: 'libcap2-bin',
  skopeo: 'skopeo',
  umoci: 'umoci',
};

/** @throws Error that names what cannot be had. */
export function ensureTestTools(): Places {
  ensurePackages(packages, (line) => console.log(`test tools: ${line}`));
  return ensureBaseImages();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { root } = ensureTestTools();
    console.log(`test tools: ready, base images in ${root}`);
  } catch (error) {
    console.error(`test tools: ${(error as Error).message}`);
    process.exit(1);
  }
}
