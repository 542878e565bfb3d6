/**
 * Debian's signed index and single packages of it: what an `apt-get` in a build of the tests asks a proxy for. Kept as the
 * mirror had them on one day, since index and packages have to fit each other.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { mirror, suite } from './layer.ts';
import type { Places } from './places.ts';
import { must, type Say } from './tools.ts';

/** Those that builds of the tests install. What they depend on, the base images have. */
const packages = ['postgresql-15-semver'];

const architecture = process.arch === 'x64' ? 'amd64' : process.arch;

export const packagesAreThere = (at: Places): boolean => existsSync(folderOf(at));

/** Of other packages another folder. */
export const folderOf = (at: Places): string => join(at.debian, `${suite}-${packages.join('-')}`);

/** InRelease, the indices it names that apt asks for, and the archives, by their own names in one folder. @throws Error where the mirror cannot be reached */
export function fetchPackages(at: Places, say: Say): void {
  if (packagesAreThere(at)) return;
  say(`fetching ${packages.join(', ')}`);
  const folder = `${folderOf(at)}.new`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const from = mirror().replace(/\/$/, '');
  // apt's own: it knows the machine's proxy.
  const fetch = (path: string) =>
    must('/usr/lib/apt/apt-helper', ['download-file', `${from}/${path}`, join(folder, basename(path))]);
  fetch(`dists/${suite}/InRelease`);
  fetch(`dists/${suite}/main/binary-${architecture}/Packages.xz`);
  fetch(`dists/${suite}/main/i18n/Translation-en.xz`);
  const index = must('xz', ['-dc', join(folder, 'Packages.xz')]);
  for (const name of packages) {
    const entry = index.split('\n\n').find((one) => one.startsWith(`Package: ${name}\n`));
    const path = entry && /^Filename: (.*)$/m.exec(entry)?.[1];
    if (!path) throw new Error(`${from} has no ${name} in ${suite}.`);
    fetch(path);
    const digest = createHash('sha256')
      .update(readFileSync(join(folder, basename(path))))
      .digest('hex');
    if (/^SHA256: (.*)$/m.exec(entry)?.[1] !== digest) throw new Error(`${path} is not what the index says.`);
  }
  renameSync(folder, folderOf(at));
}
