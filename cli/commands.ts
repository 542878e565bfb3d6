/** Every command by name. A command's module is imported when it is the one asked for. */
import type { Define } from './command.ts';

interface Entry {
  summary: string;
  load(): Promise<Define>;
}

export const commands: Record<string, Entry> = {
  up: {
    summary: 'Create and start the stack, or change it to what the stack file says now',
    load: async () => (await import('./up.ts')).up,
  },
  down: {
    summary: 'Stop and remove the containers and networks of the stack',
    load: async () => (await import('./down.ts')).down,
  },
  watch: {
    summary: 'Follow files as `develop.watch` says: copy, restart, rebuild',
    load: async () => (await import('./watch.ts')).watch,
  },
  ps: { summary: 'List the containers of the stack', load: async () => (await import('./ps.ts')).ps },
  logs: { summary: 'Show what containers wrote', load: async () => (await import('./logs.ts')).logs },
  exec: { summary: 'Run a command in a running container', load: async () => (await import('./exec.ts')).exec },
  run: {
    summary: 'Run a command in a new container of a service',
    load: async () => (await import('./run.ts')).run,
  },
  stop: { summary: 'Stop containers and keep them', load: async () => (await import('./stop.ts')).stop },
  start: { summary: 'Start containers that were stopped', load: async () => (await import('./start.ts')).start },
  restart: {
    summary: 'Stop containers and start them again',
    load: async () => (await import('./restart.ts')).restart,
  },
  kill: {
    summary: 'Send a signal to containers, SIGKILL unless another is named',
    load: async () => (await import('./kill.ts')).kill,
  },
  config: {
    summary: 'Print the stack file as Stack understands it',
    load: async () => (await import('./config.ts')).config,
  },
  graph: {
    summary: 'Print what the services need of each other, of images, networks and volumes',
    load: async () => (await import('./graph.ts')).graph,
  },
  viz: {
    summary: 'Print the services for Graphviz, as `docker compose alpha viz` does',
    load: async () => (await import('./graph.ts')).viz,
  },
  plan: {
    summary: 'Print what `stack up` would do, and why; change nothing',
    load: async () => (await import('./plan.ts')).plan,
  },
  lock: {
    summary: 'Write stack.lock: the digest of every image, and of what is built from',
    load: async () => (await import('./lock.ts')).lock,
  },
  update: {
    summary: 'Renew stack.lock: what the images of services are now',
    load: async () => (await import('./lock.ts')).update,
  },
  build: { summary: 'Build the images of services', load: async () => (await import('./build.ts')).build },
  builder: {
    summary: 'Remove what builds keep for the next one',
    load: async () => (await import('./builder.ts')).builder,
  },
  push: {
    summary: 'Push the images that the services build',
    load: async () => (await import('./push.ts')).push,
  },
  image: {
    summary: 'Pull, push, load, list, save and remove images',
    load: async () => (await import('./image.ts')).image,
  },
  volume: {
    summary: 'Make, list and remove volumes',
    load: async () => (await import('./volume.ts')).volume,
  },
  network: {
    summary: 'Make, list and remove networks that stacks share',
    load: async () => (await import('./network.ts')).network,
  },
  gc: {
    summary: 'Make room: remove unused images and build cache, the least recently used first',
    load: async () => (await import('./gc.ts')).gc,
  },
  system: {
    summary: 'Show and check what Stack keeps on this machine',
    load: async () => (await import('./system.ts')).system,
  },
  login: { summary: 'Log in to a registry', load: async () => (await import('./login.ts')).login },
  logout: { summary: 'Forget the login of a registry', load: async () => (await import('./login.ts')).logout },
  doctor: {
    summary: 'Tell whether this machine can run stacks, and what to do where it cannot',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  version: { summary: 'Show the version of Stack', load: async () => (await import('./version.ts')).version },
};

const withoutInstead = 'attach bridge commit convert cp events export pause scale stats top unpause wait';

/** Commands of docker compose that Stack does not have yet, and what there is instead. */
export const laterCommands = new Map<string, string>([
  ...withoutInstead.split(' ').map((name): [string, string] => [name, '']),
  ['create', '`stack up --no-start` creates the containers.'],
  ['images', '`stack config --images` lists those of the stack, `stack image ls` those of this machine.'],
  ['ls', '`stack -p NAME ps` lists the containers of one stack.'],
  ['port', '`stack ps` shows the published ports.'],
  ['publish', ''],
  ['pull', '`stack up --pull always` pulls the images of the stack, `stack image pull IMAGE` one by its name.'],
  ['rm', '`stack down SERVICE` stops and removes containers.'],
  ['volumes', '`stack config --volumes` lists those of the stack file.'],
]);

/** Flags of docker compose's, of any command, that Stack does not have yet. */
export const laterFlags = new Set(
  '--all-resources --cap-add --cap-drop --compatibility --env-from-file --quiet-build --use-aliases'.split(' '),
);
