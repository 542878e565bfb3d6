import { expect, test } from 'vitest';
import { signalNumber, stopSignalOf } from './signals.ts';

test.each([
  ['SIGTERM', 15],
  ['term', 15],
  ['9', 9],
  ['SIGRTMIN+3', 37],
  ['RTMAX-1', 63],
  ['SIGNOPE', undefined],
  ['0', undefined],
  ['65', undefined],
])('%s is %s', (text, number) => {
  expect(signalNumber(text)).toBe(number);
});

test('a stop signal that does not exist is refused with its place', () => {
  expect(stopSignalOf(undefined, 'services.web')).toBe(15);
  expect(() => stopSignalOf('SIGFOO', 'services.web')).toThrow('services.web.stop_signal: there is no signal SIGFOO');
});
