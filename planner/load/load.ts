/**
 * The loader: stack files → canonical project. Source: the Compose Specification.
 * Phases, in order:
 *   0 discover      which files, directory, variables                 discover.ts dotenv.ts
 *   1 read          YAML → values with places                         read.ts scalar.ts places.ts
 *   2 interpolate   variables                                         interpolate.ts template.ts
 *   3 validate      shapes and names of each file                     validate.ts, schemas/stack-file.ts
 *   4 normalise     short → long forms, absolute paths                normalise.ts normalise-service.ts …
 *   5 include, extends                                                include.ts extends.ts
 *   6 merge         later files over earlier ones                     merge.ts assemble.ts
 *   7 profiles      services nobody asked for are set aside           profiles.ts
 *   8 environment   env_file, label_file                              environment.ts
 *   9 defaults      what the file leaves unsaid                       defaults.ts
 *  10 check         references, cycles, contradictions                check.ts cycle.ts
 *  11 warn          what is probably not meant                        warn.ts warn-scalars.ts
 */
import { posix } from 'node:path';
import { type Position, type Result, StackError } from '../../schemas/errors.ts';
import type { Project, Service } from '../../schemas/project.ts';
import { assemble, readDocuments, type Session, type Skip, shown } from './assemble.ts';
import { check } from './check.ts';
import { completeProject, completeService } from './defaults.ts';
import {
  checkProjectName,
  findStandardFiles,
  type Io,
  isTrue,
  normaliseProjectName,
  readEnvironment,
} from './discover.ts';
import { resolveEnvironment } from './environment.ts';
import { dropRepeated } from './merge.ts';
import type { Model } from './normalise.ts';
import { type Place, Places, positionOf, type Variables } from './places.ts';
import { Problems } from './problems.ts';
import { applyProfiles } from './profiles.ts';
import { expand, variableIn } from './template.ts';
import { warn } from './warn.ts';

export type { Skip } from './assemble.ts';
export { canonical, canonicalJson } from './canonical.ts';
export type { Io } from './discover.ts';

export interface LoadRequest {
  /** Files from `-f`, in order; `-` is standard input. Else COMPOSE_FILE, else the standard names. */
  files?: string[] | undefined;
  /** Absolute. */
  workingDir: string;
  projectDirectory?: string | undefined;
  /** From `-p`. Else COMPOSE_PROJECT_NAME, else `name:`, else the project directory's name. */
  projectName?: string | undefined;
  /** From `--env-file`. Else the `.env` of the project directory. */
  envFiles?: string[] | undefined;
  /** From `--profile`, besides COMPOSE_PROFILES; `*` is all. */
  profiles: string[];
  /** Services named on the command line: their profiles count as asked for. */
  services?: string[] | undefined;
  environment: Record<string, string>;
  io: Io;
  /** Phases left out. */
  skip?: Skip;
  /** Among the warnings are also those of what may well be meant. */
  hints?: boolean;
}

export interface Loaded {
  project: Project;
  /** Services that are off by profile, in canonical form. */
  disabled: Record<string, Service>;
  /** Where the entry at `path` of the project was written; of the innermost holder known where it was not. */
  position(path: (string | number)[], part?: 'key' | 'value'): Position | undefined;
  /** The entry at `path` exactly, with what it was made of; undefined where it was written nowhere. */
  place(path: (string | number)[]): Place | undefined;
  /** Absolute paths of every stack file read. */
  files: string[];
  /** Variables that interpolation used: the process's over those of the env files. */
  environment: Record<string, string>;
  projectDirectory: string;
}

/** Loads the stack. Reports all problems of all phases at once, sorted by place. */
export function load(request: LoadRequest): Result<Loaded> {
  const { io, workingDir } = request;
  const show = (path: string) => shown(path, workingDir);
  const problems = new Problems();
  const giveUp = (): Result<Loaded> => ({ ok: false, ...problems.sorted() });

  const found = discover(request, show);
  problems.errors.push(...found.errors);
  if (found.files === undefined) return giveUp();
  const { projectDirectory } = found;
  const environment = { ...found.environment };

  const session: Session = {
    io,
    places: new Places(),
    problems,
    workingDir,
    home: environment.HOME,
    skip: request.skip ?? {},
    files: [],
    documents: new Map(),
    layers: new Map(),
  };
  const { name, where } = projectName(session, request, found.files, environment, projectDirectory);
  const badName = checkProjectName(name, where);
  if (badName) problems.errors.push(badName);
  environment.COMPOSE_PROJECT_NAME = name;
  const variables: Variables = {
    lookup: (variable) => variableIn(environment, variable),
    origin: (variable) => {
      if (Object.hasOwn(request.environment, variable)) return 'environment';
      return found.places.get(variable) ?? (variable === 'COMPOSE_PROJECT_NAME' ? 'project name' : undefined);
    },
  };
  const model = assemble(session, found.files, { ...variables, directory: projectDirectory, chain: [] });
  if (!model) return giveUp();

  const asked = [...request.profiles, ...splitList(environment.COMPOSE_PROFILES, ',')];
  const loaded = complete(session, model, {
    name,
    profiles: asked,
    named: request.services ?? [],
    variables,
    directory: projectDirectory,
    hints: request.hints === true,
  });
  if (problems.errors.length > 0) return giveUp();
  return {
    ok: true,
    value: { ...loaded, files: session.files, environment, projectDirectory },
    warnings: problems.sorted().warnings,
  };
}

