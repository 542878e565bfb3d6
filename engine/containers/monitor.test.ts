import { expect, test } from 'vitest';
import type { ImageConfig } from '../../schemas/oci-image.ts';
import type { Service } from '../../schemas/project.ts';
import { healthOf, logOf, restartOf } from './monitor.ts';

const image = (config: NonNullable<ImageConfig['config']>): ImageConfig => ({
  architecture: 'amd64',
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: [] },
  config,
});

test('the stack file’s health check goes over the image’s, field by field', () => {
  const built = image({ Healthcheck: { Test: ['CMD', 'ok'], Interval: 5e9, Retries: 7 } });
  expect(healthOf({ timeout: '2s' }, built)).toEqual({
    test: ['ok'],
    intervalMs: 5_000,
    timeoutMs: 2_000,
    startPeriodMs: 0,
    startIntervalMs: 5_000,
    retries: 7,
  });
  expect(healthOf({ test: ['CMD-SHELL', 'curl x || exit 1'] }, image({}))?.test).toEqual([
    '/bin/sh',
    '-c',
    'curl x || exit 1',
  ]);
});

test('a health check can be switched off', () => {
  const built = image({ Healthcheck: { Test: ['CMD', 'ok'] } });
  expect(healthOf({ disable: true }, built)).toBeUndefined();
  expect(healthOf({ test: ['NONE'] }, built)).toBeUndefined();
  expect(healthOf(undefined, image({}))).toBeUndefined();
});

test.each<[Partial<Service>, object]>([
  [{}, { policy: 'no', limit: 0 }],
  [{ restart: 'no' }, { policy: 'no', limit: 0 }],
  [{ restart: 'always' }, { policy: 'always', limit: 0 }],
  [{ restart: 'unless-stopped' }, { policy: 'always', limit: 0 }],
  [{ restart: 'on-failure' }, { policy: 'on-failure', limit: 0 }],
  [{ restart: 'on-failure:5' }, { policy: 'on-failure', limit: 5 }],
  [{ deploy: { restart_policy: { condition: 'on-failure', max_attempts: 2 } } }, { policy: 'on-failure', limit: 2 }],
  [{ deploy: { restart_policy: {} } }, { policy: 'always', limit: 0 }],
])('restart of %j', (service, expected) => {
  expect(restartOf(service as Service)).toMatchObject(expected);
});

test('rotation follows max-size and max-file', () => {
  expect(logOf(undefined)).toEqual({ size: 20 * 1024 * 1024, files: 5 });
  expect(logOf({ options: { 'max-size': '10k', 'max-file': '3' } })).toEqual({ size: 10_240, files: 3 });
  expect(logOf({ driver: 'none' })).toEqual({ size: 0, files: 0 });
});
