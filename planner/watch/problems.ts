/** Rules of `develop.watch` that cannot be carried out, each with its place and the way out. */
import { StackError } from '../../schemas/errors.ts';
import type { DevelopWatch, Service } from '../../schemas/project.ts';
import { cleanPath } from '../dockerfile/ignore/pattern.ts';
import { below } from './matcher.ts';
import type { Stack, Surroundings } from './rules.ts';

export interface WrittenRule {
  name: string;
  service: Service;
  index: number;
  written: DevelopWatch;
}

/** The first thing that is wrong with a rule. */
export function ruleProblem(stack: Stack, rule: WrittenRule, around: Surroundings): StackError | undefined {
  const { name, service, index, written } = rule;
  // That the first three are there the loader has seen to.
  const { path = '', action = '', target = '', exec } = written;
  const refuse = (attribute: string, why: string, hint: string) => {
    const at = ['services', name, 'develop', 'watch', index, ...(attribute ? [attribute] : [])];
    const resource = at.join('.');
    const where = stack.position(at, attribute ? 'value' : 'key');
    return new StackError('config.value', { message: `${resource}: ${why}`, hint, where, resource });
  };
  const clean = cleanPath(path);
  if (!isInside(stack, rule, clean)) {
    return refuse(
      'path',
      `${path} lies outside the project`,
      `Watched is what lies in ${stack.projectDirectory}, beside the stack file that says so, or in the build context; \`--project-directory\` names another one.`,
    );
  }
  if (around.kind(clean) === undefined) {
    return refuse(
      'path',
      `${path} does not exist`,
      'Make it, or correct the path: it is relative to the project directory.',
    );
  }
  if (action.startsWith('sync') && !target.startsWith('/')) {
    const rooted = `/${target.replace(/^(\.\/)+/, '')}`;
    const why = `the target ${JSON.stringify(target)} is no absolute path`;
    return refuse('target', why, `Write it from the root of the container: ${rooted}.`);
  }
  if (action === 'sync+exec' && !exec?.command?.length) {
    return refuse(exec ? 'exec' : '', 'action sync+exec needs a command', 'Add exec: {command: …}.');
  }
  if (action === 'rebuild' && !service.build) {
    return refuse(
      'action',
      `${name} has no build section: there is nothing to rebuild`,
      'Use sync or restart, or give the service a build section.',
    );
  }
  return undefined;
}

function isInside({ projectDirectory, position }: Stack, { name, service, index }: WrittenRule, path: string): boolean {
  const { context } = (service.build ?? {}) as { context?: string };
  const file = position(['services', name, 'develop', 'watch', index])?.file;
  const beside = file?.startsWith('/') ? cleanPath(`${file}/..`) : undefined;
  return [projectDirectory, context, beside].some(
    (top) => top?.startsWith('/') && below(cleanPath(top), path) !== undefined,
  );
}
