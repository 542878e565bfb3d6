import { expect, test } from 'vitest';
import type { Service } from '../../schemas/project.ts';
import { logOf, restartOf } from './monitor.ts';

const docker = { limit: 0, delayMs: 100, longestMs: 60_000, windowMs: 0 };

test.each([
  [{}, { policy: 'no', ...docker }],
  [{ restart: 'no' }, { policy: 'no', ...docker }],
  [{ restart: 'always' }, { policy: 'always', ...docker }],
  [{ restart: 'unless-stopped' }, { policy: 'always', ...docker }],
  [{ restart: 'on-failure' }, { policy: 'on-failure', ...docker }],
  [{ restart: 'on-failure:3' }, { policy: 'on-failure', ...docker, limit: 3 }],
  [{ deploy: { restart_policy: {} } }, { policy: 'always', ...docker }],
  [
    { restart: 'always', deploy: { restart_policy: { condition: 'none' } } },
    { policy: 'no', ...docker },
  ],
  [
    { deploy: { restart_policy: { condition: 'on-failure', delay: '2s', max_attempts: 4, window: '1m' } } },
    { policy: 'on-failure', limit: 4, delayMs: 2000, longestMs: 2000, windowMs: 60_000 },
  ],
] as [Partial<Service>, object][])('%j', (service, expected) => {
  expect(restartOf(service as Service)).toEqual(expected);
});

test.each([
  [undefined, { size: 20 * 2 ** 20, files: 5 }],
  [{ options: { 'max-size': '1m', 'max-file': '2' } }, { size: 2 ** 20, files: 2 }],
  [{ options: { 'max-size': '-1' } }, { size: 0, files: 5 }],
  [{ driver: 'none' }, { size: 0, files: 0 }],
])('the log of %j', (logging, expected) => {
  expect(logOf(logging)).toEqual(expected);
});
