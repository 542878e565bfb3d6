/** The files a stack is described by, watched: stack files, env files, ignore files, Dockerfiles, configs and secrets. */
import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { SourceTree } from '../../engine/watch/source-tree.ts';
import type { Loaded } from '../../planner/load/load.ts';
import { real } from './rules.ts';

/** Files as they were just before they were read, there or not. */
export class ReadFiles {
  readonly states = new Map<string, string>();

  /** To be told of each (LoadOptions.onRead). */
  readonly add = (path: string): void => {
    if (path !== '-') this.states.set(path, stateOf(path));
  };

  /** Those that are not any more what was read. */
  changed(): string[] {
    return [...this.states].flatMap(([path, state]) => (stateOf(path) === state ? [] : [path]));
  }
}

function stateOf(path: string): string {
  try {
    const { ino, size, ctimeNs } = lstatSync(path, { bigint: true });
    return `${ino} ${size} ${ctimeNs}`;
  } catch {
    return '';
  }
}

export interface Configuration {
  /** Read when the stack was loaded. */
  read: ReadFiles;
  /** Services by the Dockerfiles they are built from. */
  dockerfiles: Map<string, string[]>;
  /** Services by the files that are mounted into them. */
  mounted: Map<string, string[]>;
}

export function configurationOf({ project }: Loaded, read: ReadFiles): Configuration {
  const dockerfiles = new Map<string, string[]>();
  const mounted = new Map<string, string[]>();
  const add = (map: Map<string, string[]>, path: string, service: string) =>
    map.set(path, [...(map.get(path) ?? []), service]);
  for (const [name, { build, configs = [], secrets = [] }] of Object.entries(project.services)) {
    const { context, dockerfile } = (build ?? {}) as { context?: string; dockerfile?: string };
    if (context?.startsWith('/') && dockerfile)
      add(dockerfiles, dockerfile.startsWith('/') ? dockerfile : `${context}/${dockerfile}`, name);
    for (const { source } of configs) {
      const { file } = project.configs?.[source] ?? {};
      if (file) add(mounted, file, name);
    }
    for (const { source } of secrets) {
      const { file } = project.secrets?.[source] ?? {};
      if (file) add(mounted, file, name);
    }
  }
  return { read, dockerfiles, mounted };
}

/** Milliseconds of quiet after which an edit counts as whole: editors write a file in several steps. */
const quietMs = 30;

/** @param onEdit the paths that were saved, made or removed together; also those that were since they were read. */
export function watchConfiguration(configuration: Configuration, onEdit: (paths: string[]) => void): Disposable {
  const { read, dockerfiles, mounted } = configuration;
  const named = [...read.states.keys(), ...dockerfiles.keys(), ...mounted.keys()];
  // What a link leads to may be edited, and the link be made anew.
  const watched = new Map(named.flatMap((path) => [[real(path), path] as const, [path, path] as const]));
  const edited = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const tree = new SourceTree(
    { takes: (path) => watched.has(path), enters: () => false },
    {
      onHint(path) {
        if (!watched.has(path)) return;
        edited.add(path);
        clearTimeout(timer);
        timer = setTimeout(tell, quietMs);
      },
      onProblem: () => {},
    },
  );
  const tell = () => {
    const changes = [...edited].flatMap((path) => tree.update(path)).filter(({ isTransient }) => !isTransient);
    edited.clear();
    if (changes.length > 0) onEdit([...new Set(changes.map(({ path }) => watched.get(path)!))]);
  };
  for (const path of watched.keys()) tree.add(dirname(path));
  const early = read.changed();
  if (early.length > 0) onEdit(early);
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      tree[Symbol.dispose]();
    },
  };
}
