import { expect, test } from 'vitest';
import { StackError } from '../../schemas/errors.ts';
import type { Context } from '../command.ts';
import { reportError } from './error.ts';

function report(thrown: unknown, progress: 'plain' | 'json' = 'plain', environment = {}) {
  let text = '';
  const stderr = {
    write(chunk: string) {
      text += chunk;
    },
  };
  const exitCode = reportError(thrown, {
    stderr,
    globals: { progress, ansi: 'auto' },
    environment,
  } as never as Context);
  return { text, exitCode };
}

const first = new StackError('runtime.not-found', {
  message: 'demo-web-1: command not found: nginx.',
  hint: 'Check `command`.',
  exitCode: 127,
  also: [new StackError('network.kernel', { message: 'Bridge st-1 stayed.' })],
});

test('what happened, what next, and what else went wrong, with the exit code of the failure', () => {
  expect(report(first)).toEqual({
    text: 'error: demo-web-1: command not found: nginx.\n  Check `command`.\nerror: Bridge st-1 stayed.\n',
    exitCode: 127,
  });
});

test('what went wrong in the same way twice is told once', () => {
  const wrong = () => new StackError('usage', { message: 'Unknown instruction FORM.', hint: 'Did you mean FROM?' });
  const error = wrong();
  error.also.push(wrong());
  expect(report(error).text).toBe('error: Unknown instruction FORM.\n  Did you mean FROM?\n');
});

test('as JSON one object on one line', () => {
  const { text } = report(first, 'json');
  expect(text.match(/\n/g)).toHaveLength(1);
  expect(JSON.parse(text)).toMatchObject({
    type: 'error',
    error: { code: 'runtime.not-found', hint: 'Check `command`.', also: [{ code: 'network.kernel' }] },
  });
});

test('a fault of ours has no stack trace, unless that is asked for', () => {
  const fault = new TypeError('x is not a function');
  expect(report(fault)).toEqual({ text: expect.stringContaining('STACK_DEBUG=1'), exitCode: 1 });
  expect(report(fault).text).not.toMatch(/^\s+at /m);
  expect(report(fault, 'plain', { STACK_DEBUG: '1' }).text).toMatch(/^\s+at /m);
});
