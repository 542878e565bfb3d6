/** Services as commands name them. */
import type { Project } from '../schemas/project.ts';

/** Those named, and what they depend on. */
export function withDependencies(project: Pick<Project, 'services'>, named: string[]): string[] {
  const all = new Set(named);
  for (const name of all) for (const other of Object.keys(project.services[name]?.depends_on ?? {})) all.add(other);
  return [...all];
}
