import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundle } from './config.fixture.ts';
import { checkConfig } from './config.ts';
import { specTemplate } from './template.ts';

const hasRunc = spawnSync('runc', ['--version']).status === 0;
if (!hasRunc) console.log('skipped: the template is compared with that of runc, which is not installed');

test.skipIf(!hasRunc).each([[[]], [['--rootless']]])('the template of `spec` is that of runc: %s', (options) => {
  const directory = mkdtempSync(join(tmpdir(), 'stack-spec-'));
  try {
    const run = spawnSync('runc', ['spec', ...options], { cwd: directory, encoding: 'utf8' });
    expect(run.status, run.stderr).toBe(0);
    const theirs = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'));
    const ours = specTemplate(options.length > 0);
    expect({ ...ours, ociVersion: '' }).toEqual({ ...theirs, ociVersion: '' });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('with the unified hierarchy the container has a cgroup namespace', () => {
  const types = (isRootless: boolean, isUnified: boolean) =>
    specTemplate(isRootless, { uid: 7, gid: 8, isUnified }).linux!.namespaces!.map(({ type }) => type);
  expect(types(false, true)).toEqual(['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup']);
  expect(types(true, true)).toEqual(['pid', 'ipc', 'uts', 'mount', 'cgroup', 'user']);
  expect(types(true, false)).not.toContain('cgroup');
});

test.each([false, true])('the template is a sound document (rootless: %s)', (isRootless) => {
  const text = JSON.stringify(specTemplate(isRootless, { uid: 7, gid: 8, isUnified: true }));
  // As of runc 1.1.5: ambient capabilities that are not inheritable, which no kernel gives.
  expect(checkConfig(text, bundle).warnings).toEqual([expect.stringMatching(/^process\.capabilities\.ambient: /)]);
});
