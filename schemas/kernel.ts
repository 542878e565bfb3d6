/**
 * The kernel port: every effect that Node has no call for. `native/` implements it with the addon; tests may hand
 * in a fake that records calls and fails at step N. Verbs throw a {@link KernelError}; they hold no policy.
 */

/** A file descriptor number owned by the caller, who closes it with `fs.closeSync`. Always O_CLOEXEC. */
export type Fd = number;

/** What a verb throws: an Error with these fields. `code` is the errno's name (`ENOENT`), `subject` what it was about. */
export interface KernelError extends Error {
  code: string;
  errno: number;
  /** The system call or step: `openat2`, `netlink`. */
  step: string;
  subject: string;
  /** Index of the message of a netlink batch that the kernel refused, and its extended-ack text. */
  index?: number;
}

/** openat2(2) `struct open_how`. */
export interface OpenHow {
  flags: number;
  mode?: number;
  /** RESOLVE_* bits. */
  resolve?: number;
}

export interface SpawnShim {
  /** The sealed program (see engine/runtime/program). */
  program: Uint8Array;
  /** Descriptors handed to the shim; the program names them by index in this list. */
  fds: Fd[];
}

export interface KernelPort {
  /** File the addon was loaded from: a worker thread of the engine loads the same verbs from it with `require`. */
  readonly addon: string;
  readonly filesystem: FilesystemVerbs;
  readonly network: NetworkVerbs;
  readonly process: ProcessVerbs;
}

/**
 * All synchronous: one fast call each. Bulk users (layer extraction) call them from a worker thread. In names and targets a
 * byte that is no part of valid UTF-8 stands as the lone surrogate U+DC00 + byte, both ways.
 */
export interface FilesystemVerbs {
  openat2(dirfd: Fd, path: string, how: OpenHow): Fd;
  mkdirat(dirfd: Fd, name: string, mode: number): void;
  mknodat(dirfd: Fd, name: string, mode: number, major: number, minor: number): void;
  symlinkat(target: string, dirfd: Fd, name: string): void;
  /** linkat(2) without following: both names are single components below their descriptors. */
  linkat(fromFd: Fd, fromName: string, toFd: Fd, toName: string): void;
  unlinkat(dirfd: Fd, name: string, isDirectory: boolean): void;
  renameat(fromFd: Fd, fromName: string, toFd: Fd, toName: string): void;
  /** Ownership of `name` below `dirfd` without following a symlink; `name` '' means dirfd itself. */
  fchownat(dirfd: Fd, name: string, uid: number, gid: number): void;
  fchmod(fd: Fd, mode: number): void;
  /** Times in nanoseconds since the epoch; without following; `name` '' means dirfd itself. */
  utimensat(dirfd: Fd, name: string, atimeNs: bigint, mtimeNs: bigint): void;
  /** `name` '' means the descriptor itself. Goes through /proc/self/fd for O_PATH descriptors, never following `name`. */
  lsetxattr(dirfd: Fd, name: string, attribute: string, value: Uint8Array): void;
  /** Names of the extended attributes; paths as for lsetxattr. */
  llistxattr(dirfd: Fd, name: string): string[];
  lgetxattr(dirfd: Fd, name: string, attribute: string): Uint8Array;
  /** Names in a directory by descriptor, without `.` and `..`. */
  readdir(fd: Fd): string[];
  /**
   * lstat(2) of each name, eleven numbers for each: inode, size, times of modification, change and access in nanoseconds, mode,
   * uid, gid, device, rdev, links.
   */
  lstats(dirfd: Fd, names: string[]): BigInt64Array;
  /**
   * So many bytes of each of a directory's files, one file after the other, and the positions of those that have extended
   * attributes. ENODATA where one is shorter.
   */
  readFiles(dirfd: Fd, names: string[], sizes: Uint32Array): { content: Uint8Array; attributed: number[] };
  /**
   * Copies regular files of a directory into another, under their own names, which must be free there. `metadata` has four
   * numbers for each: uid, gid, permission bits, time of modification in nanoseconds. Answers the positions of those that have
   * extended attributes, which are not copied. Stops at the first that cannot be copied.
   */
  copyFiles(from: Fd, to: Fd, names: string[], metadata: BigInt64Array): number[];
  readlinkat(dirfd: Fd, name: string): string;
  /** flock(2); without `wait` answers false where another holder is in the way. Waiting happens on a worker thread. */
  flock(fd: Fd, kind: 'shared' | 'exclusive' | 'unlock', wait: boolean): Promise<boolean>;
  /** Same as flock without waiting, synchronous. */
  tryFlock(fd: Fd, kind: 'shared' | 'exclusive' | 'unlock'): boolean;
  /**
   * A detached read-only overlay mount (fsopen, fsconfig, fsmount) of `lower` (uppermost first): a descriptor to resolve
   * paths in with openat2 RESOLVE_IN_ROOT. It appears in no mount table and goes with the descriptor.
   */
  overlayView(lower: Fd[]): Fd;
  /**
   * A detached overlay mount of at least one `lower` (uppermost first) whose changes go to the directory `upper`; `work` is
   * an empty directory of the same file system. It is `volatile`: nothing reaches the disk with its end, that is the caller's.
   */
  overlayMount(lower: Fd[], upper: Fd, work: Fd): Fd;
  /**
   * A file system (fsopen(2) to fsmount(2)) on the directory `target`, on a worker thread: its server may take long.
   * @param options `key` or `key=value`. @param attributes MOUNT_ATTR_*. The subject of an error is what the kernel says
   * about it, where it says anything; ENODEV of `fsopen` is a file system that it has not.
   */
  mount(type: string, source: string, options: string[], attributes: number, target: Fd): Promise<void>;
  /** umount2(2) with MNT_DETACH: the topmost mount at `path` and all below it; a symlink is not followed. */
  unmount(path: string): void;
  /** Project of the directory `fd` and of what will be made in it (ioctl_xfs_fsgetxattr(2), FS_XFLAG_PROJINHERIT). */
  setProject(fd: Fd, project: number): void;
  /** What the project may hold on the file system of `fd`; 0 for no limit. ESRCH, ENOSYS, … where that keeps no quotas (quotactl(2)). */
  limitProject(fd: Fd, project: number, bytes: number): void;
  /** FS_TOPDIR_FL (ioctl_iflags(2)): ext4 spreads the directories made in this one over the disk. ENOTTY, EOPNOTSUPP elsewhere. */
  setTopDirectory(fd: Fd): void;
}

