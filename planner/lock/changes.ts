/** What a new lock changes of the old one, in words. */
import type { Lock } from '../../schemas/lock.ts';
import type { Service } from '../../schemas/project.ts';
import { byName } from '../graph.ts';
import { lockName, pulledImages } from './images.ts';

export interface LockChange {
  /** `image redis:7`, `build web`. */
  what: string;
  /** Digests; absent where it was not locked, or is not any more. */
  was?: string;
  is?: string;
}

/** In order of name, images first. */
export function lockChanges(before: Lock | undefined, after: Lock): LockChange[] {
  const was = before ?? { version: 1, images: {}, builds: {} };
  const change = (what: string, old: string | undefined, now: string | undefined): LockChange[] => {
    if (old === now) return [];
    return [{ what, ...(old === undefined ? {} : { was: old }), ...(now === undefined ? {} : { is: now }) }];
  };
  const own = <T>(map: Record<string, T>, name: string) => (Object.hasOwn(map, name) ? map[name] : undefined);
  return [
    ...names(was.images, after.images).flatMap((name) => {
      return change(`image ${name}`, own(was.images, name)?.digest, own(after.images, name)?.digest);
    }),
    ...names(was.builds, after.builds).flatMap((name) => {
      return change(`build ${name}`, own(was.builds, name)?.inputs, own(after.builds, name)?.inputs);
    }),
  ];
}

/** One line each: `~ image redis:7  sha256:0123456789ab → sha256:ba9876543210`. */
export function changesText(changes: LockChange[]): string {
  const width = Math.max(0, ...changes.map(({ what }) => what.length));
  return changes
    .map(({ what, was, is }) => {
      const sign = was === undefined ? '+' : is === undefined ? '-' : '~';
      const values = [was, is].flatMap((digest) => (digest === undefined ? [] : [short(digest)]));
      return `${sign} ${what.padEnd(width)}  ${values.join(' → ')}\n`;
    })
    .join('');
}

/** The lock without what it says of `services`: of images that they alone or others too use, and of what they are built from. */
export function without({ version, images, builds }: Lock, services: Record<string, Service>): Lock {
  const renewed = new Set(pulledImages(services).map(lockName));
  const keep = <T>(map: Record<string, T>, isKept: (name: string) => boolean) =>
    Object.fromEntries(Object.entries(map).filter(([name]) => isKept(name)));
  return {
    version,
    images: keep(images, (name) => !renewed.has(name)),
    builds: keep(builds, (name) => !Object.hasOwn(services, name)),
  };
}

const short = (digest: string) => digest.replace(/^(sha\d+:[0-9a-f]{12}).*$/, '$1');

const names = (a: object, b: object) => [...new Set([...Object.keys(a), ...Object.keys(b)])].sort(byName);
