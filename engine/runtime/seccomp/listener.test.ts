import { expect, test } from 'vitest';
import { containerProcessState } from './listener.ts';

test('the container process state, the process id spliced in', () => {
  const state = {
    id: 'a"b',
    status: 'creating',
    bundle: '/bundles/"x"',
    annotations: { 'a.b': 'c\n' },
    metadata: 'MKNOD=/dev/null,"pid":',
  } as const;
  expect(JSON.parse(containerProcessState(state).join('4422'))).toEqual({
    ociVersion: '1.3.0',
    fds: ['seccompFd'],
    pid: 4422,
    metadata: 'MKNOD=/dev/null,"pid":',
    state: {
      ociVersion: '1.3.0',
      id: 'a"b',
      status: 'creating',
      pid: 4422,
      bundle: '/bundles/"x"',
      annotations: { 'a.b': 'c\n' },
    },
  });
});

test('what is optional is left out', () => {
  const whole = JSON.parse(containerProcessState({ id: 'x', status: 'running', bundle: '/b' }).join('1'));
  expect(Object.keys(whole)).toEqual(['ociVersion', 'fds', 'pid', 'state']);
  expect(Object.keys(whole.state)).toEqual(['ociVersion', 'id', 'status', 'pid', 'bundle']);
});