export interface NetworkVerbs {
  /** A new network namespace, made on a thread that ends; nothing is bound in the file system. */
  createNamespace(): Promise<Fd>;
  /**
   * Sends one batch of netlink messages and returns every answer, concatenated, until each message that asked for an
   * acknowledgement (NLM_F_ACK) or a dump (NLM_F_DUMP) has been answered. `namespace` null is the caller's own.
   * Does not throw for NLMSG_ERROR answers: the codec in TypeScript reads them.
   */
  netlink(protocol: number, namespace: Fd | null, batch: Uint8Array): Promise<Uint8Array>;
  /** Socket bound (and for TCP left un-listened) to hold a published port; EADDRINUSE where it is taken. */
  bind(kind: 'tcp' | 'udp', address: string, port: number): Fd;
  /** Writes a file below /proc/sys as seen from `namespace` (sysctls of a network namespace). */
  writeSysctl(namespace: Fd | null, path: string, value: string): Promise<void>;
}

export interface ProcessVerbs {
  /**
   * Starts the shim from a sealed memfd, in a session of its own, reparented to init. Answers this side of the stream
   * socket it talks on.
   */
  spawnShim(args: SpawnShim): Promise<Fd>;
  /** Connects to a unix stream socket named `name` in the directory `dirfd` (no sun_path length limit). */
  connect(dirfd: Fd, name: string): Fd;
  /** sendmsg(2) with SCM_RIGHTS, whole frame. Blocking socket. */
  send(socket: Fd, frame: Uint8Array, fds: Fd[]): void;
  /** Reads one length-prefixed frame and the descriptors that came with it, on a worker thread. Null at end of stream. */
  receive(socket: Fd): Promise<{ frame: Uint8Array; fds: Fd[] } | null>;
  /** A descriptor of the process `pid`, which no later process of that number can come to stand for (pidfd_open(2)). */
  pidfdOpen(pid: number): Fd;
  /** pidfd_send_signal(2); 0 only asks. */
  pidfdSignal(pidfd: Fd, signal: number): void;
  /** Resolves when the process has ended, or with false after so long; for ever where absent. On a worker thread. */
  pidfdWait(pidfd: Fd, timeoutMs?: number): Promise<boolean>;
  /** FD_CLOEXEC on every open descriptor from this one on (close_range(2), CLOSE_RANGE_CLOEXEC). */
  closeOnExec(from: Fd): void;
  pipe(): [read: Fd, write: Fd];
  /** An eBPF program that decides over the devices of a cgroup v2; `instructions` are `struct bpf_insn`. */
  loadDeviceFilter(instructions: Uint8Array): Fd;
  /**
   * Attaches it to the cgroup's directory (bpf(2) BPF_PROG_ATTACH). False where that has filters already, which stay;
   * with `replaces` it takes their place, with no moment in which there is none.
   */
  attachDeviceFilter(cgroup: Fd, program: Fd, replaces?: boolean): boolean;
  /** O_NONBLOCK on the open file description. */
  setNonBlocking(fd: Fd): void;
  /** Window size of a terminal: rows, columns. */
  setWindowSize(tty: Fd, rows: number, columns: number): void;
}
