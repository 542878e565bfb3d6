import { expect, test } from 'vitest';
import { localVolume } from './local-volume.ts';

test.each([
  [undefined, { kind: 'directory' }],
  [{}, { kind: 'directory' }],
  [{ size: '1g' }, { kind: 'directory', size: '1g' }],
  [
    { type: 'none', o: 'bind,ro', device: '/srv' },
    { kind: 'bind', device: '/srv', options: ['bind', 'ro'] },
  ],
  [
    { o: 'rbind', device: '/srv' },
    { kind: 'bind', device: '/srv', options: ['rbind'] },
  ],
  [
    { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=1000' },
    { kind: 'filesystem', type: 'tmpfs', device: 'tmpfs', options: ['size=1m', 'uid=1000'] },
  ],
  [
    { type: 'nfs', device: ':/x', o: 'addr=10.0.0.1,nolock,soft' },
    { kind: 'filesystem', type: 'nfs', device: ':/x', options: ['addr=10.0.0.1', 'nolock', 'soft'] },
  ],
  [
    { type: 'ext4', device: '/dev/sdb1' },
    { kind: 'filesystem', type: 'ext4', device: '/dev/sdb1', options: [] },
  ],
] as const)('driver_opts %j', (options, volume) => {
  expect(localVolume(options)).toEqual(volume);
});

test.each([
  [{ mountpoint: '/x' }, 'mountpoint', 'is no option'],
  [{ size: '1g', type: 'tmpfs', device: 'x' }, 'size', 'this one is a mount'],
  [{ size: 'much' }, 'size', 'no size'],
  [{ type: 'tmpfs' }, 'device', 'no device'],
  [{ o: 'bind' }, 'device', 'no device'],
  [{ device: '/dev/sdb1' }, 'type', 'which file system'],
  [{ type: 'none', device: '/srv' }, 'type', 'which file system'],
  [{ type: 'ext4', o: 'bind', device: '/srv' }, 'type', 'says ext4'],
  [{ o: 'bind', device: 'srv' }, 'device', 'absolute'],
  [{ o: 'bind,uid=7', device: '/srv' }, 'o', 'uid=7'],
  [{ type: 'a/b', device: '/srv' }, 'type', 'no file system'],
  [{ type: 'tmpfs', device: 'x', o: 'remount,size=1' }, 'o', 'remount'],
])('driver_opts %j are refused', (options, option, why) => {
  const problem = localVolume(options as Record<string, string>);
  expect(problem).toMatchObject({ option, why: expect.stringContaining(why), hint: expect.stringMatching(/\.$|…/) });
});
