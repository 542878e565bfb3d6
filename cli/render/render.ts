/** Chooses how progress is shown. Renderers know EngineEvents and nothing else of the engine. */
import type { Emit } from '../../schemas/events.ts';
import type { Context } from '../command.ts';
import { jsonRenderer } from './json.ts';
import { plainRenderer, warningLine } from './plain.ts';
import { style } from './style.ts';
import { timingsText } from './timings.ts';

export interface Renderer {
  emit: Emit;
  /** Leaves the terminal as it was; nothing is shown afterwards. */
  close(): Promise<void>;
}

/** Progress goes to standard error, so that standard output is the command's own. */
export function renderer(
  context: Pick<Context, 'stderr' | 'globals' | 'environment'>,
  options: { quietPull?: boolean; quietBuild?: boolean } = {},
): Renderer {
  const chosen = withTimings(context, choose(context));
  const { quietPull = false, quietBuild = false } = options;
  if (!quietPull && !quietBuild) return chosen;
  // As with docker compose, who wants no progress of pulls gets none of builds either.
  const isQuiet = (id: string) => quietPull || id.startsWith('build ');
  return { ...chosen, emit: (event) => (event.type === 'progress' && isQuiet(event.id)) || chosen.emit(event) };
}

/** As JSON they are always told; else where asked for, below everything. */
function withTimings({ globals, stderr }: Pick<Context, 'stderr' | 'globals'>, chosen: Renderer): Renderer {
  if (globals.progress === 'json') return chosen;
  let text = '';
  return {
    emit(event) {
      if (event.type !== 'timings') chosen.emit(event);
      else if (globals.timings) text += timingsText(event);
    },
    async close() {
      await chosen.close();
      if (text) stderr.write(text);
      text = '';
    },
  };
}

function choose(context: Pick<Context, 'stderr' | 'globals' | 'environment'>): Renderer {
  const { stderr, globals, environment } = context;
  const write = (text: string) => void stderr.write(text);
  const look = style(stderr, globals.ansi, environment);
  const isTerminal =
    stderr.isTTY === true && stderr.columns > 0 && globals.ansi !== 'never' && environment.TERM !== 'dumb';
  const mode = globals.progress === 'auto' ? (isTerminal ? 'tty' : 'plain') : globals.progress;
  if (mode === 'json') return jsonRenderer(write);
  if (mode === 'plain') return plainRenderer(write, look);
  if (mode === 'tty') return lazyTerminal();
  return {
    emit(event) {
      if (event.type === 'warning') write(`${warningLine(event.error, look.paint)}\n`);
    },
    async close() {},
  };

  /** Listr2 is loaded with the first operation: a run without any shows nothing and must not pay for it. */
  function lazyTerminal(): Renderer {
    let loading: Promise<Renderer> | undefined;
    let loaded: Renderer | undefined;
    const plain = plainRenderer(write, look);
    const early: Parameters<Emit>[0][] = [];
    return {
      emit(event) {
        if (loaded) return loaded.emit(event);
        if (event.type === 'plan' && event.operations.length === 0) return;
        if (!loading && event.type !== 'plan') return plain.emit(event);
        early.push(event);
        loading ??= import('./terminal.ts').then((module) => {
          loaded = module.terminalRenderer(stderr, look);
          for (const each of early) loaded.emit(each);
          return loaded;
        });
      },
      async close() {
        await (await loading)?.close();
      },
    };
  }
}
