/** The configs and secrets a container was made with: what they are defined as is written below the services, not in them. */
import { createHash } from 'node:crypto';
import type { ContainerRecord } from '../../schemas/container.ts';
import type { FileObject, Project, Service } from '../../schemas/project.ts';
import { byName } from '../graph.ts';

type Grants = NonNullable<ContainerRecord['grants']>;

/** Fingerprints by path (`configs.app`) of those that the service is given; undefined where it is given none. */
export function grantsOf(project: Pick<Project, 'configs' | 'secrets'>, service: Service): Grants | undefined {
  const found = (['configs', 'secrets'] as const).flatMap((kind) => {
    const given = ((service as unknown as Record<string, unknown>)[kind] ?? []) as { source: string }[];
    return given.flatMap(({ source }) => {
      const definition = project[kind]?.[source];
      return definition ? [[`${kind}.${source}`, fingerprint(definition)] as const] : [];
    });
  });
  return found.length > 0 ? Object.fromEntries(found.sort(([a], [b]) => byName(a, b))) : undefined;
}

/**
 * A digest, so that a secret is not written down once more: of the content where it is known, wherever that comes from. A file that is
 * bound follows its changes: its path is what counts.
 */
function fingerprint({ file, content, environment, external }: FileObject): string {
  const source = content === undefined ? environment : undefined;
  const text = JSON.stringify([file ?? null, content ?? null, source ?? null, external ?? false]);
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** `configs.app changed`; empty where none did. What a record does not know is no change: an older version wrote it. */
export function changedGrants(was: Grants | undefined, is: Grants | undefined): string {
  if (!was) return '';
  const changed = Object.keys(is ?? {}).filter((path) => Object.hasOwn(was, path) && was[path] !== is![path]);
  return changed.length > 0 ? `${changed.join(', ')} changed` : '';
}
