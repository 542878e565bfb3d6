/** The kernel itself: its age, namespaces, filters, limits, and what this process may ask of it. */
import { type Check, check, isAtLeast, type Machine } from './check.ts';

export function kernelChecks(machine: Machine): Check[] {
  return [
    version(machine),
    namespaces(machine),
    userNamespaces(machine),
    seccomp(machine),
    idmappedMounts(machine),
    capabilities(machine),
    openFiles(machine),
    inotify(machine),
  ];
}

function version({ release }: Machine): Check {
  const { ok, fail } = check('kernel.version', 'Kernel');
  return isAtLeast(release, 5, 12) ? ok(release) : fail(release, 'Stack needs Linux 5.12 or newer.');
}

const needed = ['mnt', 'net', 'uts', 'pid', 'ipc', 'cgroup'];

function namespaces({ exists }: Machine): Check {
  const { ok, fail } = check('kernel.namespaces', 'Namespaces');
  const missing = needed.filter((name) => !exists(`/proc/self/ns/${name}`));
  if (missing.length === 0) return ok(needed.join(' '));
  return fail(`missing: ${missing.join(' ')}`, 'Boot a kernel with CONFIG_NAMESPACES and all of its kinds.');
}

function userNamespaces({ read, exists }: Machine): Check {
  const { ok, warn } = check('kernel.user-namespaces', 'User namespaces');
  if (!exists('/proc/self/ns/user'))
    return warn('none', 'Containers that ask for users of their own need CONFIG_USER_NS.');
  const most = Number(read('/proc/sys/user/max_user_namespaces') ?? '0');
  if (most > 0) return ok(`${most} at most`);
  return warn('turned off', 'Set the sysctl user.max_user_namespaces above 0 for containers with users of their own.');
}

function seccomp({ read }: Machine): Check {
  const { ok, warn, fail } = check('kernel.seccomp', 'Seccomp');
  const actions = read('/proc/sys/kernel/seccomp/actions_avail')?.trim().split(' ') ?? [];
  if (!actions.includes('errno')) return fail('none', 'Boot a kernel with CONFIG_SECCOMP_FILTER.');
  if (actions.includes('user_notif')) return ok(actions.join(' '));
  return warn(actions.join(' '), 'Filters that hand calls to a listener (SCMP_ACT_NOTIFY) cannot be used.');
}

function idmappedMounts({ release }: Machine): Check {
  const { ok, warn } = check('kernel.idmapped-mounts', 'Idmapped mounts');
  if (isAtLeast(release, 5, 19)) return ok('of most file systems and overlays');
  return warn('not of overlays', 'Linux 5.19 or newer maps the users of an image without a copy of its files.');
}

/** capabilities(7); the number is its bit. */
const rights = { NET_ADMIN: 12, SYS_CHROOT: 18, SYS_ADMIN: 21, SYS_RESOURCE: 24, MKNOD: 27 };

function capabilities({ read }: Machine): Check {
  const { ok, warn, fail } = check('host.capabilities', 'Rights of this process');
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(read('/proc/self/status') ?? '')?.[1] ?? '0'}`);
  const missing = Object.entries(rights).flatMap(([name, bit]) => ((mask >> BigInt(bit)) & 1n ? [] : [name]));
  if (missing.length === 0) return ok('all that are needed');
  const words = `without ${missing.map((name) => `CAP_${name}`).join(' ')}`;
  if (missing.join() === 'SYS_RESOURCE') {
    return warn(words, 'Limits cannot be raised (`ulimits`), and `oom_score_adj` not lowered.');
  }
  return fail(words, 'Run Stack as root; inside another container, as a privileged one.');
}

function openFiles({ read }: Machine): Check {
  const { ok, warn } = check('host.open-files', 'Open files');
  const [, soft = '0', hard = '0'] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(read('/proc/self/limits') ?? '') ?? [];
  const most = hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
  if (most >= 4096) return ok(`${soft}, ${hard} at most`);
  return warn(
    `${hard} at most`,
    'Raise the limit (`ulimit -Hn`): large stacks and their containers need some thousands.',
  );
}

function inotify({ read }: Machine): Check {
  const { ok, warn } = check('host.inotify', 'File watches');
  const of = (name: string) => Number(read(`/proc/sys/fs/inotify/${name}`) ?? '0');
  const [watches, instances] = [of('max_user_watches'), of('max_user_instances')];
  const words = `${watches} watches, ${instances} instances`;
  if (watches >= 65_536 && instances >= 128) return ok(words);
  return warn(words, 'Set fs.inotify.max_user_watches to 524288 and max_user_instances to 512 with sysctl.');
}
