/** The rules of `develop.watch` of a stack: resolved, and refused where they cannot mean anything. Source: compose-spec develop.md. */
import { StackError } from '../../schemas/errors.ts';
import type { DevelopWatch, Service } from '../../schemas/project.ts';
import type { PathPatterns, WatchAction, WatchRule } from '../../schemas/watch.ts';
import { ignoreFileNames, readIgnoreFile } from '../dockerfile/ignore/ignore.ts';
import { cleanPath } from '../dockerfile/ignore/pattern.ts';
import type { Loaded } from '../load/load.ts';
import { below } from './matcher.ts';
import { overlaps } from './overlap.ts';
import { ruleProblem } from './problems.ts';

/** What the rules are held against. */
export interface Surroundings {
  /** What the machine has at an absolute path, links followed. */
  kind(path: string): 'file' | 'directory' | undefined;
  read(path: string): string | undefined;
}

export interface Rules {
  rules: WatchRule[];
  errors: StackError[];
  warnings: StackError[];
}

export type Stack = Pick<Loaded, 'project' | 'position' | 'projectDirectory'>;

/** Of all services, or of those named. All problems at once, each with its place. */
export function watchRules(stack: Stack, named: string[], around: Surroundings): Rules {
  const rules: WatchRule[] = [];
  const errors: StackError[] = [];
  const warnings: StackError[] = [];
  for (const [name, service] of Object.entries(stack.project.services)) {
    if (named.length > 0 && !named.includes(name)) continue;
    const patterns = dockerignore(service, around);
    const own: WatchRule[] = [];
    for (const [index, written] of (service.develop?.watch ?? []).entries()) {
      const problem = ruleProblem(stack, { name, service, index, written }, around);
      if (problem) errors.push(problem);
      else own.push(withoutMounted(ruleOf(name, index, written, patterns), service, stack, warnings));
    }
    errors.push(...overlaps(stack, own, around));
    rules.push(...own.filter((rule) => rule.action !== 'sync' || rule.target !== undefined));
  }
  return { rules, errors, warnings };
}

function ruleOf(service: string, index: number, written: DevelopWatch, patterns: PathPatterns[]): WatchRule {
  const { target, ignore = [], include = [], exec } = written;
  const path = cleanPath(written.path!);
  const action = written.action as WatchAction;
  return {
    service,
    index,
    path,
    action,
    ignore: ignore.length > 0 ? [...patterns, { base: path, lines: readIgnoreFile(ignore.join('\n')) }] : patterns,
    hasInitialSync: written.initial_sync === true,
    ...(include.length > 0 ? { include: readIgnoreFile(include.join('\n')) } : {}),
    ...(action.startsWith('sync') ? { target: cleanPath(target!) } : {}),
    ...(action === 'sync+exec' ? { exec: { ...exec, command: exec!.command! } } : {}),
  };
}

/** The ignore file of the build context counts for every rule. */
function dockerignore({ build }: Service, { read }: Surroundings): PathPatterns[] {
  const { context, dockerfile = 'Dockerfile' } = (build ?? {}) as { context?: string; dockerfile?: string };
  if (!context?.startsWith('/')) return [];
  for (const name of ignoreFileNames(dockerfile)) {
    const text = read(name.startsWith('/') ? name : `${context}/${name}`);
    if (text !== undefined) return [{ base: cleanPath(context), lines: readIgnoreFile(text) }];
  }
  return [];
}

/** What a bind mount brings already is not copied onto itself. */
function withoutMounted(rule: WatchRule, service: Service, stack: Stack, warnings: StackError[]): WatchRule {
  const { target, ...rest } = rule;
  const mount = (service.volumes ?? []).find((one) => {
    if (one.type !== 'bind' || !one.source || target === undefined) return false;
    const inside = below(cleanPath(one.target), target);
    return inside !== undefined && cleanPath(`${one.source}/${inside}`) === rule.path;
  });
  if (!mount) return rule;
  const path = ['services', rule.service, 'develop', 'watch', rule.index];
  warnings.push(
    new StackError('config.surprise', {
      message: `${path.join('.')}: ${target} is ${rule.path} itself by the bind mount of ${mount.source}: nothing is copied.`,
      hint: 'Keep one of the two.',
      where: stack.position([...path, 'path'], 'value'),
      resource: path.join('.'),
    }),
  );
  return rest;
}
