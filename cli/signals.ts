/** The signals that end a command in order. */
import { type EndingSignal, endingSignals } from '../schemas/signals.ts';

/** Calls `listener` with each of SIGINT, SIGTERM and SIGHUP; disposing gives them their usual meaning back. */
export function onEndingSignal(listener: (signal: EndingSignal) => void): Disposable {
  for (const signal of endingSignals) process.on(signal, listener);
  return {
    [Symbol.dispose]() {
      for (const signal of endingSignals) process.off(signal, listener);
    },
  };
}
