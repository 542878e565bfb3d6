import { expect, test } from 'vitest';
import { resolveCgroupsPath, slicePath } from './path.ts';

test.each([
  [undefined, '/stack-runtime/c1'],
  ['', '/stack-runtime/c1'],
  ['/a/b', '/a/b'],
  ['//a/./b/', '/a/b'],
  ['a/b', '/stack-runtime/a/b'],
  ['../../a', '/stack-runtime/a'],
  ['/../../etc', '/etc'],
  ['/a/../../b', '/b'],
  ['/a/b/../c', '/a/c'],
  ['/kubepods/pod:1/x', '/kubepods/pod:1/x'],
])('cgroupfs: %j is %s', (asked, path) => {
  expect(resolveCgroupsPath(asked, 'c1', 'cgroupfs')).toBe(path);
});

test.each(['system.slice:docker:c1', ':stack:c1', '/', '/..', '..'])('cgroupfs refuses %j', (asked) => {
  expect(() => resolveCgroupsPath(asked, 'c1', 'cgroupfs')).toThrow(expect.objectContaining({ code: 'config.value' }));
});

test.each([
  [undefined, '/system.slice/stack-c1.scope'],
  ['user.slice:podman:c1', '/user.slice/podman-c1.scope'],
  [':crio:c1', '/system.slice/crio-c1.scope'],
  [
    'kubepods-burstable-pod1.slice:cri:c1',
    '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-c1.scope',
  ],
  ['-.slice::c1', '/c1.scope'],
  ['system.slice::inner.slice', '/system.slice/inner.slice'],
])('systemd: %j is %s', (asked, path) => {
  expect(resolveCgroupsPath(asked, 'c1', 'systemd')).toBe(path);
});

test.each(['/a/b', 'a:b', 'a.slice:b:', 'x:y:c1', 'a--b.slice:p:c', 'a.slice:p/../q:c'])(
  'systemd refuses %j',
  (asked) => {
    expect(() => resolveCgroupsPath(asked, 'c1', 'systemd')).toThrow(expect.objectContaining({ code: 'config.value' }));
  },
);

test('the top slice is the top', () => {
  expect(slicePath('-.slice')).toBe('');
});
