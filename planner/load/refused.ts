/** Attributes of a service that cannot be carried out, each with its reason and what to do instead. */
import type { Service } from '../../schemas/project.ts';
import { refusedLogging } from './refused-logging.ts';

export interface Verdict {
  /** Below the service. */
  path: (string | number)[];
  /** After the path and a colon. */
  why: string;
  hint: string;
}

type Judge = (value: never) => Omit<Verdict, 'path'> | undefined;

const verdict = (why: string, hint: string) => ({ why, hint });
const oneOf =
  (pattern: RegExp, why: string, hint: string): Judge =>
  (value: string) =>
    value === '' || pattern.test(value) ? undefined : verdict(`${JSON.stringify(value)} ${why}`, hint);
/** Attributes that have no value which could be carried out. */
export const alwaysRefused = ['credential_spec', 'models', 'use_api_socket'];

const always =
  (why: string, hint: string): Judge =>
  () =>
    verdict(why, hint);

const peer = 'service:.+|container:.+';

const judges: Record<string, Judge> = {
  ipc: oneOf(
    new RegExp(`^(?:none|private|shareable|host|${peer})$`, 's'),
    'is no IPC mode',
    'Write private, shareable, none, host, service:NAME or container:NAME.',
  ),
  pid: oneOf(new RegExp(`^(?:host|${peer})$`, 's'), 'is no PID mode', 'Write host, service:NAME or container:NAME.'),
  network_mode: oneOf(
    new RegExp(`^(?:none|host|bridge|default|${peer})$`, 's'),
    'is no network mode Stack knows',
    'Write none, host, bridge, service:NAME or container:NAME; networks of a stack go under `networks`.',
  ),
  uts: oneOf(/^host$/, 'is no UTS mode', 'Write host, or leave it out for a host name of its own.'),
  userns_mode: oneOf(
    /^host$/,
    'asks for user ids of its own, and containers of a stack have those of the host',
    'Write host or remove it; `user`, `cap_drop` and `no-new-privileges` take rights away.',
  ),
  isolation: oneOf(
    /^default$/,
    'is an isolation of Windows containers',
    'Remove it: on Linux every container is isolated by namespaces.',
  ),
  runtime: oneOf(
    /^(?:runc|io\.containerd\.runc\.v2)$/,
    'is another runtime, and Stack runs containers itself',
    'Remove it. For GPUs use `gpus`; for a runtime in a virtual machine use docker or podman with it.',
  ),
  credential_spec: always(
    'credential specs are for managed service accounts of Windows',
    'Remove it; on Linux a Kerberos keytab can be mounted as a secret.',
  ),
  use_api_socket: (value: boolean) =>
    value
      ? verdict(
          'Stack has no daemon, and so no API socket that a container could use',
          'Remove it. A container that needs docker can mount the socket of one: `volumes: [/var/run/docker.sock:/var/run/docker.sock]`.',
        )
      : undefined,
  storage_opt: (options: Record<string, string>) => {
    const [other] = Object.keys(options).filter((name) => name !== 'size');
    return other === undefined
      ? undefined
      : verdict(
          `${JSON.stringify(other)} is an option of another storage driver`,
          'The only one of overlays is `size`.',
        );
  },
  models: always('Stack runs no models', 'Run the model in a service of its own, and give its URL in `environment`.'),
};

/** Values that ask for nothing. */
const isNothing = (value: unknown) =>
  value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);

/** @returns one for each attribute that cannot be carried out, in the order of the service. */
export function refusedAttributes(service: Service): Verdict[] {
  const found = Object.entries(service).flatMap(([key, value]): Verdict[] => {
    const judge = Object.hasOwn(judges, key) ? judges[key] : undefined;
    const refused = isNothing(value) ? undefined : judge?.(value as never);
    return refused ? [{ path: [key], ...refused }] : [];
  });
  return [...found, ...refusedDeploy(service), ...refusedLogging(service.logging)];
}

function refusedDeploy({ deploy }: Service): Verdict[] {
  if (deploy?.mode === undefined || ['replicated', 'global', ''].includes(deploy.mode)) return [];
  const why = `${JSON.stringify(deploy.mode)} is a mode of a cluster's scheduler`;
  return [{ path: ['deploy', 'mode'], why, hint: 'Write replicated; a job is a service whose command ends.' }];
}
