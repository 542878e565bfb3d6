/** What of a service is dearer than copying: one at a time, the dearest that was asked for meanwhile next. */
import { type Afterwards, dearer } from '../../planner/watch/decide.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { ServiceHook } from '../../schemas/project.ts';
import type { WatchChange } from '../../schemas/watch.ts';

export interface Asked {
  after: Afterwards;
  because: WatchChange[];
  execs: ServiceHook[];
  /** When the first of the changes was told, of performance.now(). */
  since: number;
}

export interface LaneActions {
  exec(hooks: ServiceHook[]): Promise<void>;
  restart(): Promise<void>;
  rebuild(signal: AbortSignal, onBuilt: () => void): Promise<void>;
  onDone(action: string, because: WatchChange[], since: number): void;
  onFailed(after: Afterwards, error: StackError): Promise<void>;
}

export class ActionLane implements AsyncDisposable {
  private readonly actions: LaneActions;
  private asked: Asked | undefined;
  private working: Promise<void> | undefined;
  /** Of the build at work, as long as it may be given up. */
  private building: AbortController | undefined;
  private isOver = false;

  constructor(actions: LaneActions) {
    this.actions = actions;
  }

  get isBusy(): boolean {
    return this.working !== undefined;
  }

  /** A build that is under way and does not have these changes is given up for one that does. */
  ask(one: Asked): void {
    if (this.isOver) return;
    this.asked = this.asked ? joined(this.asked, one) : one;
    if (one.after === 'rebuild') this.building?.abort(givenUp());
    this.working ??= this.work().finally(() => {
      this.working = undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isOver = true;
    this.asked = undefined;
    this.building?.abort(givenUp());
    await this.working;
  }

  private async work(): Promise<void> {
    for (let one = this.asked; one; one = this.asked) {
      this.asked = undefined;
      const building = new AbortController();
      try {
        if (one.after === 'exec') await this.actions.exec(one.execs);
        else if (one.after === 'restart') await this.actions.restart();
        else {
          this.building = building;
          await this.actions.rebuild(building.signal, () => {
            this.building = undefined;
          });
        }
        this.actions.onDone(one.after, one.because, one.since);
      } catch (error) {
        if (building.signal.aborted) {
          this.actions.onDone('rebuild given up for a newer save', one.because, one.since);
          // What asked for it is not forgotten.
          if (!this.isOver) this.asked = this.asked ? joined(one, this.asked) : one;
        } else await this.actions.onFailed(one.after, asStackError(error));
      } finally {
        this.building = undefined;
      }
    }
  }
}

const givenUp = () => new StackError('plan.interrupted', { message: 'The build was given up for a newer save.' });

function joined(first: Asked, second: Asked): Asked {
  return {
    after: dearer(first.after, second.after),
    because: [...new Map([...first.because, ...second.because].map((one) => [one.path, one])).values()],
    execs: [...new Set([...first.execs, ...second.execs])],
    since: first.since,
  };
}
