/** Paths of COPY and ADD. Source: Dockerfile reference, "COPY", "COPY --parents". */
import type { CopyPaths } from '../../../schemas/build.ts';
import { cleanPath } from '../ignore/pattern.ts';

/** Absolute; a final slash stays, and `.` has one: both say that it is a directory. */
export function resolveDestination(cwd: string, written: string): string {
  const clean = written.startsWith('/') ? cleanPath(written) : cleanPath(`/${cwd}/${written}`);
  const isDirectory = written === '' || written === '.' || /\/\.?$/.test(written);
  return isDirectory && clean !== '/' ? `${clean}/` : clean;
}

/** Whether a path is a pattern; a backslash takes the next character's meaning away. */
export const hasWildcard = (path: string) => /[*?[]/.test(path.replaceAll(/\\./gs, ''));

/**
 * A source in a context, a stage or an image, its input yet to be set; and which part of a context it needs, relative,
 * empty for all of it.
 */
export function localSource(written: string, parents: boolean, unpack: boolean): { source: CopyPaths; needs: string } {
  const source: CopyPaths = {
    type: 'input',
    input: 0,
    path: cleanPath(`/${written}`),
    wildcard: true,
    emptyAllowed: true,
    followSymlinks: true,
    contentsOnly: true,
    unpack,
  };
  const needs = neededPart(cleanPath(`/${written}`).slice(1));
  if (!parents) return { source, needs };
  // `/./` is where the kept part of the path begins.
  const pivot = written.indexOf('/./');
  const [head, tail] = pivot === -1 ? ['', written] : [written.slice(0, pivot), written.slice(pivot + 2)];
  const pattern = cleanPath(`/${tail}`).slice(1);
  source.path = cleanPath(`/${head}`);
  source.include = [pattern];
  if (!hasWildcard(head) && !hasWildcard(pattern)) source.required = [cleanPath(`/${head}/${pattern}`)];
  return { source, needs };
}

/** The path as far as Go's filepath.Match understands it: up to an element with `**`. */
function neededPart(path: string): string {
  const elements = path.split('/');
  const deep = elements.findIndex((element) => element.includes('**'));
  return (deep === -1 ? elements : elements.slice(0, deep)).join('/');
}
