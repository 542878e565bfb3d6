/**
 * From the files named to one merged model. Each file alone: read → interpolate → validate → normalise; then its
 * `include` and its `extends`; then it goes over the files before it. Source: compose-spec 13-merge.md, 14-include.md.
 */
import type { Io } from './discover.ts';
import { applyExtends } from './extends.ts';
import { applyIncludes } from './include.ts';
import { interpolate } from './interpolate.ts';
import { mergeModels, without } from './merge.ts';
import { type Model, normalise } from './normalise.ts';
import { type Path, type Place, type Places, positionOf, Source, type Variables } from './places.ts';
import type { Problems } from './problems.ts';
import { type Document, read } from './read.ts';
import { validate } from './validate.ts';

/** Phases that `stack config` can leave out. */
export interface Skip {
  /** Phase 2. What needs the values of variables is left out with it: reading env files and checking. */
  interpolation?: boolean;
  /** Of phase 4: relative paths stay as they are written. */
  paths?: boolean;
  /** Phase 8. */
  environment?: boolean;
  /** Of phase 9: what the file leaves unsaid stays unsaid. */
  normalisation?: boolean;
  /** Phase 10. */
  consistency?: boolean;
}

/** What stays the same during one load. */
export interface Session {
  io: Io;
  places: Places;
  problems: Problems;
  /** Paths are shown relative to this directory. */
  workingDir: string;
  home: string | undefined;
  skip: Skip;
  /** Absolute paths of all stack files read, in order. */
  files: string[];
  documents: Map<string, Document[]>;
  /** One file of one scope, by directory and path: `extends` asks for the same one again and again. */
  layers: Map<string, Layer[]>;
}

/** What a group of files shares: where relative paths begin, which variables are known, how it was reached. */
export interface Scope extends Variables {
  directory: string;
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

/** The value that named a file: `services.web.extends`. */
export interface Asked {
  place: Place | undefined;
  resource: string;
}

/** A path as messages show it: relative to the working directory where it lies below it. */
export function shown(path: string, workingDir: string): string {
  if (path === '-') return 'stdin';
  return path.startsWith(`${workingDir}/`) ? path.slice(workingDir.length + 1) : path;
}

/** The YAML documents of one file. An unreadable or empty file is reported once; `asked` is the value that named it. */
export function readDocuments(session: Session, file: string, asked?: Asked): Document[] {
  const known = session.documents.get(file);
  if (known) return known;
  const { problems } = session;
  const text = session.io.kind(file) === 'directory' ? undefined : session.io.read(file);
  const name = shown(file, session.workingDir);
  let documents: Document[] = [];
  if (text === undefined) {
    problems.error(asked ? 'config.unreadable' : 'config.not-found', {
      message: `${name}: ${session.io.kind(file) === 'directory' ? 'is a directory' : 'no such file'}`,
      where: positionOf(asked?.place),
      resource: asked?.resource,
    });
  } else {
    problems.noteFile(name);
    session.files.push(file);
    const source = new Source(name, text);
    const before = problems.errors.length;
    documents = read(source, session.places, problems);
    if (documents.length === 0 && problems.errors.length === before) {
      problems.error('config.yaml', { message: `${name} is empty`, where: source.position(0, 0) });
    }
  }
  session.documents.set(file, documents);
  return documents;
}

/** The documents of one file, each in canonical form. */
export function loadLayers(session: Session, file: string, scope: Scope, asked?: Asked): Layer[] {
  const key = `${scope.directory}\0${file}`;
  const known = session.layers.get(key);
  if (known) return known;
  const { places, problems, skip } = session;
  const variables = skip.interpolation ? undefined : scope;
  const layers = readDocuments(session, file, asked).map((document) => {
    const root = interpolate(document.root, { scope: variables, places, problems }) as Record<string, unknown>;
    validate(root, places, problems, skip.interpolation);
    if (root.version !== undefined) {
      problems.warn('config.value', {
        message: `${shown(file, session.workingDir)}: the attribute version is obsolete and ignored`,
        where: positionOf(places.get(root, 'version'), 'key'),
      });
    }
    const model = normalise(root, {
      places,
      problems,
      directory: scope.directory,
      home: session.home,
      keepsPaths: skip.paths === true,
      keepsFiles: skip.environment === true || skip.interpolation === true,
      keepsVariables: skip.interpolation === true,
    });
    return { file, model, root, cleared: document.cleared };
  });
  session.layers.set(key, layers);
  return layers;
}

/** The merged model of `files`, in order. */
export function assemble(session: Session, files: string[], scope: Scope, asked?: Asked): Model | undefined {
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
