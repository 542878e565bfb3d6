/** The machine's settings: /etc/stack/settings.yaml, or the file named by STACK_SETTINGS. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Position, StackError } from '../schemas/errors.ts';
import type { Settings } from '../schemas/settings.ts';
import { layout } from './state/layout.ts';

const defaultFile = '/etc/stack/settings.yaml';

/**
 * Reads and checks the settings file. Without one every setting has its default and no parser is loaded.
 * `keepsNothing`: that they were checked is not written down for the next run.
 * @throws StackError `config.not-found` where STACK_SETTINGS names a file that is not there, `config.yaml`,
 * `config.unknown-attribute`, `config.type`, `config.value`; all problems of the file come at once (`also`).
 */
export async function readSettings(
  environment: NodeJS.ProcessEnv = process.env,
  keepsNothing = false,
): Promise<Settings> {
  const file = environment.STACK_SETTINGS || defaultFile;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    const errno = (thrown as NodeJS.ErrnoException).code;
    if (errno === 'ENOENT' && !environment.STACK_SETTINGS) return {};
    throw new StackError(errno === 'ENOENT' ? 'config.not-found' : 'config.unreadable', {
      message: `The settings file ${file} cannot be read: ${errno}.`,
      hint: environment.STACK_SETTINGS ? 'Correct or unset STACK_SETTINGS.' : `Make ${file} readable.`,
      errno,
      cause: thrown,
    });
  }
  const cache = join(layout(environment).run, 'settings.json');
  const known = readChecked(cache, text);
  if (known) return known;
  const settings = await parseSettings(text, file);
  if (!keepsNothing) writeChecked(cache, text, settings);
  return settings;
}

/** Counts up with every change of what a settings file may say. */
const checkedFormat = 3;

/** The settings of this very text where an earlier run checked them: parser and schema stay unloaded, 40 ms a command. */
function readChecked(cache: string, text: string): Settings | undefined {
  try {
    const known = JSON.parse(readFileSync(cache, 'utf8')) as { format: number; text: string; settings: Settings };
    return known.format === checkedFormat && known.text === text ? known.settings : undefined;
  } catch {
    return undefined;
  }
}

function writeChecked(cache: string, text: string, settings: Settings): void {
  const temporary = `${cache}.${process.pid}`;
  try {
    mkdirSync(join(cache, '..'), { recursive: true });
    writeFileSync(temporary, JSON.stringify({ format: checkedFormat, text, settings }), { mode: 0o600 });
    renameSync(temporary, cache);
  } catch {
    // Without rights there the next run checks again.
  }
}

/** Checks the text of a settings file; `file` is what positions name. Errors as {@link readSettings}. */
export async function parseSettings(text: string, file: string): Promise<Settings> {
  const [{ LineCounter, parseDocument, isMap }, { settings }] = await Promise.all([
    import('yaml'),
    import('../schemas/settings.ts'),
  ]);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number, end = offset + 1): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col, length: Math.max(1, end - offset) };
  };
  /** Where the value at `path` stands, or the nearest thing around it that exists; the key where `isKey`. */
  const place = (path: PropertyKey[], isKey = false): Position => {
    for (let depth = path.length; depth > 0; depth--) {
      const parent = depth > 1 ? document.getIn(path.slice(0, depth - 1), true) : document.contents;
      const pair = isMap(parent)
        ? parent.items.find((item) => String(item.key) === String(path[depth - 1]))
        : undefined;
      const node = (pair && (isKey || !pair.value) ? pair.key : document.getIn(path.slice(0, depth), true)) as {
        range?: [number, number, number] | null;
      } | null;
      if (node?.range) return at(node.range[0], node.range[1]);
    }
    return at(0);
  };
  throwAll(
    document.errors.map(
      (error) =>
        new StackError('config.yaml', {
          message: `The settings file ${file} is not valid YAML: ${error.message}.`,
          where: at(error.pos[0], error.pos[1]),
        }),
    ),
  );
  const parsed = settings.safeParse(document.toJS() ?? {});
  if (parsed.success) return parsed.data;
  throwAll(
    parsed.error.issues.flatMap((issue) => {
      const resource = issue.path.join('.');
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.map(
          (key) =>
            new StackError('config.unknown-attribute', {
              message: `Unknown setting \`${resource ? `${resource}.` : ''}${key}\`.`,
              hint: `Settings known there: ${known(issue.path).join(', ')}.`,
              where: place([...issue.path, key], true),
            }),
        );
      }
      return new StackError(issue.code === 'invalid_type' ? 'config.type' : 'config.value', {
        message: `Setting \`${resource}\`: ${issue.message}.`,
        where: place(issue.path),
        resource,
      });
    }),
  );
  throw new Error('unreachable');
}

/** Names that may stand at a place of the settings file. */
function known(path: PropertyKey[]): string[] {
  if (path.length === 0) return ['registries', 'network', 'selinux', 'cgroupParent'];
  if (path[0] === 'registries') return ['mirrors', 'insecure', 'ca', 'clientCert', 'clientKey'];
  return path.length === 1 ? ['pools'] : ['base', 'size'];
}

function throwAll(errors: StackError[]): void {
  const [first, ...rest] = errors;
  if (!first) return;
  first.also.push(...rest);
  throw first;
}
