import { expect, test } from 'vitest';
import { parseStatus } from './status.ts';

const text = [
  'state running',
  'pid 4711',
  'shim 4710',
  'exit_code 0',
  'oom_killed 0',
  'health unhealthy',
  'failing_streak 3',
  'restarts 2',
  'started 1700000000123456789',
  'finished 0',
  'stop_requested 0',
  'warning setrlimit\t1\tRLIMIT_NOFILE',
  'probe_exit 1',
  'probe_output',
  'connection refused\nstate exited\n',
].join('\n');

test('every field is read, and the output of a probe cannot pass for one', () => {
  expect(parseStatus(text)).toEqual({
    state: 'running',
    pid: 4711,
    shimPid: 4710,
    exitCode: 0,
    isOomKilled: false,
    health: 'unhealthy',
    failingStreak: 3,
    probeOutput: 'connection refused\nstate exited\n',
    probeExitCode: 1,
    restartCount: 2,
    startedAt: '2023-11-14T22:13:20.123Z',
    finishedAt: '',
    isStopRequested: false,
    warnings: [{ step: 'setrlimit', errno: 'EPERM', subject: 'RLIMIT_NOFILE' }],
  });
});

test('a failed start names step, errno and subject', () => {
  const status = parseStatus('state created\nfailure_step exec\nfailure_errno 2\nfailure_subject nope\n');
  expect(status.failure).toEqual({ step: 'exec', errno: 'ENOENT', subject: 'nope' });
});
