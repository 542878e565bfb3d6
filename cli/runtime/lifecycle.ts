import {
  kill as killContainer,
  pause as pauseContainer,
  remove as removeContainer,
  signalNumber,
} from '../../engine/runtime/oci/kill.ts';
import { start as startContainer } from '../../engine/runtime/oci/start.ts';
import type { Definition } from './command.ts';

export const start: Definition = {
  usage: 'start <container-id>',
  summary: 'Run the program of a created container',
  action: async (context, [id = '']) => startContainer(await context.runtime(), id),
};

export const kill: Definition = {
  usage: 'kill <container-id> [signal]',
  summary: 'Send a signal to the first process of a container (SIGTERM)',
  options: (command) => void command.option('-a, --all', 'send it to every process of the container'),
  async action(context, [id = '', signal = 'SIGTERM'], { all }) {
    await killContainer(await context.runtime(), id, { signal: signalNumber(signal), all: all === true });
  },
};

export const remove: Definition = {
  usage: 'delete <container-id>',
  summary: 'Delete a stopped container and everything made for it',
  options: (command) => void command.option('-f, --force', 'kill it first; no error where there is none of that id'),
  action: async (context, [id = ''], { force }) => removeContainer(await context.runtime(), id, force === true),
};

export const pause: Definition = {
  usage: 'pause <container-id>',
  summary: 'Stop every process of a container where it is',
  action: async (context, [id = '']) => pauseContainer(await context.runtime(), id, true),
};

export const resume: Definition = {
  usage: 'resume <container-id>',
  summary: 'Let a paused container go on',
  action: async (context, [id = '']) => pauseContainer(await context.runtime(), id, false),
};
