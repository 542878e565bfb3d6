/** For tests: loads from files given as an object, below /p. */
import { posix } from 'node:path';
import type { Result, StackError } from '../../schemas/errors.ts';
import { formatPosition } from '../diagnose.ts';
import { canonical, type Loaded, type LoadRequest, load } from './load.ts';

export function loadFiles(files: Record<string, string>, request: Partial<LoadRequest> = {}): Result<Loaded> {
  const all = new Map(Object.entries(files).map(([name, text]) => [posix.resolve('/p', name), text]));
  return load({
    workingDir: '/p',
    profiles: [],
    environment: {},
    io: {
      read: (path) => all.get(path),
      kind: (path) => {
        if (all.has(path)) return 'file';
        return [...all.keys()].some((name) => name.startsWith(`${path}/`)) ? 'directory' : undefined;
      },
    },
    ...request,
  });
}

/** The loaded stack of one file's text; throws what is wrong with it. */
export function loadText(text: string, request: Partial<LoadRequest> = {}): Loaded {
  return loaded(loadFiles({ 'compose.yaml': text }, request));
}

export function loaded(result: Result<Loaded>): Loaded {
  if (!result.ok) throw new Error(messages(result).join('\n'));
  return result.value;
}

/** One service `a` with these attributes, in canonical form. */
export function service(attributes: string, rest = ''): Record<string, unknown> {
  const text = `services:\n  a: {image: x, ${attributes}}\n${rest}`;
  const project = canonical(loadText(text).project) as { services: Record<string, Record<string, unknown>> };
  return project.services.a!;
}

/** `compose.yaml:3:5 config.type services.a…` for each error. */
export function messages(result: Result<Loaded>): string[] {
  return result.ok ? [] : result.errors.map(oneLine);
}

export function oneLine(error: StackError): string {
  return `${error.where ? formatPosition(error.where) : '-'} ${error.code} ${error.message}`;
}
