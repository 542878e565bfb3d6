/** A plan is data: operations with what they need done first, why they happen, and what undoes them. */
import type { ContainerRecord, NetworkRecord, VolumeRecord } from './container.ts';
import type { Network, Service, Volume } from './project.ts';
import type { Stray } from './snapshot.ts';

interface Common {
  /** Readable and unique in the plan: `create container demo-web-1`. */
  id: string;
  /** `container demo-web-1`, `network demo_default`, `image redis:7`. */
  resource: string;
  /** Why, in a human's words: `services.web.environment.MODE: "a" → "b"`. */
  cause: string;
  /** Ids of operations that must be done first. */
  needs: string[];
}

export type Operation = Common &
  (
    | { kind: 'image.pull'; image: string; platform?: string; policy: 'missing' | 'always' }
    | {
        kind: 'image.build';
        image: string;
        service: string;
        config: Service;
        /** What has changed since it was built last; absent where that is not known. */
        changed?: string[];
      }
    /** `isRepair`: its bridge is there, and not as it was made; who is on it stays. */
    | { kind: 'network.create'; key: string; network: Network; isRepair?: boolean }
    /** What only its record says: labels. */
    | { kind: 'network.update'; key: string; network: Network }
    | { kind: 'network.remove'; record: NetworkRecord }
    | { kind: 'volume.create'; key: string; volume: Volume }
    | { kind: 'volume.update'; key: string; volume: Volume }
    | { kind: 'volume.remove'; record: VolumeRecord }
    | {
        kind: 'container.create';
        name: string;
        service: string;
        number: number;
        config: Service;
        /** The container it replaces: anonymous volumes and addresses are handed on. It still exists, stopped but for `isBeside`. */
        replaces?: ContainerRecord;
        /** The replaced container runs until this one holds: each has its own addresses and ports meanwhile. */
        isBeside?: boolean;
        /** `--renew-anon-volumes`: the replaced container's anonymous volumes are not handed on. */
        renewAnonymousVolumes?: boolean;
        /** Made by `run`; `up` never touches it. */
        isOneOff?: boolean;
      }
    | { kind: 'container.start'; name: string }
    | { kind: 'container.stop'; record: ContainerRecord; timeoutMs?: number }
    | { kind: 'container.remove'; record: ContainerRecord; removeAnonymousVolumes: boolean }
    | {
        /** Awaits a condition of depends_on. The executor knows it from events. */
        kind: 'dependency.await';
        service: string;
        /** Names of the containers awaited. */
        containers: string[];
        condition: AwaitedCondition;
        /** False where depends_on says `required: false`: a failure warns, and what needs it goes on. */
        isRequired: boolean;
      }
    | {
        /** Ends a batch of a rolling update: its containers have to be healthy, or to run for `monitorMs`. */
        kind: 'update.monitor';
        service: string;
        /** Names of the new containers of the batch. */
        containers: string[];
        /** From 1. */
        batch: number;
        batches: number;
        /** Containers that the whole update replaces. */
        replaced: number;
        rolling: Rolling;
      }
    | { kind: 'stray.remove'; stray: Stray }
  );

/** `deploy.update_config` and `rollback_config` with their defaults. */
export interface Rolling {
  update: RollingConfig;
  rollback: RollingConfig;
}

export interface RollingConfig {
  /** Containers replaced at once; 0: all. */
  parallelism: number;
  order: 'start-first' | 'stop-first';
  /** Between batches. */
  delayMs: number;
  /** How long a container without a health check has to run. */
  monitorMs: number;
  /** What becomes of the update once too many containers do not hold. In a rollback never `rollback`. */
  failureAction: 'pause' | 'continue' | 'rollback';
  /** 0–1: more failed containers than this part of all replaced ones are too many. */
  maxFailureRatio: number;
}

/**
 * What an await waits for. The first two are depends_on's; `service_running_or_healthy` is `up --wait`'s: healthy where
 * the container has a health check, running where it has none.
 */
export type AwaitedCondition = 'service_healthy' | 'service_completed_successfully' | 'service_running_or_healthy';

export type OperationKind = Operation['kind'];

export interface Plan {
  stack: string;
  action: 'up' | 'down' | 'stop' | 'start' | 'restart';
  operations: Operation[];
  /** Containers of services that the stack file no longer has, left alone unless asked. */
  orphans: string[];
  warnings: string[];
}
