import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ContainerRecord } from '../../schemas/container.ts';
import type { Project, Service } from '../../schemas/project.ts';
import { grantMounts, restoreGrants } from './grants.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'stack-grants-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const project = (): Pick<Project, 'secrets' | 'configs'> => ({
  secrets: { key: { name: 'key', content: 's3cret' }, file: { name: 'file', file: join(dir, 'file') } },
  configs: { app: { name: 'app', content: 'a=b' } },
});
const config = {
  secrets: [{ source: 'key' }, { source: 'file', mode: 0o440 }, { source: 'file' }],
  configs: [{ source: 'app', target: '/etc/app.conf' }],
} as Pick<Service, 'secrets' | 'configs'>;

test('what is written down is in the run directory, with its mode; a plain file is bound as it is', () => {
  writeFileSync(join(dir, 'file'), 'of a file');
  const run = join(dir, 'run');
  const mounts = grantMounts({ project: project(), service: 'web', config }, run);
  expect(mounts).toEqual([
    { type: 'bind', source: join(run, 'secrets/0'), target: '/run/secrets/key', readOnly: true },
    { type: 'bind', source: join(run, 'secrets/1'), target: '/run/secrets/file', readOnly: true },
    { type: 'bind', source: join(dir, 'file'), target: '/run/secrets/file', readOnly: true },
    { type: 'bind', source: join(run, 'configs/0'), target: '/etc/app.conf', readOnly: true },
  ]);
  expect(readFileSync(join(run, 'secrets/1'), 'utf8')).toBe('of a file');
  expect(['secrets', 'secrets/0', 'secrets/1'].map((path) => statSync(join(run, path)).mode & 0o7777)).toEqual([
    0o700, 0o444, 0o440,
  ]);
});

test('after the machine was off they are written anew from the stack file, and without it the error says how', () => {
  writeFileSync(join(dir, 'file'), 'of a file');
  const run = join(dir, 'run');
  const mounts = grantMounts({ project: project(), service: 'web', config }, run);
  const record = { name: 'demo-web-1', service: 'web', config, mounts } as unknown as ContainerRecord;
  restoreGrants(record, undefined, run);
  rmSync(run, { recursive: true });
  expect(() => restoreGrants(record, { secrets: {} }, run)).toThrow(expect.objectContaining({ code: 'state.lost' }));
  const hint = expect.stringContaining('stack up');
  expect(() => restoreGrants(record, undefined, run)).toThrow(expect.objectContaining({ hint }));
  expect(existsSync(run)).toBe(false);
  restoreGrants(record, project(), run);
  expect(readFileSync(join(run, 'secrets/0'), 'utf8')).toBe('s3cret');
});

test('a link in place of a file is not followed', () => {
  writeFileSync(join(dir, 'file'), '');
  const run = join(dir, 'run');
  grantMounts({ project: project(), service: 'web', config }, run);
  writeFileSync(join(dir, 'other'), 'kept');
  rmSync(join(run, 'secrets/0'));
  symlinkSync(join(dir, 'other'), join(run, 'secrets/0'));
  grantMounts({ project: project(), service: 'web', config }, run);
  expect(readFileSync(join(dir, 'other'), 'utf8')).toBe('kept');
  expect(readFileSync(join(run, 'secrets/0'), 'utf8')).toBe('s3cret');
});
