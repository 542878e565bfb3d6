/** Processes that enter a container, derived from its first one: probes and exec. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerRecord } from '../../schemas/container.ts';
import type { Process, RuntimeSpec } from '../../schemas/oci-runtime.ts';
import type { Host } from '../host.ts';
import { boundingSet, capabilitySets } from '../runtime/capabilities.ts';
import { imageAccounts, resolveUser } from '../runtime/users.ts';
import type { ExecRequest } from './containers.ts';
import { files } from './launch.ts';

/** What the engine keeps of the image to resolve users again: container.json has no room for it. */
export interface ImageMemo {
  id: string;
  layers: string[];
  /** Images that are mounted. */
  mounted?: { name: string; id: string; layers: string[] }[];
}

/** A probe runs as the container's process does, without a terminal and with its own words. */
export function probeProcess(spec: RuntimeSpec, args: string[]): Process {
  const { consoleSize: _, ...process } = spec.process!;
  return { ...process, args, terminal: false };
}

/** exec: the container's environment, user, directory and capabilities, each over-ridden where asked. */
export async function execProcess(
  host: Host,
  record: ContainerRecord,
  spec: RuntimeSpec,
  request: ExecRequest,
): Promise<Process> {
  const base = baseProcess(spec, request);
  const user = request.user === undefined ? undefined : await userOf(host, record, request.user);
  const privileged = request.isPrivileged ? boundingSet(readFileSync('/proc/self/status', 'utf8')) : undefined;
  const names = privileged ?? base.capabilities?.bounding ?? [];
  const uid = user?.uid ?? base.user?.uid ?? 0;
  const env = mergeEnvironment(base.env ?? [], [
    ...(user ? [`HOME=${user.home}`] : []),
    ...(request.isTty ? ['TERM=xterm'] : []),
    ...(request.env ?? []),
  ]);
  return {
    ...base,
    args: request.args,
    env,
    terminal: request.isTty,
    cwd: request.workingDir ?? base.cwd,
    capabilities: capabilitySets(names, uid),
    ...(user ? { user: { uid, gid: user.gid, additionalGids: user.additionalGids } } : {}),
    ...(request.size ? { consoleSize: { height: request.size[0], width: request.size[1] } } : {}),
  };
}

/** What is privileged leaves the container's confinement, and not its namespaces. */
function baseProcess(spec: RuntimeSpec, { isPrivileged }: ExecRequest): Process {
  const { consoleSize: _, apparmorProfile, selinuxLabel, ...base } = spec.process!;
  if (isPrivileged) return base;
  return { ...base, ...(apparmorProfile ? { apparmorProfile } : {}), ...(selinuxLabel ? { selinuxLabel } : {}) };
}

async function userOf(host: Host, record: ContainerRecord, user: string) {
  const text = readFileSync(join(host.layout.containerDir(record.stack, record.id), files.image), 'utf8');
  const memo = JSON.parse(text) as ImageMemo;
  return resolveUser(imageAccounts(host.kernel, memo), user, [], `container ${record.name}`);
}

/** Later entries replace earlier ones of the same name, in place. */
function mergeEnvironment(base: string[], over: string[]): string[] {
  const merged = new Map<string, string>();
  for (const entry of [...base, ...over]) merged.set(entry.split('=', 1)[0]!, entry);
  return [...merged.values()];
}
