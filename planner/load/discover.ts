/** Phase 0: which files, which directory, which variables, which project name. Source: compose-spec 03-compose-file.md, 04-version-and-name.md; docker compose's environment variables. */
import { posix } from 'node:path';
import { type Position, StackError } from '../../schemas/errors.ts';
import { parseDotenv } from './dotenv.ts';
import type { Place } from './places.ts';
import { variableIn } from './template.ts';

/** How the loader sees files. Paths are absolute; `-` is standard input. */
export interface Io {
  read(path: string): string | undefined;
  kind(path: string): 'file' | 'directory' | undefined;
}

/** In the order they are looked for. */
const standardNames = [
  'compose.yaml',
  'compose.yml',
  'docker-compose.yml',
  'docker-compose.yaml',
  'stack.yaml',
  'stack.yml',
];
const overrideNames = standardNames.map((name) => name.replace('.y', '.override.y'));

/** The stack file of `directory` or of the nearest directory above it, with its override file where there is one. */
export function findStandardFiles(directory: string, io: Io): string[] | undefined {
  for (let at = directory; ; at = posix.dirname(at)) {
    const name = standardNames.find((candidate) => io.kind(posix.join(at, candidate)) === 'file');
    if (name) {
      const main = posix.join(at, name);
      const override = overrideNames.find((file) => io.kind(posix.join(at, file)) === 'file');
      return override ? [main, posix.join(at, override)] : [main];
    }
    if (at === posix.dirname(at)) return undefined;
  }
}

export interface Environment {
  values: Record<string, string>;
  /** Where the values of the files were given; later files over earlier ones. */
  places: Map<string, Place>;
  errors: StackError[];
}

/** The process's variables over those of `files`, later files over earlier ones. `isRequired`: the files were asked for. */
export function readEnvironment(
  base: Record<string, string>,
  files: string[],
  isRequired: boolean,
  io: Io,
  show: (path: string) => string,
): Environment {
  const fromFiles: Record<string, string> = {};
  const places = new Map<string, Place>();
  const errors: StackError[] = [];
  for (const file of files) {
    const text = io.kind(file) === 'directory' ? undefined : io.read(file);
    if (text === undefined) {
      if (isRequired)
        errors.push(new StackError('config.unreadable', { message: `env file ${show(file)}: no such file` }));
      continue;
    }
    const parsed = parseDotenv(text, show(file), (name) => variableIn(base, name) ?? variableIn(fromFiles, name));
    errors.push(...parsed.errors);
    for (const [name, value] of Object.entries(parsed.values)) {
      if (value === null) continue;
      fromFiles[name] = value;
      const place = parsed.places.get(name);
      if (place) places.set(name, place);
    }
  }
  return { values: { ...fromFiles, ...base }, places, errors };
}

/** Whether a variable that turns something on does. */
export function isTrue(written: string | undefined): boolean {
  return ['1', 't', 'true', 'y', 'yes', 'on'].includes((written ?? '').trim().toLowerCase());
}

/** `My.App_1` → `myapp_1`: what a directory's name becomes as a project name. */
export function normaliseProjectName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^-_a-z0-9]/g, '')
    .replace(/^[_-]+/, '');
}

/** An error where `name` is no project name. */
export function checkProjectName(name: string, where?: Position): StackError | undefined {
  if (/^[a-z0-9][-_a-z0-9]*$/.test(name)) return undefined;
  const better = normaliseProjectName(name);
  return new StackError('config.project-name', {
    message: `${JSON.stringify(name)} is no project name: lower-case letters, digits, hyphens and underscores, beginning with a letter or digit`,
    hint: better === '' ? 'Give one with -p or with name: in the stack file.' : `Use ${better}.`,
    where,
  });
}
