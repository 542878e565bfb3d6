/** The stack a command works on: its files loaded, or its records where there are no files. */
import { readFileSync, statSync } from 'node:fs';
import type { Engine } from '../engine/engine.ts';
import type { Loaded, LoadRequest } from '../planner/load/load.ts';
import { asStackError, type Result, StackError } from '../schemas/errors.ts';
import type { Emit } from '../schemas/events.ts';
import type { Project } from '../schemas/project.ts';
import type { Context } from './command.ts';

export type LoadOptions = Pick<LoadRequest, 'skip' | 'hints'> & {
  /** Told of every file that was asked for, there or not. */
  onRead?: (path: string) => void;
};

/**
 * Loads the stack files. `services`: named on the command line, which enables their profiles. `options`: phases left out, hints asked for.
 * @throws the first problem as StackError, the others in `also`
 */
export async function loadProject(
  context: Context,
  emit: Emit,
  services: string[] = [],
  options: LoadOptions = {},
): Promise<Loaded> {
  const result = await tryLoad(context, services, options);
  for (const error of result.warnings) emit({ type: 'warning', error });
  if (result.ok) return result.value;
  const [first, ...rest] = result.errors;
  if (!first) throw new StackError('internal', { message: 'The stack files were refused without a reason.' });
  first.also.push(...rest);
  throw first;
}

/**
 * The same for commands that make containers or plan to: what the engine cannot do yet is refused before anything is
 * touched, and every image that is built has a name.
 * @throws config.not-supported, the others in `also`
 */
export async function loadSupported(
  context: Context,
  emit: Emit,
  services: string[] = [],
  options: LoadOptions = {},
): Promise<Loaded> {
  const loaded = await loadProject(context, emit, services, options);
  const { checkSupported, ignoredWarnings, withBuiltNames } = await import('../planner/load/supported.ts');
  const { completed } = await import('../planner/load/completed.ts');
  for (const error of ignoredWarnings(loaded, services)) emit({ type: 'warning', error });
  const [first, ...rest] = checkSupported(loaded, services);
  if (first) {
    first.also.push(...rest);
    throw first;
  }
  const { files, projectDirectory: directory, environment } = loaded;
  const project = completed(withBuiltNames(loaded.project), directory, environment);
  return { ...loaded, project: { ...project, origin: { files, directory } } };
}

async function tryLoad(
  { globals, environment }: Context,
  services: string[],
  { onRead, ...options }: LoadOptions,
): Promise<Result<Loaded>> {
  const { load } = await import('../planner/load/load.ts');
  return load({
    files: globals.file,
    workingDir: workingDirectory(),
    projectDirectory: globals.projectDirectory,
    projectName: globals.projectName,
    envFiles: globals.envFile.length > 0 ? globals.envFile : undefined,
    profiles: globals.profile,
    services,
    environment: environment as Record<string, string>,
    io: {
      kind,
      read(path) {
        onRead?.(path);
        return read(path);
      },
    },
    ...options,
  });
}

function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (error) {
    throw asStackError(error, 'config.not-found', {
      message: 'The current directory was removed.',
      hint: 'Change to one that exists.',
    });
  }
}

export function read(path: string): string | undefined {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES' || code === 'EISDIR') return undefined;
    throw error;
  }
}

export function kind(path: string): 'file' | 'directory' | undefined {
  if (path === '-') return 'file';
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isDirectory() ? 'directory' : stat ? 'file' : undefined;
}

/** Name given on the command line or in the environment, which stands without a stack file. */
function givenName({ globals, environment }: Context): string | undefined {
  return globals.projectName ?? (environment.COMPOSE_PROJECT_NAME || undefined);
}

/** The stack's project: from its files, or as its records tell it where it was named and no file is found. */
export async function projectOrRecords(
  context: Context,
  engine: Engine,
  emit: Emit,
  services: string[] = [],
): Promise<{ project: Project; disabledServices: string[] }> {
  const name = givenName(context);
  try {
    const { project, disabled } = await loadProject(context, emit, services);
    return { project, disabledServices: Object.keys(disabled) };
  } catch (error) {
    const isMissing = error instanceof StackError && error.code === 'config.not-found';
    if (!isMissing || name === undefined || context.globals.file.length > 0) throw error;
    return { project: await engine.recorded(name), disabledServices: [] };
  }
}

/** A stack by name, with the services its files know; none where no file was read. */
export interface NamedStack {
  name: string;
  services: string[];
}

/** For commands that only look at what is there; a name that was given is taken without reading a file. */
export async function namedStack(context: Context, emit: Emit): Promise<NamedStack> {
  const name = givenName(context);
  if (name !== undefined && context.globals.file.length === 0) return { name, services: [] };
  const { project, disabled } = await loadProject(context, emit);
  return { name: project.name, services: Object.keys({ ...project.services, ...disabled }) };
}
