/**
 * The profile of containers that name none: in what it allows and denies the equal of docker's default profile, for
 * those who come from there, in words of our own. Language: apparmor.d(5).
 */

export const defaultProfileName = 'stack-default';

/**
 * Text for apparmor_parser(8), complete in itself: it includes nothing of /etc/apparmor.d and names no ABI, so parsers
 * from 2.13 on take it, on machines without the usual files too. A rule that denies outweighs every rule that allows.
 *
 * @param callers labels besides `unconfined` that may signal the container: our own, where something confines us.
 */
export function defaultProfile(callers: string[] = []): string {
  const peers = ['unconfined', ...callers.filter((label) => label !== 'unconfined')];
  return `# Made by Stack; loaded when a container needs it.
profile ${defaultProfileName} flags=(attach_disconnected,mediate_deleted) {
  # What the container's own root file system, capabilities, cgroups and system call filter leave open stays open.
  file,
  capability,
  network,
  umount,

  # Nothing of the machine outside is mounted anew, not by those with CAP_SYS_ADMIN either.
  deny mount,

  # Processes of containers see and signal each other; those outside of every profile signal them.
  signal (send,receive) peer=${defaultProfileName},
${peers.map((peer) => `  signal (receive) peer=${quoted(peer)},`).join('\n')}
  ptrace (trace,read,tracedby,readby) peer=${defaultProfileName},

  # /proc: processes, and of the settings only those that each IPC namespace has for itself.
  deny /proc/[^0-9s]** w,
  deny /proc/s[^y]** w,
  deny /proc/sy[^s]** w,
  deny /proc/sys[^/]** w,
  deny /proc/sys/[^k]** w,
  deny /proc/sys/k[^e]** w,
  deny /proc/sys/kernel/{[^s],s[^eh],se[^m],sh[^m]}** w,
  deny /proc/{kcore,sysrq-trigger} rwklx,

  # /sys: cgroups, which the container's cgroup namespace and the mount's own flags guard.
  deny /sys/{[^f],f[^s],fs[^/],fs/[^c],fs/c[^g],fs/cg[^r]}** wklx,
  deny /sys/{firmware,kernel/security,devices/virtual/powercap}/** rwklx,
}
`;
}

const quoted = (label: string) => `"${label.replaceAll(/["\\]/g, '')}"`;
