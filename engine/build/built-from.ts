/** What an image was built from, kept beside the cache, so that the next plan can say what has changed since. */
import { createHash, hash, randomBytes } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { createContextFilter } from '../../planner/dockerfile/ignore/context.ts';
import type { BuildGraph, CopyPaths } from '../../schemas/build.ts';
import type { FilesystemVerbs } from '../../schemas/kernel.ts';
import { familiar } from '../images/reference.ts';
import type { BuildRequest } from './builds.ts';
import { isAddress } from './context.ts';
import { ignoreLines, localText } from './dockerfile.ts';
import type { Records } from './records.ts';
import { isFetched } from './request.ts';
import { digestItem, fileDigest, select } from './select.ts';
import type { Found } from './walk.ts';

/** Files of one directory of the machine that steps read. */
export interface Read {
  location: string;
  /** What steps named of it, and what they left out. */
  wanted: [CopyPaths, exclude: string[]][];
  /** Path in it, and a hash of all that counts of the file, in turns: of ten thousand files it is read in no time. */
  files: string[];
}

export interface BuiltFrom {
  /** Of the image that came of it: who gives the name to another image has built nothing. */
  id: string;
  salt: string;
  /** The main context's directory; '' where it is fetched. */
  context: string;
  /** Hashed with the salt, as arguments may be secrets: by what people call them, `ARG A`. */
  values: Record<string, string>;
  reads: Read[];
}

type Values = Record<string, unknown>;

const proxies = /^(?:https?|ftp|no|all)_proxy$/i;

/** Everything that is asked of a build, but for files of contexts and base images. @throws StackError of the Dockerfile */
export function valuesOf(request: BuildRequest, seen: string[] = []): Values {
  const { settings, context } = request;
  const each = (kind: string, entries: [string, unknown][]) =>
    entries.map(([name, value]) => [`${kind} ${name}`, value] as const);
  const named = (kind: string, ids: string[] = []) =>
    each(
      kind,
      ids.map((id) => [id, true] as [string, unknown]),
    );
  const service = (written: string) => /^(?:service|target):(?:\/\/)?(.*)$/s.exec(written)?.[1];
  const others = Object.values(settings.contexts).flatMap((written) => service(written) ?? []);
  const ofOthers = others
    .filter((name) => !seen.includes(name))
    .flatMap((name) => {
      const values = valuesOf(request.requestOf(name), [...seen, request.service]);
      return Object.entries(values).map(([label, value]) => [`${label} of service ${name}`, value] as const);
    });
  return Object.fromEntries(
    [
      ['Dockerfile', dockerfileOf(request)],
      ['context', isFetched(context) ? context : undefined],
      ['.dockerignore', isFetched(context) ? undefined : ignoreLines(context, request.dockerfile)],
      ...each(
        'ARG',
        Object.entries(settings.args).filter(([name]) => !proxies.test(name)),
      ),
      ...each('label', Object.entries(settings.labels)),
      ...named('secret', settings.secrets),
      ...named('ssh agent', settings.ssh),
      ...each('additional context', Object.entries(settings.contexts)),
      ['target', settings.target],
      ['platforms', settings.platforms],
      ['network', settings.network],
      ['extra_hosts', settings.hosts],
      ['shm_size', settings.shmSize],
      ['ulimits', settings.ulimits],
      ['entitlements', settings.entitlements],
      ['privileged', settings.privileged],
      ...ofOthers,
    ].filter(([, value]) => value !== undefined),
  ) as Values;
}

/** One that is fetched is what its address says, the context's or its own. */
function dockerfileOf(request: BuildRequest): string | undefined {
  const { context, dockerfile, inline } = request;
  if (inline === undefined && isAddress(dockerfile)) return dockerfile;
  return isFetched(context) ? inline : localText(request);
}

const basePrefix = 'base image ';

/** Base images of a graph that have a name, by what people call them. */
export const basesOf = ({ vertices }: BuildGraph): Values =>
  Object.fromEntries(
    Object.values(vertices).flatMap(({ operation }) =>
      operation.kind === 'source.image' && !operation.reference.startsWith('oci-layout:')
        ? [[basePrefix + familiar(operation.reference), operation.digest]]
        : [],
    ),
  );

