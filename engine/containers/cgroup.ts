/** Where a container's cgroup lies: below our own parent, and that below the service's `cgroup_parent` where it has one. */
import type { ContainerRecord } from '../../schemas/container.ts';
import { cgroupParent, type Host } from '../host.ts';
import { cgroupsPath } from '../runtime/cgroup/cgroup.ts';
import { slicePath } from '../runtime/cgroup/path.ts';

type Placed = Pick<ContainerRecord, 'stack' | 'id' | 'config'>;

/** `linux.cgroupsPath`: the identity of stack and container stays in it, so that it can be found by. */
export const containerCgroupsPath = (host: Host, record: Placed): string =>
  cgroupsPath(record.stack, record.id, parentOf(host, record));

export const parentOf = (host: Host, record: Pick<Placed, 'config'>): string =>
  chosenParent(record) + cgroupParent(host);

/** `cgroup_parent` as a path, or ''; a systemd slice by its name. @throws config.value for what is no slice, though it ends as one. */
export function chosenParent({ config: { cgroup_parent: asked } }: Pick<Placed, 'config'>): string {
  if (!asked) return '';
  return /^[^/]+\.slice$/.test(asked) ? slicePath(asked) : clean(asked);
}

/** `..` never leads above the top. */
function clean(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.map((part) => `/${part}`).join('');
}
