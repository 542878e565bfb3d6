/** `--progress json`: every event as one line of JSON (schemas/events.ts). */
import type { Renderer } from './render.ts';

export function jsonRenderer(write: (text: string) => void): Renderer {
  return {
    emit: (event) => write(`${JSON.stringify(event)}\n`),
    async close() {},
  };
}
