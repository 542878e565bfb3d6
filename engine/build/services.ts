/** Services that a build takes as contexts: `service:NAME` of additional_contexts. Source: compose-spec build.md. */
import { StackError } from '../../schemas/errors.ts';
import type { BuildRequest } from './builds.ts';

/** @throws StackError `build.cycle` where a service waits for itself, `build.context` where one is not built */
export function checkServices(request: BuildRequest): void {
  const done = new Set<string>();
  const visit = (at: BuildRequest, path: string[]) => {
    for (const [, written] of Object.entries(at.settings.contexts)) {
      const name = /^(?:service|target):(?:\/\/)?(.*)$/s.exec(written)?.[1];
      if (name === undefined || done.has(name)) continue;
      if (path.includes(name)) {
        throw new StackError('build.cycle', {
          message: `Builds of services wait for each other: ${[...path.slice(path.indexOf(name)), name].join(' → ')}.`,
          hint: 'Take one of them out of `additional_contexts`.',
        });
      }
      visit(at.requestOf(name), [...path, name]);
    }
    done.add(path.at(-1)!);
  };
  visit(request, [request.service]);
}
