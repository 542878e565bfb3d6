/** What `stack run` changes in a service's configuration for its one container. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { load } from '../planner/load/load.ts';
import { splitWords } from '../planner/load/words.ts';
import { StackError } from '../schemas/errors.ts';
import type { Project, Service } from '../schemas/project.ts';

export interface Overrides {
  args: string[];
  entrypoint?: string | undefined;
  /** `NAME=value`. */
  environment: string[];
  /** Files of variables, below those of the command line. Relative to where the command runs. */
  envFiles: string[];
  capAdd: string[];
  capDrop: string[];
  /** The names of the service, and its aliases, lead to it as well. */
  useAliases: boolean;
  user?: string | undefined;
  workdir?: string | undefined;
  /** `SOURCE:TARGET[:OPTIONS]`, as in a stack file. */
  volumes: string[];
  /** `[HOST:]CONTAINER`, as in a stack file. */
  publish: string[];
  labels: string[];
  /** The ports of the stack file are published too; without, one container of `up` may already hold them. */
  withServicePorts: boolean;
  isTty: boolean;
  isInteractive: boolean;
}

/**
 * The configuration of the one-off container. It never restarts and has no fixed name.
 * @throws StackError `usage` for a flag's value that a stack file would not take either
 */
export function overridden(project: Project, service: string, directory: string, overrides: Overrides): Service {
  const base = project.services[service] as Service;
  const given = parse(project, directory, overrides);
  const config: Service = { ...base, ...parseCommand(overrides, base) };
  delete config.container_name;
  delete config.scale;
  delete config.profiles;
  if (config.deploy) config.deploy = { ...config.deploy, replicas: 1 };
  delete config.deploy?.restart_policy;
  config.restart = 'no';
  config.tty = overrides.isTty;
  config.stdin_open = overrides.isInteractive;
  if (overrides.user !== undefined) config.user = overrides.user;
  if (overrides.workdir !== undefined) config.working_dir = overrides.workdir;
  config.environment = { ...base.environment, ...given.environment };
  // The later word on a capability is the command line's.
  config.cap_add = [...(base.cap_add ?? []).filter((one) => !overrides.capDrop.includes(one)), ...overrides.capAdd];
  config.cap_drop = [...(base.cap_drop ?? []).filter((one) => !overrides.capAdd.includes(one)), ...overrides.capDrop];
  config.labels = { ...base.labels, ...given.labels };
  if (base.networks) config.networks = withAliases(base.networks, overrides.useAliases ? service : undefined);
  config.ports = [...(overrides.withServicePorts ? (base.ports ?? []) : []), ...(given.ports ?? [])];
  const targets = new Set(given.volumes?.map((volume) => volume.target));
  config.volumes = [...(base.volumes ?? []).filter(({ target }) => !targets.has(target)), ...(given.volumes ?? [])];
  return config;
}

/** Without a service's name nothing but the container's own leads to it: it is none of those that `up` made. */
function withAliases(networks: NonNullable<Service['networks']>, service: string | undefined) {
  const all = Object.entries(networks).map(([key, options]) => {
    const { aliases = [], ...others } = options ?? {};
    return [key, service === undefined ? others : { ...others, aliases: [service, ...aliases] }] as const;
  });
  return Object.fromEntries(all);
}

function parseCommand({ args, entrypoint }: Overrides, base: Service): Pick<Service, 'command' | 'entrypoint'> {
  const command = args.length > 0 ? args : base.command;
  if (entrypoint === undefined) return { command, entrypoint: base.entrypoint };
  const words = splitWords(entrypoint);
  if (!words) {
    throw new StackError('usage', { message: `--entrypoint ${entrypoint}: a quote is not closed.` });
  }
  // As docker run: another entrypoint makes the image's command meaningless.
  return { command: args, entrypoint: words };
}

/** The flags' values through the loader, as if a stack file said them. */
function parse(project: Project, directory: string, overrides: Overrides): Service {
  const envFiles = overrides.envFiles.map((path) => resolve(path));
  const literal = (texts: string[]) => texts.map((text) => text.replaceAll('$', '$$$$'));
  const document = {
    name: project.name,
    services: {
      run: {
        image: 'none',
        environment: literal(overrides.environment),
        env_file: envFiles.map((path) => path.replaceAll('$', '$$$$')),
        labels: literal(overrides.labels),
        volumes: literal(overrides.volumes),
        ports: literal(overrides.publish),
      },
    },
    volumes: Object.fromEntries(Object.keys(project.volumes).map((name) => [name, {}])),
  };
  const file = `${directory}/.command-line`;
  const result = load({
    files: [file],
    workingDir: directory,
    profiles: [],
    environment: {},
    io: {
      read: (path) => (path === file ? JSON.stringify(document) : envFiles.includes(path) ? read(path) : undefined),
      kind: (path) => (path === file || envFiles.includes(path) ? 'file' : undefined),
    },
  });
  if (result.ok) return result.value.project.services.run as Service;
  const [first, ...rest] = result.errors.map((error) => {
    const message = error.message.replace(/^services\.run\.?/, '');
    return new StackError('usage', { message: `Command line: ${message}`, hint: error.hint });
  });
  const thrown = first ?? new StackError('usage', { message: 'The command line was refused.' });
  thrown.also.push(...rest);
  throw thrown;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The loader says which file is not there.
    return undefined;
  }
}
