import { expect, test } from 'vitest';
import type { FilesystemVerbs } from '../../schemas/kernel.ts';
import { limit, projectOf, unlimit } from './quota.ts';

test('the project of a name is always the same, and above those of the machine’s owner', () => {
  const all = Array.from({ length: 1000 }, (_, at) => projectOf(`name${at}`));
  expect(new Set(all).size).toBe(1000);
  expect(all.every((project) => project >= 0x4000_0000 && project <= 0x7fff_ffff)).toBe(true);
  expect(projectOf('name7')).toBe(all[7]);
});

test('the limit is there before anything counts, in every directory, and goes by the same name', () => {
  const calls: unknown[] = [];
  const verbs = {
    setProject: (_: number, project: number) => calls.push(['set', project]),
    limitProject: (_: number, project: number, bytes: number) => calls.push(['limit', project, bytes]),
  } as unknown as FilesystemVerbs;
  limit(verbs, ['/', '/tmp'], { name: 'a', bytes: 4096, resource: 'volume a' });
  unlimit(verbs, '/', 'a');
  unlimit(verbs, '/no/such', 'a');
  const project = projectOf('a');
  const both = [
    ['limit', project, 4096],
    ['set', project],
  ];
  expect(calls).toEqual([...both, ...both, ['limit', project, 0]]);
});

test('a file system without quotas is an error that names it and says what to do', () => {
  const verbs = {
    limitProject() {
      throw Object.assign(new Error('no'), { code: 'ESRCH' });
    },
  } as unknown as FilesystemVerbs;
  expect(() => limit(verbs, ['/'], { name: 'a', bytes: 1, resource: 'services.web.storage_opt.size' })).toThrow(
    expect.objectContaining({
      code: 'host.quota',
      message: 'services.web.storage_opt.size: the file system of / keeps no quotas of projects: ESRCH',
      hint: expect.stringContaining('prjquota'),
    }),
  );
});
