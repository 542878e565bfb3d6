/** Waits for a container to come into a condition of depends_on, told by its monitor: nothing polls. */
import type { ContainerRecord, ContainerStatus } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { AwaitedCondition } from '../../schemas/plan.ts';
import { aborted } from './aborted.ts';
import type { Effects } from './effects.ts';

export interface Patience {
  signal: AbortSignal;
  timeoutMs?: number | undefined;
  /** Without a verdict for so long, all is well. */
  enoughMs?: number;
}

type Verdict = 'met' | StackError | undefined;

/** Throws `runtime.health`, `runtime.exited`, `runtime.timeout`, or the signal's reason. */
export function awaitCondition(
  containers: Effects['containers'],
  record: ContainerRecord,
  condition: AwaitedCondition,
  patience: Patience,
): Promise<void> {
  return awaitVerdict(containers, record, condition, patience, (status) => judge(record, condition, status));
}

/** As awaitCondition, of whatever `look` makes of a status. `condition` words the error of a wait that took too long. */
export function awaitVerdict(
  containers: Effects['containers'],
  record: ContainerRecord,
  condition: AwaitedCondition,
  { signal, timeoutMs, enoughMs }: Patience,
  look: (status: ContainerStatus) => Verdict,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let watching: Disposable | undefined;
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    const finish = (settle: () => void) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      // The first call may come before watch has answered.
      queueMicrotask(() => watching?.[Symbol.dispose]());
      settle();
    };
    const interrupt = () => finish(() => reject(signal.reason));
    if (signal.aborted) return interrupt();
    aborted(signal).then(interrupt);
    if (timeoutMs !== undefined) {
      timer = setTimeout(() => {
        const last = containers.status(record);
        finish(() => reject(timedOut(record, condition, timeoutMs, last)));
      }, timeoutMs);
    }
    if (enoughMs !== undefined) timer = setTimeout(() => finish(resolve), enoughMs);
    try {
      watching = containers.watch(record, (status) => {
        const verdict = look(status);
        if (verdict === 'met') finish(resolve);
        else if (verdict) finish(() => reject(verdict));
      });
    } catch (error) {
      finish(() => reject(error));
    }
  });
}

/** `met`, why it can no longer be, or undefined: still open. */
export function judge(record: ContainerRecord, condition: AwaitedCondition, status: ContainerStatus): Verdict {
  const { state, health, exitCode } = status;
  const resource = `container ${record.name}`;
  const hint = `\`stack logs ${record.service}\` shows what it wrote.`;
  if (status.failure && (state === 'created' || state === 'exited' || state === 'dead')) {
    const { step, errno, subject } = status.failure;
    return new StackError('runtime.exited', {
      message: `${record.name} did not start: ${[step, subject, errno].filter(Boolean).join(' ')}`,
      hint,
      resource,
    });
  }
  if (state === 'dead') {
    return new StackError('runtime.exited', { message: `${record.name} lost its monitor`, hint, resource });
  }
  if (state === 'exited') {
    if (condition === 'service_completed_successfully' && exitCode === 0) return 'met';
    const memory = status.isOomKilled ? ', out of memory' : '';
    return new StackError('runtime.exited', {
      message: `${record.name} exited with ${exitCode}${memory}`,
      hint,
      resource,
    });
  }
  if (condition === 'service_completed_successfully') return undefined;
  if (!record.hasHealthcheck) {
    if (condition === 'service_running_or_healthy') return state === 'running' ? 'met' : undefined;
    return new StackError('runtime.health', {
      message: `${record.name} has no health check`,
      hint: `Give services.${record.service} a healthcheck, or wait for service_started.`,
      resource,
    });
  }
  if (state !== 'running') return undefined;
  if (health === 'healthy') return 'met';
  if (health !== 'unhealthy') return undefined;
  return new StackError('runtime.health', { message: `${record.name} unhealthy: ${probe(status)}`, hint, resource });
}

/** `probe exit 2 "connection refused"`, the output cut to its last line. */
function probe({ probeExitCode, probeOutput }: ContainerStatus): string {
  const last = probeOutput.trim().split('\n').at(-1)!.slice(0, 200);
  return `probe exit ${probeExitCode}${last ? ` ${JSON.stringify(last)}` : ''}`;
}

function timedOut(
  record: ContainerRecord,
  condition: AwaitedCondition,
  timeoutMs: number,
  { state, health }: ContainerStatus,
): StackError {
  const wanted = condition === 'service_completed_successfully' ? 'completed' : 'up';
  const now = state === 'running' && health !== 'none' ? health : state;
  return new StackError('runtime.timeout', {
    message: `${record.name} was not ${wanted} after ${timeoutMs / 1000} s: it is ${now}`,
    hint: `\`stack logs ${record.service}\` shows what it wrote.`,
    resource: `container ${record.name}`,
  });
}
