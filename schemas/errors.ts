/** The error catalogue: every failure a user can see has a permanent code and a title. */

/** Codes are permanent: scripts may match on them. Grouped by the room that raises them. */
export const titles = {
  'config.not-found': 'No stack file found',
  'config.unreadable': 'A file named by the stack file cannot be read',
  'config.yaml': 'The stack file is not valid YAML',
  'config.unknown-attribute': 'Unknown attribute',
  'config.not-supported': 'Not supported',
  'config.type': 'Wrong type',
  'config.value': 'Invalid value',
  'config.interpolation': 'Invalid interpolation',
  'config.undefined-reference': 'Reference to something that is not defined',
  'config.cycle': 'Dependency cycle',
  'config.include': 'Invalid include',
  'config.extends': 'Invalid extends',
  'config.no-service': 'No such service',
  'config.no-container': 'No container to work on',
  'config.surprise': 'Probably not what was meant',
  'config.project-name': 'Invalid project name',
  'image.not-found': 'Image not found',
  'image.reference': 'Invalid image reference',
  'image.platform': 'The image has no variant for this platform',
  'image.registry-unreachable': 'The registry cannot be reached',
  'image.registry-refused': 'The registry refused the request',
  'image.registry-protocol': 'The registry answered something that is not the distribution protocol',
  'image.digest-mismatch': 'Content does not match its digest',
  'image.truncated': 'Content is shorter than announced',
  'image.archive': 'Invalid image archive',
  'image.hostile-archive': 'The archive tries to leave its root',
  'image.media-type': 'Unsupported media type',
  'image.limit': 'The image exceeds a limit',
  'image.in-use': 'The image is in use',
  'image.store': 'The image store is damaged',
  'build.dockerfile': 'The Dockerfile is not valid',
  'build.value': 'Invalid value in a Dockerfile',
  'build.not-supported': 'Not supported in a Dockerfile',
  'build.path': 'A file cannot be put there',
  'build.not-found': 'Nothing to copy',
  'build.secret': 'A secret is missing',
  'build.step': 'A build step failed',
  'build.fetch': 'A source cannot be fetched',
  'build.stage': 'No such build stage',
  'build.cycle': 'Build stages wait for each other',
  'build.context': 'Invalid build context',
  'build.entitlement': 'The build asks for a right it was not given',
  'build.cache': 'A build cache cannot be used',
  'build.check': 'A check of the Dockerfile',
  'network.address-exhausted': 'No free address',
  'network.overlap': 'Overlapping subnets',
  'network.address': 'Invalid address',
  'network.port-taken': 'The port is already taken',
  'network.kernel': 'The kernel refused a network operation',
  'network.not-found': 'Network not found',
  'network.in-use': 'The network is in use',
  'volume.not-found': 'Volume not found',
  'volume.changed': 'The volume cannot be changed without losing its data',
  'volume.exists': 'The volume exists already',
  'volume.in-use': 'The volume is in use',
  'volume.mount': 'A file system cannot be mounted',
  'volume.relabel': 'The SELinux label cannot be set',
  'volume.subpath': 'The path is not inside the volume',
  'volume.bind-source': 'The bind source does not exist',
  'volume.bind-kind': 'The bind source is not of the kind the target needs',
  'copy.path': 'This path cannot be copied',
  'runtime.unknown-user': 'Unknown user',
  'runtime.not-found': 'Command not found',
  'runtime.not-executable': 'Command is not executable',
  'runtime.hook': 'A hook failed',
  'runtime.provider': 'A provider failed',
  'runtime.step': 'The container could not be set up',
  'runtime.not-running': 'The container is not running',
  'runtime.shim': 'The monitor of the container does not answer',
  'runtime.health': 'The container is unhealthy',
  'runtime.exited': 'The container exited',
  'runtime.sync': 'A file could not be brought into the container',
  'runtime.degraded': 'Not everything could be done as asked',
  'runtime.timeout': 'Timed out',
  'host.not-root': 'Root rights are needed',
  'host.kernel-feature': 'The kernel lacks a feature',
  'host.disk-full': 'No space left on device',
  'host.quota': 'The file system keeps no quotas',
  'host.log': 'The log daemon is not there',
  'host.cgroup': 'The cgroup hierarchy cannot be used',
  'host.watch': 'Files cannot be watched',
  'state.locked': 'Another command works on this stack',
  'state.not-found': 'No such container',
  'state.exists': 'The id is taken',
  'state.status': 'The container is not in the state for this',
  'state.damaged': 'A state file is damaged',
  'state.lost': 'What was kept in memory is gone',
  'plan.dependency': 'A dependency failed',
  'plan.update': 'An update failed',
  'plan.interrupted': 'Interrupted',
  'plan.warning': 'Worth knowing',
  'plan.file': 'The plan file cannot be used',
  'plan.moved': 'The plan does not fit any more',
  'lock.not-found': 'There is no lock',
  'lock.invalid': 'The lock cannot be used',
  'lock.differs': 'The lock does not fit the stack file',
  usage: 'Invalid usage',
  internal: 'Internal error',
} as const;

