/**
 * What a service is built from, as one digest: its `build` section, the Dockerfile and the content of its contexts. Equal on
 * every machine that has the same files: owners, times, absolute paths and modes but for "executable" do not count.
 */
import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { createContextFilter } from '../../planner/dockerfile/ignore/context.ts';
import { ignoreFileNames, readIgnoreFile } from '../../planner/dockerfile/ignore/ignore.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Service } from '../../schemas/project.ts';
import { isFetched } from '../build/request.ts';

/** Fields that say how a build is gone about, not what comes out. */
const how = new Set([
  'cache_from',
  'cache_to',
  'no_cache',
  'no_cache_filter',
  'pull',
  'tags',
  'ssh',
  'context',
  'dockerfile',
]);

/**
 * By name of each service that is built. `lock`: the lock itself, which may lie in a context and says nothing of it.
 * @throws StackError build.context, build.dockerfile
 */
export function buildInputs(services: Record<string, Service>, lock: string): Record<string, string> {
  const built = Object.entries(services).filter(([, { build }]) => build !== undefined);
  return Object.fromEntries(built.map(([name, service]) => [name, inputsOf(name, service, Buffer.from(lock))]));
}

interface Section {
  context?: string;
  dockerfile?: string;
  dockerfile_inline?: string;
  additional_contexts?: Record<string, string>;
}

function inputsOf(name: string, { build, platform }: Service, lock: Buffer): string {
  const section = build as Section;
  const { context = '.', dockerfile = 'Dockerfile' } = section;
  const contexts = section.additional_contexts ?? {};
  const hash = createHash('sha256');
  const kept = Object.entries(build!).filter(([key]) => !how.has(key) && key !== 'additional_contexts');
  add(hash, 'section', stable(Object.fromEntries(kept)));
  add(hash, 'platform', platform ?? '');
  if (isFetched(context)) {
    add(hash, 'context', context, dockerfile);
  } else {
    const path = resolve(context);
    if (section.dockerfile_inline === undefined) add(hash, 'dockerfile', dockerfileText(name, path, dockerfile));
    addDirectory(hash, name, path, ignoreFileNames(dockerfile), lock);
  }
  for (const [key, where] of Object.entries(contexts).sort(([a], [b]) => (a < b ? -1 : 1))) {
    add(hash, 'additional', key);
    const isPlace = /^[a-z][a-z0-9+.-]*:/.test(where) || isFetched(where);
    if (isPlace) add(hash, where);
    else addDirectory(hash, name, resolve(where), ['.dockerignore'], lock);
  }
  return `sha256:${hash.digest('hex')}`;
}

function dockerfileText(service: string, context: string, dockerfile: string): Buffer {
  const path = isAbsolute(dockerfile) ? dockerfile : join(context, dockerfile);
  try {
    return readFileSync(path);
  } catch (thrown) {
    throw new StackError('build.dockerfile', {
      message: `The Dockerfile ${path} of the service ${service} cannot be read: ${(thrown as NodeJS.ErrnoException).code}.`,
      hint: `Check services.${service}.build in the stack file.`,
    });
  }
}

function addDirectory(hash: Hash, service: string, path: string, ignoreNames: string[], lock: Buffer): void {
  const ignoreFile = ignoreNames.map((file) => join(path, file)).find((file) => existsSync(file));
  const ignore = ignoreFile === undefined ? [] : readIgnoreFile(readFileSync(ignoreFile, 'utf8'));
  const filter = createContextFilter(undefined, ignore);
  const walk = (directory: Buffer, below: string) => {
    const names = readdirSync(directory, { encoding: 'buffer' }).sort(Buffer.compare);
    for (const name of names) {
      const at = below === '' ? name.toString() : `${below}/${name}`;
      const whole = Buffer.concat([directory, Buffer.from('/'), name]);
      const isIncluded = filter.includes(at) && !whole.equals(lock);
      const stat = lstatSync(whole);
      if (stat.isDirectory()) {
        if (isIncluded) add(hash, 'directory', at);
        if (isIncluded || filter.enters(at)) walk(whole, at);
      } else if (isIncluded && stat.isSymbolicLink()) {
        add(hash, 'link', at, readlinkSync(whole, { encoding: 'buffer' }));
      } else if (isIncluded && stat.isFile()) {
        add(hash, 'file', at, stat.mode & 0o111 ? 'x' : '-', contentOf(whole));
      }
    }
  };
  try {
    walk(Buffer.from(path), '');
  } catch (thrown) {
    throw new StackError('build.context', {
      message: `The build context ${path} of the service ${service} cannot be read: ${(thrown as NodeJS.ErrnoException).code}.`,
      hint: `Check services.${service}.build in the stack file, and the rights of what lies there.`,
    });
  }
}

function contentOf(path: Buffer): string {
  const hash = createHash('sha256');
  // Nothing is followed or waited for that took its place meanwhile.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const chunk = Buffer.allocUnsafe(1024 * 1024);
    for (let size = readSync(fd, chunk); size > 0; size = readSync(fd, chunk)) hash.update(chunk.subarray(0, size));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

/** Each part with its length: no two lists of parts are the same bytes. */
function add(hash: Hash, ...parts: (string | Buffer)[]): void {
  for (const part of parts) {
    hash.update(`${Buffer.byteLength(part)}:`);
    hash.update(part);
  }
}

const stable = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
