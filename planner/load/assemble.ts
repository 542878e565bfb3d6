/**
 * From the files named to one merged model. Each file alone: read → interpolate → validate → normalise; then its
 * `include` and its `extends`; then it goes over the files before it. Source: compose-spec 13-merge.md, 14-include.md.
 */
import { posix } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import type { Io } from './discover.ts';
import { applyExtends } from './extends.ts';
import { applyIncludes } from './include.ts';
import { interpolate } from './interpolate.ts';
import { mergeModels, without } from './merge.ts';
import { type Model, normalise } from './normalise.ts';
import { type Path, type Place, type Places, positionOf, Source } from './places.ts';
import type { Problems } from './problems.ts';
import { read } from './read.ts';
import { validate } from './validate.ts';

/** What stays the same during one load. */
export interface Session {
  io: Io;
  places: Places;
  problems: Problems;
  /** Paths are shown relative to this directory. */
  workingDir: string;
  home: string | undefined;
  /** Absolute paths of all stack files read, in order. */
  files: string[];
  /** One file of one scope, by directory and path: `extends` asks for the same one again and again. */
  layers: Map<string, Layer[]>;
}

/** What a group of files shares: where relative paths begin, which variables are known, how it was reached. */
export interface Scope {
  directory: string;
  lookup: (name: string) => string | undefined;
  /** Files that led here by `include`: reaching one again is a cycle. */
  chain: string[];
}

/** One document of a file. `include` is kept as written and interpolated. */
export interface Layer {
  file: string;
  model: Model;
  root: Record<string, unknown>;
  cleared: Path[];
}

/** A path as messages show it: relative to the working directory where it lies below it. */
export function shown(path: string, workingDir: string): string {
  if (path === '-') return 'stdin';
  return path.startsWith(`${workingDir}/`) ? path.slice(workingDir.length + 1) : path;
}

/** The documents of one file, each in canonical form. An unreadable or empty file is reported; `asked` is who named it. */
export function loadLayers(session: Session, file: string, scope: Scope, asked?: Place): Layer[] {
  const key = `${scope.directory}\0${file}`;
  const known = session.layers.get(key);
  if (known) return known;
  const layers: Layer[] = [];
  session.layers.set(key, layers);
  const { places, problems } = session;
  const text = session.io.read(file);
  const name = shown(file, session.workingDir);
  if (text === undefined) {
    const isMain = asked === undefined;
    problems.error(isMain ? 'config.not-found' : 'config.unreadable', {
      message: `${name}: ${session.io.kind(file) === 'directory' ? 'is a directory' : 'no such file'}`,
      where: positionOf(asked),
    });
    return layers;
  }
  problems.noteFile(name);
  if (!session.files.includes(file)) session.files.push(file);
  const source = new Source(name, text);
  const before = problems.errors.length;
  const documents = read(source, places, problems);
  if (documents.length === 0 && problems.errors.length === before) {
    problems.error('config.yaml', { message: `${name} is empty`, where: source.position(0, 0) });
  }
  for (const document of documents) {
    const root = interpolate(document.root, { lookup: scope.lookup, places, problems }) as Record<string, unknown>;
    validate(root, places, problems);
    const model = normalise(root, { places, problems, directory: scope.directory, home: session.home });
    layers.push({ file, model, root, cleared: document.cleared });
  }
  return layers;
}

/** The merged model of `files`, in order. */
export function assemble(session: Session, files: string[], scope: Scope, asked?: Place): Model | undefined {
  let merged: Model | undefined;
  for (const file of files) {
    for (const layer of loadLayers(session, file, scope, asked)) {
      let model = applyExtends(session, layer, scope, merged);
      model = applyIncludes(session, layer, model, scope);
      if (merged) for (const path of layer.cleared) merged = without(merged, path, session.places);
      merged = merged ? mergeModels(merged, model, session.places) : model;
    }
  }
  return merged;
}

/** An error that points at `place`. */
export function placed(
  code: ConstructorParameters<typeof StackError>[0],
  message: string,
  place?: Place,
  hint?: string,
) {
  return new StackError(code, { message, hint, where: positionOf(place) });
}

export const dirname = posix.dirname;
