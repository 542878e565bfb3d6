/** Steps of builds as lines: what runs, what it prints, what came from the cache, and how long it took. */
import { StringDecoder } from 'node:string_decoder';
import type { BuildEvent } from '../engine/build/builds.ts';
import type { StoredImage } from '../schemas/oci-image.ts';
import type { Context } from './command.ts';

export interface BuildProgress {
  /** For the build of a service. */
  of(service: string): (event: BuildEvent) => void;
  /** @param name that the service calls its image by: an equal image of another service may have several. */
  built(service: string, image: StoredImage, name: string): void;
}

export function buildRenderer({ stdout, stderr, globals }: Context, isQuiet: boolean): BuildProgress {
  const isJson = globals.progress === 'json';
  const numbers = new Map<string, number>();
  const rests = new Map<number, string>();
  /** A character may come in two pieces. */
  const decoders = new Map<number, StringDecoder>();
  const textOf = (number: number, bytes: Buffer) => {
    const decoder = decoders.get(number) ?? new StringDecoder('utf8');
    decoders.set(number, decoder);
    return decoder.write(bytes);
  };
  const numberOf = (key: string) => {
    const known = numbers.get(key) ?? numbers.size + 1;
    numbers.set(key, known);
    return known;
  };
  const line = (text: string) => void (isQuiet || stderr.write(`${text}\n`));
  return {
    of: (service) => (event) => {
      const { vertex } = event;
      const number = numberOf(`${service} ${vertex.id}`);
      if (isJson) {
        const text = event.type === 'output' ? textOf(number, event.bytes) : '';
        stderr.write(`${JSON.stringify(asJson(service, number, event, text))}\n`);
        return;
      }
      switch (event.type) {
        case 'started':
          line(`#${number} ${service} ${vertex.name}`);
          return;
        case 'output': {
          const lines = ((rests.get(number) ?? '') + textOf(number, event.bytes)).split('\n');
          rests.set(number, lines.pop() ?? '');
          for (const each of lines) line(`#${number} ${each.replace(/.*\r(?!$)/, '')}`);
          return;
        }
        case 'done':
        case 'failed': {
          const rest = rests.get(number);
          if (rest) line(`#${number} ${rest}`);
          rests.delete(number);
          const how = event.type === 'failed' ? 'ERROR' : event.isCached ? 'CACHED' : 'DONE';
          line(`#${number} ${how}${how === 'CACHED' ? '' : ` ${(event.ms / 1000).toFixed(1)}s`}`);
        }
      }
    },
    built(service, image, name) {
      if (isQuiet) stdout.write(`${image.id}\n`);
      else line(` ${service}  Built  ${name}`);
    },
  };
}

function asJson(service: string, number: number, event: BuildEvent, text: string): object {
  const { vertex, type } = event;
  const common = { type: `build.${type}`, service, step: number, name: vertex.name, stage: vertex.stage };
  if (type === 'output') return { ...common, text };
  if (type === 'done') return { ...common, ms: event.ms, cached: event.isCached };
  return type === 'failed' ? { ...common, ms: event.ms, error: event.error.message } : common;
}
