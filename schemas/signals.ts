/** Signals that end a command in order. */
import { StackError } from './errors.ts';

/** Ctrl-C, what `kill` and service managers send, and the terminal that was closed. Numbers: signal(7), the same everywhere. */
const numbers = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
export type EndingSignal = keyof typeof numbers;
export const endingSignals = Object.keys(numbers) as EndingSignal[];

/** 128 and the signal's number, as a shell reports it: 130, 143, 129. */
export const signalExitCode = (signal: EndingSignal): number => 128 + numbers[signal];

/** What a run is aborted with: `signal.reason` carries it to whoever words the error. */
export function interruption(signal: EndingSignal): StackError {
  return new StackError('plan.interrupted', { message: `Ended by ${signal}.`, exitCode: signalExitCode(signal) });
}

/** The exit code of a run that was aborted: that of its signal, 130 where the reason tells of none. */
export function interruptedExitCode(signal: AbortSignal | undefined): number {
  const reason: unknown = signal?.reason;
  return reason instanceof StackError && reason.code === 'plan.interrupted' ? reason.exitCode : 130;
}
