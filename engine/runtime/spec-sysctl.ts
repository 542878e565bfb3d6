/** Kernel settings of the container's own namespaces. */
import { StackError } from '../../schemas/errors.ts';

/** Kernel settings that an IPC namespace keeps for itself (ipc_namespaces(7)). */
const ipcSysctls = new Set([
  ...['kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni', 'kernel.sem', 'kernel.shmall', 'kernel.shmmax'],
  ...['kernel.shmmni', 'kernel.shm_rmid_forced'],
]);

/**
 * The service's sysctls over docker's two: every port may be bound and ping used without rights. Names with slashes
 * are those of sysctl(8). @throws config.value for a setting that no namespace of the container owns.
 */
export function sysctls(
  asked: Record<string, string>,
  owns: { network: boolean; ipc: boolean },
  resource: string,
): Record<string, string> {
  const merged: Record<string, string> = owns.network
    ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' }
    : {};
  for (const [name, value] of Object.entries(asked)) {
    const isNetwork = name.startsWith('net.');
    const where = `${resource}.sysctls.${name}`;
    const isIpc = ipcSysctls.has(name) || name.startsWith('fs.mqueue.');
    if ((isNetwork && !owns.network) || (isIpc && !owns.ipc)) {
      const [kind, attribute] = isNetwork ? ['network', 'network'] : ['IPC', 'ipc'];
      throw new StackError('config.value', {
        message: `${where}: the service has no ${kind} namespace of its own, so this would change another's`,
        hint: `Remove the sysctl, or give the service a ${attribute} of its own.`,
        resource: where,
      });
    }
    if (!isNetwork && !isIpc) {
      throw new StackError('config.value', {
        message: `${where}: the kernel has this setting once for the whole machine`,
        hint: 'A container may set net.*, fs.mqueue.* and the kernel.msg*, kernel.sem and kernel.shm* settings.',
        resource: where,
      });
    }
    merged[name] = String(value);
  }
  return merged;
}
