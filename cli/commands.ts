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
  images: {
    summary: 'List the images that the containers of the stack were made from',
    load: async () => (await import('./images.ts')).images,
  },
  ls: { summary: 'List the stacks of this machine', load: async () => (await import('./ls.ts')).ls },
  pause: {
    summary: 'Let containers stand still, with all they have in memory',
    load: async () => (await import('./pause.ts')).pause,
  },
  unpause: {
    summary: 'Let containers go on that were paused',
    load: async () => (await import('./pause.ts')).unpause,
  },
  port: {
    summary: 'Print where on the host a port of a service is published',
    load: async () => (await import('./port.ts')).port,
  },
  top: { summary: 'List the processes of the containers', load: async () => (await import('./top.ts')).top },
  volumes: { summary: 'List the volumes of the stack', load: async () => (await import('./volumes.ts')).volumes },
  events: {
    summary: 'Tell what happens to the containers of the stack, as it happens',
    load: async () => (await import('./events.ts')).events,
  },
  attach: {
    summary: 'Attach standard streams to the main process of a running container',
    load: async () => (await import('./attach.ts')).attach,
  },
  stats: {
    summary: 'Show what containers use of processors, memory, network and disks',
    load: async () => (await import('./stats.ts')).stats,
  },
  export: {
    summary: "Write a container's file system, without its volumes, as a tar",
    load: async () => (await import('./export.ts')).exportCommand,
  },
  publish: {
    summary: 'Refused: a stack file is not published as an artifact of a registry',
    load: async () => (await import('./publish.ts')).publish,
  },
  commit: {
    summary: "Make an image of a service's container as it is now",
    load: async () => (await import('./commit.ts')).commit,
  },
  cp: {
    summary: 'Copy files between a container and this machine: SERVICE:PATH, PATH or -',
    load: async () => (await import('./cp.ts')).cp,
  },
  create: {
    summary: 'Create the containers of the stack, and start nothing',
    load: async () => (await import('./create.ts')).create,
  },
  rm: { summary: 'Remove containers that do not run', load: async () => (await import('./rm.ts')).rm },
  scale: {
    summary: 'Change how many containers services have',
    load: async () => (await import('./scale.ts')).scale,
  },
  wait: {
    summary: 'Wait until containers have ended, and end with the exit code of the last',
    load: async () => (await import('./wait.ts')).wait,
  },
  pull: { summary: 'Pull the images of services', load: async () => (await import('./pull.ts')).pull },
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
  completion: {
    summary: 'Print what lets bash, zsh or fish complete command lines of stack',
    load: async () => (await import('./completion.ts')).completion,
  },
  man: { summary: 'Print the manual page of stack', load: async () => (await import('./man.ts')).man },
  version: { summary: 'Show the version of Stack', load: async () => (await import('./version.ts')).version },
};

const withoutInstead = 'bridge convert';

/** Commands of docker compose that Stack does not have yet, and what there is instead. */
export const laterCommands = new Map<string, string>([
  ...withoutInstead.split(' ').map((name): [string, string] => [name, '']),
]);

/** Flags of docker compose's, of any command, that Stack does not have yet. */
export const laterFlags = new Set('--all-resources --compatibility'.split(' '));
