/** Where a container's cgroup lies: `linux.cgroupsPath` read as runc reads it. */
import { StackError } from '../../../schemas/errors.ts';

/** What places and limits cgroups: this program by files, or systemd asked over D-Bus. */
export type CgroupManager = 'cgroupfs' | 'systemd';

/** Where relative paths and containers without a path go. */
export const runtimeParent = '/stack-runtime';

/**
 * The path below the top of each hierarchy: `/a/b` as it is, `a/b` below `/stack-runtime`, nothing as
 * `/stack-runtime/<id>`. `..` never leads above the top. With the systemd manager `slice:prefix:name` becomes the
 * unit's place, `/slice/prefix-name.scope`; nothing becomes `system.slice:stack:<id>`.
 * @throws config.value where the form is the other manager's.
 */
export function resolveCgroupsPath(asked: string | undefined, id: string, manager: CgroupManager): string {
  if (manager === 'systemd') {
    const { slice, unit } = systemdUnit(asked, id);
    return `${slicePath(slice)}/${unit}`;
  }
  if (!asked) return `${runtimeParent}/${clean(id)}`;
  if (/^[^/]*:[^/]*:[^/]+$/.test(asked)) {
    throw invalid(asked, 'has the form slice:prefix:name of systemd, and the cgroup manager is cgroupfs', systemdHint);
  }
  const path = clean(asked);
  if (path === '') throw invalid(asked, 'names the top of the hierarchies', 'Give the container a cgroup of its own.');
  return asked.startsWith('/') ? `/${path}` : `${runtimeParent}/${path}`;
}

const systemdHint = 'Use the option --systemd-cgroup, or an absolute path.';

/**
 * `slice:prefix:name` as systemd's unit: `name` itself where it ends in `.slice`, else `prefix-name.scope`.
 * @throws config.value for another form.
 */
export function systemdUnit(asked: string | undefined, id: string): { slice: string; unit: string } {
  const parts = (asked || `system.slice:stack:${id}`).split(':');
  const [slice = '', prefix = '', name = ''] = parts;
  if (parts.length !== 3 || name === '' || parts.some((part) => part.includes('/'))) {
    throw invalid(asked!, 'does not have the form slice:prefix:name', 'The systemd cgroup manager needs that form.');
  }
  const unit = name.endsWith('.slice') ? name : `${prefix ? `${prefix}-` : ''}${name}.scope`;
  return { slice: slice || 'system.slice', unit };
}

/**
 * The directory of a slice: systemd nests them by their dashes, `a-b.slice` is `/a.slice/a-b.slice` and `-.slice` the
 * top (systemd.slice(5)). @throws config.value where it is no slice.
 */
export function slicePath(slice: string): string {
  if (slice === '-.slice') return '';
  const name = /^([^/]+)\.slice$/.exec(slice)?.[1];
  const parts = name?.split('-') ?? [];
  if (!name || parts.includes('')) throw invalid(slice, 'is not the name of a slice', 'Write it as in `system.slice`.');
  return parts.map((_, at) => `/${parts.slice(0, at + 1).join('-')}.slice`).join('');
}

/** Without empty parts, `.` and `..`: the latter takes back the part before it and nothing at the top. */
function clean(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function invalid(path: string, what: string, hint: string): StackError {
  return new StackError('config.value', {
    message: `linux.cgroupsPath: "${path}" ${what}`,
    hint,
    resource: 'linux.cgroupsPath',
  });
}
