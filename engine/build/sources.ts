/** Where files of a build come from: directories of the machine, and what is fetched once a build. */
import { closeSync, constants, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createContextFilter } from '../../planner/dockerfile/ignore/context.ts';
import type { ContextOperation, Vertex } from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';
import type { FilesystemVerbs } from '../../schemas/kernel.ts';
import { type Read, stateHash } from './built-from.ts';
import type { Records } from './records.ts';
import { fileDigest, type Source } from './select.ts';

export interface Directory {
  path: string;
  /** Lines of its ignore file. */
  ignore: string[];
  /** A directory of the machine as it lies: nothing was fetched into it. */
  isLocal?: boolean;
}

export class Sources implements Disposable {
  readonly #verbs: FilesystemVerbs;
  readonly #records: Records;
  readonly #folder: () => string;
  readonly #signal: AbortSignal;
  /** Of what was fetched, by vertex: hex by algorithm. */
  readonly checksums = new Map<string, Record<string, string>>();
  readonly #fetched = new Map<string, Promise<string>>();
  readonly #open: number[] = [];
  readonly #reads = new Map<string, { wanted: Map<string, Read['wanted'][number]>; files: Map<string, string> }>();
  readonly #digests = new Map<string, ReturnType<Records['digests']>>();

  /** @param folder makes the one for what is fetched; the caller removes it. */
  constructor(verbs: FilesystemVerbs, records: Records, folder: () => string, signal: AbortSignal) {
    this.#verbs = verbs;
    this.#records = records;
    this.#folder = folder;
    this.#signal = signal;
  }

  /** The directory that a source vertex stands for; undefined for one that is a tree. */
  async directory({ operation, id }: Vertex): Promise<Directory | undefined> {
    const note = (digest: Record<string, string>) => void this.checksums.set(id, digest);
    switch (operation.kind) {
      case 'source.context':
        return { path: contextPath(operation), ignore: operation.ignore, isLocal: true };
      case 'source.git':
        return {
          path: await this.#once(id, async (to) =>
            (await import('./fetch.ts')).fetchGit(operation, to, this.#signal, note),
          ),
          ignore: [],
        };
      case 'source.http':
        return {
          path: await this.#once(id, async (to) => {
            const { fetchFile } = await import('./fetch.ts');
            await fetchFile(operation, to, this.#signal, note);
            return to;
          }),
          ignore: [],
        };
      default:
        return undefined;
    }
  }

  #once(id: string, make: (directory: string) => Promise<string>): Promise<string> {
    const made = this.#fetched.get(id) ?? make(join(this.#folder(), id.replace(/^.*:/, '').slice(0, 16)));
    this.#fetched.set(id, made);
    return made;
  }

  /** Open until the build ends. Digests of a directory's files are remembered from build to build. */
  source({ path, ignore, isLocal }: Directory): Source {
    const root = openSync(path, constants.O_DIRECTORY);
    this.#open.push(root);
    const digests = this.#digests.get(path) ?? this.#records.digests(path);
    this.#digests.set(path, digests);
    return {
      root,
      isContext: true,
      ...(ignore.length > 0 ? { filter: createContextFilter(undefined, ignore) } : {}),
      digest: (found, name) => digests.of(name, found, () => fileDigest(this.#verbs, found)),
      ...(isLocal ? this.#notes(path) : {}),
    };
  }

  /** What steps read of the machine's directories. */
  reads(): Read[] {
    return [...this.#reads].map(([location, { wanted, files }]) => {
      return { location, wanted: [...wanted.values()], files: [...files].flat() };
    });
  }

  #notes(path: string): Pick<Source, 'noteWanted' | 'noteFound'> {
    const read = this.#reads.get(path) ?? { wanted: new Map(), files: new Map() };
    this.#reads.set(path, read);
    return {
      noteWanted: (paths, exclude) => read.wanted.set(JSON.stringify([paths, exclude]), [paths, exclude]),
      noteFound: (file, state) => read.files.set(file, stateHash(state)),
    };
  }

  [Symbol.dispose](): void {
    for (const digests of this.#digests.values()) digests.save();
    for (const fd of this.#open) closeSync(fd);
  }
}

function contextPath({ location, name }: ContextOperation): string {
  if (statSync(location, { throwIfNoEntry: false })?.isDirectory()) return location;
  throw new StackError('build.context', {
    message: `The build context ${name === 'context' ? '' : `${name} `}${location} is no directory.`,
    hint: 'Check `context` and `additional_contexts` of `build` in the stack file.',
  });
}
