/** A provider as a command of this machine. Source: docker/compose docs/extension.md. */
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { StackError } from '../../schemas/errors.ts';

/** Where docker's plugins lie, in its own order. */
const pluginDirectories = (environment: NodeJS.ProcessEnv): string[] => [
  join(environment.DOCKER_CONFIG || join(environment.HOME || homedir(), '.docker'), 'cli-plugins'),
  ...['/usr/local/lib', '/usr/local/libexec', '/usr/lib', '/usr/libexec'].map((path) => `${path}/docker/cli-plugins`),
];

/** A plugin of docker's of this name, or a program of the search path. @throws config.undefined-reference */
export function providerCommand(type: string, service: string, environment: NodeJS.ProcessEnv): string {
  const places = [
    ...pluginDirectories(environment).map((directory) => join(directory, `docker-${type}`)),
    ...(type.includes('/')
      ? [type]
      : (environment.PATH ?? '').split(':').map((directory) => join(directory || '.', type))),
  ];
  const found = type === 'compose' || type === '' ? undefined : places.find(isExecutable);
  if (found) return found;
  const resource = `services.${service}.provider.type`;
  throw new StackError('config.undefined-reference', {
    message: `${resource}: there is no provider ${JSON.stringify(type)} on this machine`,
    hint: `Install a program named ${type} in the search path, or docker-${type} among docker's plugins.`,
    resource,
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

type Scalar = string | number | boolean;
interface Parameters {
  parameters?: { name?: string; required?: boolean }[];
}
/** What `compose metadata` answers. */
export interface Metadata {
  description?: string;
  up?: Parameters;
  down?: Parameters;
  stop?: Parameters;
}

export type Verb = 'up' | 'down' | 'stop';

/**
 * The words behind the command: every option where the provider does not say which it takes, else those.
 * @throws config.value for a required one that is missing
 */
export function providerArguments(
  verb: Verb,
  { project, service, options }: { project: string; service: string; options: Record<string, Scalar | Scalar[]> },
  metadata: Metadata | undefined,
): string[] {
  const known = metadata?.[verb]?.parameters;
  const isTold =
    metadata !== undefined && (metadata.description || metadata.up?.parameters || metadata.down?.parameters);
  const missing = isTold ? known?.find(({ name, required }) => required && name && !(name in options)) : undefined;
  if (missing) {
    const resource = `services.${service}.provider.options`;
    throw new StackError('config.value', {
      message: `${resource}: the provider needs the option ${missing.name}`,
      hint: `Add ${missing.name}: … under ${resource}.`,
      resource,
    });
  }
  const flags = Object.entries(options).flatMap(([name, value]) =>
    isTold && !known?.some((one) => one.name === name)
      ? []
      : (Array.isArray(value) ? value : [value]).map((one) => `--${name}=${one}`),
  );
  return ['compose', `--project-name=${project}`, verb, ...flags, service];
}
