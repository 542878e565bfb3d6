import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StackError } from '../../schemas/errors.ts';
import type { Lock } from '../../schemas/lock.ts';
import type { Project, Service } from '../../schemas/project.ts';
import { changesText, lockChanges, without } from './changes.ts';
import { pulledImages, withDigests } from './images.ts';
import { lockDifferences, lockText, readLock } from './lock.ts';

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const service = (fields: Partial<Service>): Service => ({ command: null, entrypoint: null, ...fields });
const services = {
  cache: service({ image: 'redis' }),
  again: service({ image: 'redis:latest' }),
  db: service({ image: 'ghcr.io/team/db:1', volumes: [{ type: 'image', source: 'seed:2', target: '/seed' }] }),
  pinned: service({ image: `busybox:1@${digest('9')}` }),
  web: service({ image: 'demo-web', build: { context: '.' } }),
};
const lock: Lock = {
  version: 1,
  images: {
    'redis:latest': { digest: digest('a'), platforms: { 'linux/arm64': digest('c'), 'linux/amd64': digest('b') } },
    'ghcr.io/team/db:1': { digest: digest('d'), platforms: { 'linux/amd64': digest('d') } },
    'seed:2': { digest: digest('e'), platforms: {} },
  },
  builds: { web: { inputs: digest('f') } },
};
const inputs = { web: digest('f') };

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return `${(error as StackError).code}: ${(error as StackError).message}`;
  }
  return 'nothing thrown';
};

test('a lock as it is written: the same in whatever order it was found', () => {
  const turned = { builds: lock.builds, images: Object.fromEntries(Object.entries(lock.images).reverse()), version: 1 };
  expect(lockText(turned as Lock)).toBe(lockText(lock));
  expect(readLock(lockText(lock), 'stack.lock')).toEqual(lock);
  expect(lockText(lock).replaceAll(/(.)\1{63}/g, '$1…')).toMatchInlineSnapshot(`
    "# What the images of the stack file are. Made by \`stack lock\`, renewed by \`stack update\`; keep it in version control.
    version: 1
    images:
      ghcr.io/team/db:1:
        digest: sha256:d…
        platforms:
          linux/amd64: sha256:d…
      redis:latest:
        digest: sha256:a…
        platforms:
          linux/amd64: sha256:b…
          linux/arm64: sha256:c…
      seed:2:
        digest: sha256:e…
        platforms: {}
    builds:
      web:
        inputs: sha256:f…
    "
  `);
});

test('what is pulled, each once: what is built, and what says its digest, is not', () => {
  expect(pulledImages(services)).toEqual(['ghcr.io/team/db:1', 'redis', 'redis:latest', 'seed:2']);
  const project: Project = { name: 'demo', services, networks: {}, volumes: {} };
  const pinned = withDigests(project, (image) => (image.startsWith('redis') ? digest('a') : undefined));
  expect(Object.values(pinned.services).map(({ image }) => image)).toEqual([
    `redis@${digest('a')}`,
    `redis:latest@${digest('a')}`,
    'ghcr.io/team/db:1',
    `busybox:1@${digest('9')}`,
    'demo-web',
  ]);
});

test('images of init containers are pulled too; those that another service builds are not', () => {
  const given = {
    web: service({ build: {}, image: 'team/web', pre_start: [{ image: 'migrate:1' }, { image: 'team/web' }, {}] }),
    worker: service({ image: 'team/web', pre_start: [{ image: 'redis' }] }),
  };
  expect(pulledImages(given)).toEqual(['migrate:1', 'redis']);
  const project: Project = { name: 'demo', services: given, networks: {}, volumes: {} };
  const pinned = withDigests(project, () => digest('a')).services;
  expect([pinned.web!.image, pinned.worker!.image]).toEqual(['team/web', 'team/web']);
  expect(pinned.web!.pre_start).toEqual([{ image: `migrate:1@${digest('a')}` }, { image: 'team/web' }, {}]);
  expect(pinned.worker!.pre_start).toEqual([{ image: `redis@${digest('a')}` }]);
  const [missing] = lockDifferences({ version: 1, images: {}, builds: {} }, { web: given.web! }, {});
  expect(missing!.resource).toBe('services.web.pre_start.0.image');
});

test('a lock that fits, and everything that does not fit at once', () => {
  expect(lockDifferences(lock, services, inputs)).toEqual([]);
  const more = { ...services, new: service({ image: 'new:1' }), other: service({ build: {} }) };
  const found = lockDifferences(lock, more, { web: digest('0'), other: digest('1') });
  expect(found.map(({ resource, hint }) => `${resource}: ${hint}`)).toEqual([
    'services.new.image: Run `stack lock`, and look at what it changes.',
    'services.other.build: Run `stack lock`, and look at what it changes.',
    'services.web.build: Run `stack update web`, and look at what it changes.',
  ]);
});

test('names every object has are no entries of a lock', () => {
  const odd = { constructor: service({ image: 'constructor', build: {} }), b: service({ image: 'tostring' }) };
  expect(lockDifferences({ version: 1, images: {}, builds: {} }, odd, { constructor: digest('1') })).toHaveLength(2);
});

test('what an update changes, in words', () => {
  expect(changesText(lockChanges(lock, lock))).toBe('');
  const after = structuredClone(lock);
  after.images['redis:latest']!.digest = digest('7');
  delete after.images['seed:2'];
  after.builds.api = { inputs: digest('3') };
  expect(changesText(lockChanges(lock, after))).toMatchInlineSnapshot(`
    "~ image redis:latest  sha256:aaaaaaaaaaaa → sha256:777777777777
    - image seed:2        sha256:eeeeeeeeeeee
    + build api           sha256:333333333333
    "
  `);
  expect(lockChanges(undefined, lock)).toHaveLength(4);
  expect(Object.keys(without(lock, { cache: services.cache }).images)).toEqual(['ghcr.io/team/db:1', 'seed:2']);
  expect(without(lock, { web: services.web }).builds).toEqual({});
});

test.each<[string, string]>([
  ['nothing', ''],
  ['a list', '- a\n'],
  ['no YAML', 'a: [\n'],
  ['a later version', 'version: 2\nimages: {}\nbuilds: {}\n'],
  ['something unknown', 'version: 1\nimages: {}\nbuilds: {}\nmore: 1\n'],
  ['no digest', 'version: 1\nimages: {a: {digest: latest, platforms: {}}}\nbuilds: {}\n'],
  [
    'a digest that would reach further',
    `version: 1\nimages: {a: {digest: "${digest('a')}/../x", platforms: {}}}\nbuilds: {}\n`,
  ],
  [
    'a name that steers a terminal',
    `version: 1\nimages: {"a\\e[2J": {digest: "${digest('a')}", platforms: {}}}\nbuilds: {}\n`,
  ],
  ['the same twice', 'version: 1\nimages: {}\nimages: {}\nbuilds: {}\n'],
  ['an alias bomb', 'version: 1\na: &a [x, x]\nb: &b [*a, *a]\nimages: *b\nbuilds: {}\n'],
])('a hostile lock is refused: %s', (_, text) => {
  expect(codeOf(() => readLock(text, 'stack.lock'))).toMatch(/^lock\.invalid: stack\.lock is no lock/);
});

test('whatever is in a lock, it is read or refused', () => {
  const text = lockText(lock);
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(40), fc.string({ maxLength: 20 }), (at, count, put) => {
      const outcome = codeOf(() => readLock(text.slice(0, at) + put + text.slice(at + count), 'stack.lock'));
      expect(outcome).toMatch(/^(lock\.invalid|nothing thrown)/);
    }),
    { numRuns: 2000 },
  );
});
