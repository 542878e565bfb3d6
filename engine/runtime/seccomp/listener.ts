/**
 * What is sent to `linux.seccomp.listenerPath` with the descriptor of the listener. Source: runtime-spec config-linux.md
 * "The Container Process State", runtime.md "State".
 */
import { newestVersion } from '../oci/check/version.ts';

export interface ListenerState {
  /** Of the container. */
  id: string;
  /** `creating` for the container's first process, `running` for one of `exec`. */
  status: 'creating' | 'running';
  /** Absolute path. */
  bundle: string;
  annotations?: Record<string, string> | undefined;
  /** linux.seccomp.listenerMetadata. */
  metadata?: string | undefined;
}

/**
 * The JSON document in three parts: the process id, in decimal and as the runtime sees it, belongs between the first and
 * the second and between the second and the third. It is known only to the monitor that starts the process, which writes
 * no JSON. The descriptor goes with the first message, as SCM_RIGHTS.
 */
export function containerProcessState(state: ListenerState): [prefix: string, middle: string, suffix: string] {
  const { id, status, bundle, annotations, metadata } = state;
  const version = JSON.stringify(newestVersion);
  const rest = Object.entries({ bundle, annotations })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const opaque = metadata === undefined ? '' : `"metadata":${JSON.stringify(metadata)},`;
  return [
    `{"ociVersion":${version},"fds":["seccompFd"],"pid":`,
    `,${opaque}"state":{"ociVersion":${version},"id":${JSON.stringify(id)},"status":"${status}","pid":`,
    `${rest.join('')}}}`,
  ];
}
