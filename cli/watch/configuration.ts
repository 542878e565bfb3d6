/** The files a stack is described by, watched: stack files, env files, ignore files, Dockerfiles, configs and secrets. */
import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import { type FSWatcher, watch } from 'chokidar';
import type { Loaded } from '../../planner/load/load.ts';

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

/** Resolves when nothing is missed any more. @param onEdit the paths that were saved, made or removed together. */
export async function watchConfiguration(
  configuration: Configuration,
  onEdit: (paths: string[]) => void,
): Promise<AsyncDisposable> {
  const { read, dockerfiles, mounted } = configuration;
  const paths = new Set([...read.states.keys(), ...dockerfiles.keys(), ...mounted.keys()]);
  const edited = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const watcher: FSWatcher = watch([...paths], {
    ignoreInitial: true,
    atomic: false,
    depth: 0,
    ignorePermissionErrors: true,
  });
  watcher.on('all', (_, path) => {
    if (!paths.has(path)) return;
    edited.add(path);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const all = [...edited];
      edited.clear();
      onEdit(all);
    }, quietMs);
  });
  watcher.on('error', () => {});
  if (paths.size > 0) await once(watcher, 'ready');
  const early = read.changed();
  if (early.length > 0) onEdit(early);
  return {
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
      await watcher.close();
    },
  };
}
