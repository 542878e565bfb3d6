/** Containers as the executor and the commands see them: made, started, stopped, removed, entered. */
import type { ContainerRecord, ContainerStatus, ExitStatus, NetworkRecord } from '../../schemas/container.ts';
import type { StackError } from '../../schemas/errors.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Project, Service } from '../../schemas/project.ts';

export interface CreateRequest {
  project: Project;
  service: string;
  number: number;
  name: string;
  isOneOff: boolean;
  config: Service;
  image: StoredImage;
  /** Those that it mounts, by name. */
  mountedImages?: Map<string, StoredImage>;
  /** The networks of the stack as they exist now, by key. */
  networks: Map<string, NetworkRecord>;
  replaces?: ContainerRecord;
  /** The stack's containers as they are now: addresses and slots in use. */
  siblings: () => ContainerRecord[];
  /** What could not be done as asked and is no reason to fail: a limit this machine does not let us raise. */
  onWarning?: (warning: StackError) => void;
}

export interface ExecRequest {
  args: string[];
  env?: string[];
  user?: string;
  workingDir?: string;
  isTty: boolean;
  isPrivileged?: boolean;
  /** Rows and columns where `isTty`. */
  size?: [rows: number, columns: number];
}

/** A running process of ours in a container, seen from outside. All descriptors belong to the caller. */
export interface Session {
  /** Write end of the process's stdin; null where none was asked for. With a terminal all three are the pty's master. */
  stdin: Fd | null;
  stdout: Fd;
  stderr: Fd | null;
  exited: Promise<ExitStatus>;
  resize(rows: number, columns: number): void;
  signal(signal: number): void;
  close(): void;
}

export interface StartOptions {
  /** Where its secrets and configs are defined, for one whose own went with the machine's memory. */
  project?: Pick<Project, 'secrets' | 'configs'>;
  /** Kills the hook at work; its reason is thrown, and the container runs on. */
  signal?: AbortSignal;
  /** A file that `stack watch` brought into another container of the service and that could not be brought into this one. */
  onWarning?: (warning: StackError) => void;
}

export interface StopOptions {
  timeoutMs?: number;
  signal?: number;
  /** A pre_stop hook that failed: the container is stopped all the same. */
  onWarning?: (warning: StackError) => void;
}

export interface Containers {
  /** Everything up to the `created` state of runtime-spec: the process waits for start. */
  create(request: CreateRequest): Promise<ContainerRecord>;
  /** Rules and names of a stack anew, as what runs of it needs them. @throws StackError network.kernel */
  publish(stack: string): Promise<void>;
  /** Resolves once the process was executed (execve succeeded) and its post_start hooks are done; a failure names the step. */
  start(record: ContainerRecord, options?: StartOptions): Promise<void>;
  /** Runs the pre_stop hooks, sends the stop signal, SIGKILL after the grace period; resolves when nothing runs any more. */
  stop(record: ContainerRecord, options?: StopOptions): Promise<ExitStatus>;
  kill(record: ContainerRecord, signal: number): Promise<void>;
  /** The freezer holds every process of it. @throws runtime.not-running, host.kernel-feature, host.cgroup */
  pause(record: ContainerRecord): Promise<void>;
  unpause(record: ContainerRecord): Promise<void>;
  /** Kills what still runs, then removes everything that carries the container's id. */
  remove(record: ContainerRecord, options?: { removeAnonymousVolumes?: boolean }): Promise<void>;
  status(record: ContainerRecord): ContainerStatus;
  /** Calls back on every change of status, first with the present one. */
  watch(record: ContainerRecord, onChange: (status: ContainerStatus) => void): Disposable;
  wait(record: ContainerRecord): Promise<ExitStatus>;
  exec(record: ContainerRecord, request: ExecRequest): Promise<Session>;
  /** The main process's own input and output. Call before start to lose nothing. */
  attach(record: ContainerRecord, options: { stdin: boolean }): Promise<Session>;
}
