/**
 * One run at a time; calls that come meanwhile share the next one, which sees the latest input. A call's promise
 * settles with the first run that began after it.
 */
export function coalesce<T>(run: (input: T) => Promise<void>): (input: T) => Promise<void> {
  let running: Promise<void> | undefined;
  let next: { input: T; done: Promise<void> } | undefined;
  const begin = (input: T): Promise<void> => {
    running = run(input).finally(() => {
      running = undefined;
    });
    return running;
  };
  return (input) => {
    if (next) {
      next.input = input;
      return next.done;
    }
    if (!running) return begin(input);
    const waiting = { input, done: undefined as unknown as Promise<void> };
    const after = () => {
      next = undefined;
      return begin(waiting.input);
    };
    waiting.done = running.then(after, after);
    next = waiting;
    return waiting.done;
  };
}