export function inputsOf(id: string, context: string, values: Values, reads: Read[], salt?: string): BuiltFrom {
  const own = salt ?? randomBytes(16).toString('hex');
  return { id, salt: own, context: directoryOf(context), values: hashed(values, own), reads };
}

/** '' for an address, which may have a password in it. */
const directoryOf = (context: string): string => (isFetched(context) ? '' : resolve(context));

const hashed = (values: Values, salt: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).map(([label, value]) => {
      return [
        label,
        createHash('sha256')
          .update(JSON.stringify([salt, label, value]))
          .digest('base64url'),
      ];
    }),
  );

/** Of a list of keys and values in turns. */
const mapOf = (list: string[]) =>
  new Map(Array.from({ length: list.length / 2 }, (_, at) => [list[at * 2]!, list[at * 2 + 1]!]));

/** Hash of what a digest says of a file. */
export const stateHash = (state: string): string => hash('sha256', state, 'base64url').slice(0, 16);

/**
 * What has changed since: `Dockerfile`, `ARG A`, `base image busybox:1`, `src/a.txt`; `(new)` and `(gone)` behind what was
 * not there before, or is no more.
 */
export async function changesSince(before: BuiltFrom, request: BuildRequest, look: Look): Promise<string[]> {
  const bases = Object.keys(before.values).filter((label) => label.startsWith(basePrefix));
  const found = bases.map((label) => [label, look.digestOf(label.slice(basePrefix.length))] as const);
  const now = hashed({ ...valuesOf(request), ...Object.fromEntries(found) }, before.salt);
  // One that is not in the store will be pulled: nobody knows yet what it is.
  for (const [label, digest] of found) if (digest === undefined) now[label] = before.values[label]!;
  const changed = differences(new Map(Object.entries(before.values)), new Map(Object.entries(now)), (label) => label);
  const main = directoryOf(request.context);
  const show = (path: string) => (main === '' ? path : relative(main, path)) || '.';
  for (const read of before.reads) {
    const location = read.location === before.context ? main : read.location;
    const files = await filesOf(read, location, location === main ? request.dockerfile : 'Dockerfile', request, look);
    changed.push(...differences(mapOf(read.files), files, (path) => show(resolve(location, path))));
  }
  // The Dockerfile, as a rule, is also a file of the context.
  return [...new Set(changed)];
}

/** What a look at the machine takes. */
export interface Look {
  verbs: FilesystemVerbs;
  records: Records;
  /** Digest of the manifest that the store has under a name. */
  digestOf(reference: string): string | undefined;
}

function differences(before: Map<string, string>, now: Map<string, string>, show: (key: string) => string): string[] {
  return [...new Set([...before.keys(), ...now.keys()])].flatMap((key) => {
    if (before.get(key) === now.get(key)) return [];
    return `${show(key)}${before.has(key) ? (now.has(key) ? '' : ' (gone)') : ' (new)'}`;
  });
}

async function filesOf(
  { wanted }: Read,
  location: string,
  dockerfile: string,
  { signal }: BuildRequest,
  { verbs, records }: Look,
): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const digests = records.digests(location);
  let root: number;
  try {
    root = openSync(location, constants.O_DIRECTORY);
  } catch {
    return new Map();
  }
  try {
    const ignore = ignoreLines(location, dockerfile);
    const source = {
      root,
      isContext: true,
      ...(ignore.length > 0 ? { filter: createContextFilter(undefined, ignore) } : {}),
      digest: (found: Found, path: string) => digests.of(path, found, () => fileDigest(verbs, found)),
      noteFound: (path: string, state: string) => void files.set(path, stateHash(state)),
    };
    for (const [paths, exclude] of wanted) {
      try {
        for (const item of select(verbs, source, paths, exclude))
          await digestItem(verbs, item, createHash('sha256'), signal);
      } catch {
        signal.throwIfAborted();
        // Not there any more: the files that are missing say so.
      }
    }
    digests.save();
    return files;
  } finally {
    closeSync(root);
  }
}