export type ErrorCode = keyof typeof titles;

/** A place in a file. `line` and `column` count from 1; `length` is in characters of that line. */
export interface Position {
  file: string;
  line: number;
  column: number;
  length?: number;
}

export interface StackErrorFields {
  /** What happened, one sentence, with the names involved. */
  message: string;
  /** What the user can do next, one sentence. */
  hint?: string | undefined;
  where?: Position | undefined;
  /** A second place involved: the other definition, the shadowed value. */
  other?: Position | undefined;
  /** The resource: `services.web.image`, `container demo-web-1`, `network demo_default`. */
  resource?: string | undefined;
  /** The operation or system call that failed: `mount /proc`, `pull`. */
  operation?: string | undefined;
  /** Errno name of the failing system call: `EPERM`. */
  errno?: string | undefined;
  /** Process exit code the command line should end with; 1 unless the failure has one of its own. */
  exitCode?: number | undefined;
  cause?: unknown;
  /** Further problems of the same run, or failures of cleaning up. They never replace the first. */
  also?: StackError[] | undefined;
}

/** The one error type that crosses room borders. */
export class StackError extends Error {
  override readonly name = 'StackError';
  readonly code: ErrorCode;
  readonly title: string;
  readonly hint: string | undefined;
  readonly where: Position | undefined;
  readonly other: Position | undefined;
  readonly resource: string | undefined;
  readonly operation: string | undefined;
  readonly errno: string | undefined;
  readonly exitCode: number;
  also: StackError[];

  constructor(code: ErrorCode, fields: StackErrorFields) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = code;
    this.title = titles[code];
    this.hint = fields.hint;
    this.where = fields.where;
    this.other = fields.other;
    this.resource = fields.resource;
    this.operation = fields.operation;
    this.errno = fields.errno;
    this.exitCode = fields.exitCode ?? 1;
    this.also = fields.also ?? [];
  }

  /** The same error with some fields others; it is its cause, unless it has one. */
  with(change: Partial<StackErrorFields>): StackError {
    const { message, hint, where, other, resource, operation, errno, exitCode, also } = this;
    const fields = { message, hint, where, other, resource, operation, errno, exitCode, also };
    return new StackError(this.code, { ...fields, cause: this.cause ?? this, ...change });
  }

  /** One JSON object, as `--progress json` and `--json` print it. */
  toJSON(): object {
    const { code, title, message, hint, where, other, resource, operation, errno } = this;
    return {
      code,
      title,
      message,
      hint,
      where,
      other,
      resource,
      operation,
      errno,
      also: this.also.map((e) => e.toJSON()),
    };
  }
}

/** Wraps anything thrown into a StackError; a StackError passes through. */
export function asStackError(thrown: unknown, code: ErrorCode = 'internal', fields: Partial<StackErrorFields> = {}) {
  if (thrown instanceof StackError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const errno = (thrown as { code?: unknown } | null)?.code;
  return new StackError(code, {
    message,
    cause: thrown,
    ...(typeof errno === 'string' ? { errno } : {}),
    ...fields,
  });
}

/** The answer of the pure rooms: they collect every problem instead of throwing the first. */
export type Result<T> =
  | { ok: true; value: T; warnings: StackError[] }
  | { ok: false; errors: StackError[]; warnings: StackError[] };
