import { expect, test } from 'vitest';
import type { LogLine } from '../../engine/logs/logs.ts';
import type { ContainerRecord } from '../../schemas/container.ts';
import { LogPrinter, type PrefixOptions } from './prefix.ts';
import { style } from './style.ts';

const container = (service: string, number = 1, name = `demo-${service}-${number}`) =>
  ({ id: name, name, stack: 'demo', service, number }) as ContainerRecord;
const line = (text: string | Buffer): LogLine => ({
  time: '2026-11-23T12:00:00.000000000Z',
  stream: 'stdout',
  text: Buffer.from(text),
});

function printer(options: Partial<PrefixOptions> = {}, ansi: 'never' | 'always' = 'never') {
  const chunks: Uint8Array[] = [];
  const made = new LogPrinter((bytes) => chunks.push(bytes), {
    style: style({}, ansi, {}),
    withTime: false,
    withPrefix: true,
    ...options,
  });
  return { made, bytes: () => Buffer.concat(chunks) };
}

test('names are without the stack, in one column', () => {
  const { made, bytes } = printer();
  const [web, database, own] = [container('web'), container('database'), container('api', 1, 'my-api')];
  made.widen([web, database, own]);
  made.line(web, line('hello'));
  made.line(database, line('ready'));
  made.line(own, line(''));
  made.notice(web, 'exited with code 0');
  expect(bytes().toString()).toBe(
    'web-1       | hello\ndatabase-1  | ready\nmy-api      | \nweb-1 exited with code 0\n',
  );
});

test('bytes stay as they are, but for the carriage return of a terminal', () => {
  const { made, bytes } = printer({ withPrefix: false });
  made.line(container('web'), line(Buffer.from([0xff, 0x00, 0x41, 0x0d])));
  expect(bytes()).toEqual(Buffer.from([0xff, 0x00, 0x41, 0x0a]));
});

test('the time stands in front of the text', () => {
  const { made, bytes } = printer({ withTime: true });
  made.line(container('web'), line('hello'));
  expect(bytes().toString()).toBe('web-1  | 2026-11-23T12:00:00.000000000Z hello\n');
});

test('each container has a colour of its own and keeps it when it is replaced', () => {
  const { made, bytes } = printer({}, 'always');
  made.line(container('web'), line('a'));
  made.line(container('db'), line('b'));
  made.line({ ...container('web'), id: 'replaced' }, line('c'));
  expect(
    [
      ...bytes()
        .toString()
        .matchAll(/\x1b\[(\d+)m(\w+-1)/g),
    ].map(([, code, name]) => [name, code]),
  ).toEqual([
    ['web-1', '36'],
    ['db-1', '33'],
    ['web-1', '36'],
  ]);
});
