/**
 * Which paths of a build context are left out. Source: Dockerfile reference, ".dockerignore file"; moby patternmatcher
 * (MatchesOrParentMatches). Later patterns win; a pattern that matches a directory counts for all below it.
 */
import { cleanPath, compileIgnorePattern, type IgnorePattern } from './pattern.ts';

export interface IgnoreMatcher {
  readonly patterns: IgnorePattern[];
  /** Whether `path` (relative, slashes, clean) is left out, on its own account or a parent's. */
  ignores(path: string): boolean;
  /**
   * Whether a walk has to go into `directory`, which is left out itself: only where an exception could keep something
   * below it.
   */
  entersIgnored(directory: string): boolean;
  /** Lines that are no patterns. */
  readonly malformed: string[];
}

export function createIgnoreMatcher(lines: string[]): IgnoreMatcher {
  const patterns: IgnorePattern[] = [];
  const malformed: string[] = [];
  for (const line of lines) {
    const pattern = compileIgnorePattern(line);
    if (pattern === 'malformed') malformed.push(line);
    else if (pattern) patterns.push(pattern);
  }
  const exceptions = patterns.filter(({ exception }) => exception);
  return {
    patterns,
    malformed,
    ignores(path) {
      const heads = headsOf(path);
      let isIgnored = false;
      for (const pattern of patterns) {
        if (pattern.exception !== isIgnored) continue;
        if (heads.some((head) => pattern.matches(head))) isIgnored = !pattern.exception;
      }
      return isIgnored;
    },
    entersIgnored(directory) {
      return exceptions.some((pattern) => pattern.reaches(directory) || pattern.matches(directory));
    },
  };
}

/** `a/b/c` → `a/b/c`, `a`, `a/b`. */
function headsOf(path: string): string[] {
  const heads = [path];
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) heads.push(path.slice(0, at));
  return heads;
}

/**
 * Ignore files of a context, the first that exists counts: one of the Dockerfile's own, then the context's.
 * `dockerfile` is its path relative to the context.
 */
export function ignoreFileNames(dockerfile: string): string[] {
  return [`${dockerfile}.dockerignore`, '.dockerignore'];
}

/** The patterns of an ignore file: comments and blank lines gone, paths cleaned, a leading slash taken off. */
export function readIgnoreFile(text: string): string[] {
  const patterns: string[] = [];
  const lines = (text.startsWith('\uFEFF') ? text.slice(1) : text).split('\n');
  for (const raw of lines) {
    if (raw.startsWith('#')) continue;
    const line = raw.trim();
    if (line === '') continue;
    const exception = line.startsWith('!');
    patterns.push((exception ? '!' : '') + cleaned(exception ? line.slice(1).trim() : line));
  }
  return patterns;
}

function cleaned(pattern: string): string {
  if (pattern === '') return '';
  const path = cleanPath(pattern);
  return path.length > 1 && path.startsWith('/') ? path.slice(1) : path;
}
