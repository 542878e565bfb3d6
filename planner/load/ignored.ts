/** Attributes that are taken and change nothing here, each with a word on why. */
import type { Service } from '../../schemas/project.ts';
import type { Verdict } from './refused.ts';

const windows = 'it is for Windows containers';
const cluster = 'it is for the scheduler of a cluster, and a stack runs on one machine';

/** @returns one for each attribute a user might count on. */
export function ignoredAttributes(service: Service): Verdict[] {
  const found: Verdict[] = [];
  const add = (path: (string | number)[], value: unknown, why: string, hint: string) => {
    if (isSaid(value)) found.push({ path, why, hint });
  };
  const { deploy = {} } = service;
  const { reservations } = deploy.resources ?? {};
  add(['cpu_count'], service.cpu_count, windows, 'On Linux `cpus` limits processors.');
  add(['cpu_percent'], service.cpu_percent, windows, 'On Linux `cpus` limits processors.');
  const shared = 'with `ipc: shareable` /dev/shm lies in the run directory';
  const shm = service.ipc === 'shareable' ? service.shm_size : undefined;
  add(['shm_size'], shm, shared, 'Remove it; `mem_limit` bounds what a container keeps there too.');
  add(['deploy', 'placement'], deploy.placement, cluster, 'Remove it, or `cpuset` to choose processors.');
  add(['deploy', 'endpoint_mode'], deploy.endpoint_mode, cluster, 'Remove it, or leave it for `docker stack deploy`.');
  const lone = deploy.update_config ? undefined : deploy.rollback_config;
  const batches = 'without `update_config` there is no update in batches to go back from';
  add(['deploy', 'rollback_config'], lone, batches, 'Add `update_config: {failure_action: rollback}`, or remove it.');
  for (const [index, { consistency }] of (service.volumes ?? []).entries()) {
    const hint = 'Remove it: containers and the machine always see the same files at once.';
    add(['volumes', index, 'consistency'], consistency, 'it is for file systems shared with a virtual machine', hint);
  }
  const reserve = 'nothing is reserved on one machine';
  const path = ['deploy', 'resources', 'reservations'];
  add([...path, 'cpus'], reservations?.cpus, reserve, 'Use `cpu_shares` to give a service more than others.');
  const generic = (reservations as Record<string, unknown> | undefined)?.generic_resources;
  add([...path, 'generic_resources'], generic, reserve, 'Give devices with `devices` or `gpus`.');
  return found;
}

function isSaid(value: unknown): boolean {
  if (value === undefined || value === null || value === 0 || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