/** `name:` is looked at before everything else, because interpolation may ask for COMPOSE_PROJECT_NAME. */
function projectName(
  session: Session,
  request: LoadRequest,
  files: string[],
  environment: Record<string, string>,
  directory: string,
): { name: string; where?: Position | undefined } {
  const given = request.projectName || environment.COMPOSE_PROJECT_NAME;
  if (given) return { name: given };
  const roots = files.flatMap((file) => readDocuments(session, file)).map((document) => document.root);
  const basename = normaliseProjectName(posix.basename(directory));
  const root = roots.findLast((candidate) => typeof candidate.name === 'string' && candidate.name !== '');
  if (root === undefined) return { name: basename };
  const { value } = expand(root.name as string, (variable) => variableIn(environment, variable));
  const where = positionOf(session.places.get(root, 'name'));
  const name = normaliseProjectName(value);
  if (name !== value && value !== '') {
    session.problems.warn('config.surprise', {
      message: `name: the project is called ${JSON.stringify(name || basename)}, not ${JSON.stringify(value)}`,
      hint: 'A project name is made of lower-case letters, digits, hyphens and underscores.',
      where,
    });
  }
  return { name: name || basename, where };
}

function splitList(written: string | undefined, separator: string): string[] {
  return (written ?? '').split(separator).filter((item) => item !== '');
}

interface Discovered {
  files: string[] | undefined;
  environment: Record<string, string>;
  places: Map<string, Place>;
  projectDirectory: string;
  errors: StackError[];
}

function discover(request: LoadRequest, show: (path: string) => string): Discovered {
  const { io, workingDir } = request;
  const absolute = (path: string) => (path === '-' ? path : posix.resolve(workingDir, path));
  const directoryOf = (files: string[]) => {
    if (request.projectDirectory !== undefined) return absolute(request.projectDirectory);
    const first = files.find((file) => file !== '-');
    return first === undefined ? workingDir : posix.dirname(first);
  };
  const named = (request.files ?? []).map(absolute);
  const ownEnvFiles = request.envFiles ?? splitList(request.environment.COMPOSE_ENV_FILES, ',');
  const isDisabled = isTrue(request.environment.COMPOSE_DISABLE_ENV_FILE);
  const env = (directory: string) =>
    ownEnvFiles.length > 0
      ? readEnvironment(request.environment, ownEnvFiles.map(absolute), true, io, show)
      : readEnvironment(request.environment, isDisabled ? [] : [posix.join(directory, '.env')], false, io, show);

  let files: string[] | undefined = named.length > 0 ? named : undefined;
  let environment = env(files ? directoryOf(files) : absolute(request.projectDirectory ?? workingDir));
  if (!files) {
    const separator = environment.values.COMPOSE_PATH_SEPARATOR || ':';
    const fromEnvironment = splitList(environment.values.COMPOSE_FILE, separator).map(absolute);
    files =
      fromEnvironment.length > 0
        ? fromEnvironment
        : findStandardFiles(absolute(request.projectDirectory ?? workingDir), io);
    if (files && directoryOf(files) !== workingDir) environment = env(directoryOf(files));
  }
  const errors = environment.errors;
  if (!files) {
    errors.push(
      new StackError('config.not-found', {
        message: `no stack file in ${workingDir} or any directory above it`,
        hint: 'Create compose.yaml, or name a file with -f.',
      }),
    );
  }
  return {
    files,
    environment: environment.values,
    places: environment.places,
    projectDirectory: directoryOf(files ?? []),
    errors,
  };
}

interface Completion {
  name: string;
  profiles: string[];
  named: string[];
  variables: Variables;
  directory: string;
  hints: boolean;
}

/** Phases 7 to 11. */
function complete(
  session: Session,
  model: Model,
  { name, profiles, named, variables, directory, hints }: Completion,
): Pick<Loaded, 'project' | 'disabled' | 'position' | 'place'> {
  const show = (path: string) => shown(path, session.workingDir);
  const { places, problems, io, skip } = session;
  const selection = applyProfiles(model.services, profiles, named, places);
  problems.errors.push(...selection.errors);
  for (const [key, service] of Object.entries(selection.enabled)) {
    dropRepeated(service, places);
    if (!skip.environment && !skip.interpolation) {
      resolveEnvironment(key, service, { io, places, problems, variables, show });
    }
  }
  for (const service of Object.values({ ...selection.enabled, ...selection.disabled }))
    completeService(service, skip.paths ? '.' : directory, places, skip.normalisation);
  if (!skip.consistency && !skip.interpolation) {
    check({ model, enabled: selection.enabled, disabled: selection.disabled, places, problems });
  }
  const disabled = selection.disabled as unknown as Record<string, Service>;
  if (problems.errors.length === 0 && !skip.interpolation) {
    const enabled = selection.enabled as unknown as Record<string, Service>;
    warn({ session, model, services: { ...enabled, ...disabled }, enabled, hints });
  }
  const project = completeProject(name, model, selection.enabled, places, skip);
  return {
    project,
    disabled,
    place: (path) => places.exact(project, path),
    position: (path, part = 'key') => positionOf(places.find(project, path), part),
  };
}
