/** What a CDI device changes in a container, as parts of config.json. */
import { StackError } from '../../schemas/errors.ts';
import type { Device } from '../../schemas/oci-runtime.ts';
import type { CdiDevice, CdiNode, ContainerEdits } from './cdi-spec.ts';
import { type Grants, noGrants } from './grants.ts';
import { findDevice, ruleOf } from './host-devices.ts';

/** @throws config.value for a node that is not there, config.not-supported for edits we have no way to make. */
export function cdiGrants({ name, file, edits }: CdiDevice, resource: string): Grants {
  const grants = noGrants();
  for (const one of edits) {
    refuseUnknown(name, file, one, resource);
    for (const node of one.deviceNodes ?? []) {
      const device = nodeOf(node, `${resource}: ${name}`);
      grants.nodes.push(device);
      grants.rules.push(ruleOf(device, node.permissions ?? 'rwm'));
    }
    for (const { hostPath, containerPath, options = [], type = 'bind' } of one.mounts ?? []) {
      grants.mounts.push({ destination: containerPath, source: hostPath, type, options: bindOptions(type, options) });
    }
    for (const { hookName, path, args, env, timeout } of one.hooks ?? []) {
      const hook = { path, ...(args ? { args } : {}), ...(env ? { env } : {}), ...(timeout ? { timeout } : {}) };
      if (hookName === 'startContainer') grants.hooks.startContainer.push(hook);
      else grants.hooks.createContainer.push(hook);
    }
    grants.env.push(...(one.env ?? []));
    // SPEC.md: group 0 is passed over.
    grants.additionalGids.push(...(one.additionalGids ?? []).filter((gid) => gid !== 0));
  }
  return grants;
}

/** A bind mount has to say that it is one. */
const bindOptions = (type: string, options: string[]) =>
  type === 'bind' && !options.some((option) => option === 'bind' || option === 'rbind')
    ? ['rbind', ...options]
    : options;

function nodeOf(node: CdiNode, resource: string): Device {
  const { path, hostPath = path, type, major, minor, uid, gid, fileMode } = node;
  const isWhole = type !== undefined && (major !== undefined || type === 'p');
  const found = isWhole ? undefined : findDevice(hostPath, resource);
  const known = (isWhole ? type : found!.type) as Device['type'];
  return {
    type: known,
    path,
    major: major ?? found?.major ?? 0,
    minor: minor ?? found?.minor ?? 0,
    fileMode: fileMode ?? found?.fileMode ?? 0o666,
    uid: uid ?? found?.uid ?? 0,
    gid: gid ?? found?.gid ?? 0,
  };
}

const known = new Set(['env', 'deviceNodes', 'mounts', 'hooks', 'additionalGids']);
/** Hooks inside the container's namespaces; the others would have to be run by a runtime that stays. */
const runnable = new Set(['createContainer', 'startContainer']);

function refuseUnknown(name: string, file: string, edits: ContainerEdits, resource: string): void {
  const hook = (edits.hooks ?? []).find(({ hookName }) => !runnable.has(hookName));
  const other = Object.keys(edits).find((key) => !known.has(key) && edits[key] !== null);
  const what = hook ? `a ${hook.hookName} hook` : other;
  if (!what) return;
  throw new StackError('config.not-supported', {
    message: `${resource}: the device ${name} needs ${what} (${file}), which Stack cannot give a service`,
    hint: hook
      ? 'Of hooks, createContainer and startContainer are run.'
      : 'Use a device that does without, or remove it.',
    resource,
  });
}
