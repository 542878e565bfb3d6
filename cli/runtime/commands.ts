/** The commands by name, each loaded when it is asked for. */
import type { Definition } from './command.ts';

export const commands: Record<string, () => Promise<Definition>> = {
  create: async () => (await import('./create.ts')).create,
  delete: async () => (await import('./lifecycle.ts')).remove,
  events: async () => (await import('./events.ts')).events,
  exec: async () => (await import('./exec.ts')).exec,
  features: async () => (await import('./documents.ts')).features,
  kill: async () => (await import('./lifecycle.ts')).kill,
  list: async () => (await import('./list.ts')).list,
  pause: async () => (await import('./lifecycle.ts')).pause,
  ps: async () => (await import('./list.ts')).ps,
  resume: async () => (await import('./lifecycle.ts')).resume,
  run: async () => (await import('./create.ts')).run,
  spec: async () => (await import('./documents.ts')).spec,
  start: async () => (await import('./lifecycle.ts')).start,
  state: async () => (await import('./list.ts')).state,
  update: async () => (await import('./update.ts')).update,
};
