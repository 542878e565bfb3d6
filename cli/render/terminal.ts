/** Progress on a terminal: a line for each resource, redrawn in place. */
import { DefaultRenderer, Listr, ListrLogger, type ListrTask, ProcessOutput } from 'listr2';
import type { EngineEvent } from '../../schemas/events.ts';
import { plainRenderer } from './plain.ts';
import type { Renderer } from './render.ts';
import { color, type Style } from './style.ts';
import { capital, doing, done, seconds, size } from './words.ts';

const SHOW_CURSOR = '\x1b[?25h';

export function terminalRenderer(stream: NodeJS.WriteStream, style: Style): Renderer {
  let list: ResourceList | undefined;
  /** What does not belong to a line of the list: printed before it or behind it. */
  const plain = plainRenderer((text) => void stream.write(text), style);
  const later: EngineEvent[] = [];
  const showCursor = () => stream.write(SHOW_CURSOR);
  const close = async () => {
    await list?.close();
    list = undefined;
    for (const event of later.splice(0)) plain.emit(event);
    process.off('exit', showCursor);
  };
  return {
    emit(event) {
      if (event.type === 'plan') {
        if (event.operations.length === 0) return;
        // However the process ends, the cursor that the list hides comes back.
        process.once('exit', showCursor);
        // A run may have two plans, images first: each has its list, one below the other.
        const before = list?.close();
        list = new ResourceList(stream, style);
        list.run(event.operations, before);
      } else if (!list?.show(event)) {
        if (list) later.push(event);
        else plain.emit(event);
      }
    },
    close,
  };
}

/** Listr2's own, chosen by us: it would look at standard output, and progress goes to standard error. */
class LiveRenderer extends DefaultRenderer {
  static override nonTTY = true;
}

class ResourceList {
  private readonly lines = new Map<string, Line>();
  private readonly listr: Listr<unknown, typeof LiveRenderer>;
  private readonly paint: Style['paint'];
  private running: Promise<unknown> | undefined;

  constructor(stream: NodeJS.WriteStream, { paint }: Style) {
    this.paint = paint;
    const processOutput = new ProcessOutput(stream, stream, { leaveEmptyLine: false });
    this.listr = new Listr([], {
      concurrent: true,
      exitOnError: false,
      // Signals are the command's.
      registerSignalListeners: false,
      renderer: LiveRenderer,
      rendererOptions: {
        logger: new ListrLogger({ useIcons: true, toStderr: [], processOutput }),
        showErrorMessage: false,
        formatOutput: 'truncate',
      },
    });
  }

  /** Shows the lines of a plan, all of them from the beginning: Listr takes no more once it runs. */
  run(operations: { id: string; resource: string }[], before: Promise<void> = Promise.resolve()): void {
    for (const { id, resource } of operations) {
      const line = this.lines.get(resource) ?? new Line(resource);
      this.lines.set(resource, line);
      line.open.add(id);
    }
    this.listr.add([...this.lines.values()].map((line) => line.task()));
    this.running = before.then(() => this.listr.run()).catch(() => {});
  }

  /** False where the event is not about a line of the list. */
  show(event: EngineEvent): boolean {
    const line = 'resource' in event ? this.lines.get(event.resource) : undefined;
    if (!line) return false;
    switch (event.type) {
      case 'started':
        line.say(doing(event.kind));
        return true;
      case 'progress':
        line.say([event.detail, amount(event)].filter(Boolean).join('  '));
        return true;
      case 'done':
        line.say(`${this.paint(color.green, done(event.kind))}  ${seconds(event.ms)}`);
        line.settle(event.id);
        return true;
      case 'failed':
        line.say(this.paint(color.red, 'Error'));
        line.hasFailed = true;
        line.settle(event.id);
        return true;
      case 'skipped':
        line.say(`${this.paint(color.yellow, 'Skipped')}  ${event.because}`);
        line.settle(event.id);
        return true;
      case 'undone':
        // A line that has ended is not drawn again.
        if (line.isSettled) return false;
        line.say('Undone');
        return true;
      default:
        return false;
    }
  }

  async close(): Promise<void> {
    for (const line of this.lines.values()) line.settle();
    await this.running;
  }
}

/** A container has several operations (create, start) and one line. */
class Line {
  /** Operations of the plan that have not ended. */
  readonly open = new Set<string>();
  hasFailed = false;
  isSettled = false;
  private readonly name: string;
  private readonly ended = Promise.withResolvers<void>();
  private words = '';
  private target: { title?: string | undefined } | undefined;

  constructor(resource: string) {
    this.name = capital(resource);
  }

  task(): ListrTask {
    return {
      title: this.name,
      task: async (_, wrapper) => {
        // Set on the task itself: drawn with the spinner's next turn. The wrapper's setter draws the whole list at once.
        this.target = wrapper.task;
        this.say(this.words);
        await this.ended.promise;
        if (this.hasFailed) throw new Error(this.name);
      },
    };
  }

  say(words: string): void {
    this.words = words;
    if (this.target) this.target.title = words ? `${this.name}  ${words}` : this.name;
  }

  /** Ends the line with its last operation, or at once where none is named. */
  settle(id?: string): void {
    if (id !== undefined) this.open.delete(id);
    if (id !== undefined && this.open.size > 0) return;
    this.isSettled = true;
    this.ended.resolve();
  }
}

function amount({ current, total }: { current?: number; total?: number }): string {
  if (current === undefined) return '';
  return total === undefined ? size(current) : `${size(current)} of ${size(total)}`;
}
