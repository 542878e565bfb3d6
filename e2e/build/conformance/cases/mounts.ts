/** RUN --mount. Source: Dockerfile reference, "RUN --mount". */
import type { Cases } from '../case.ts';

const files = { 'd/x': '1', 'd/e/y': '2', f: '3' };
const run = (mount: string, command: string, more: object = {}) => ({
  files,
  dockerfile: `FROM busybox:1\nRUN --mount=${mount} ${command}\n`,
  ...more,
});

export const mountCases: Cases = {
  'mount-bind': run('target=/m', 'find /m -name "[xyf]" | sort > /list && cat /m/d/x > /x'),
  'mount-bind-source': run('type=bind,source=d,target=/m', 'find /m | sort > /list'),
  'mount-bind-file': run('source=f,target=/etc/f', 'cat /etc/f > /x'),
  'mount-bind-read-only': run('target=/m', 'echo 1 > /m/new'),
  'mount-bind-writable': run('target=/m,rw', 'echo 1 > /m/new && cat /m/new > /x'),
  'mount-bind-owners': run('target=/m', 'stat -c "%a %u:%g %n" /m/f /m/d /m/d/x > /x'),
  'mount-bind-ignored': {
    files: { ...files, '.dockerignore': 'd/e\nf\n' },
    dockerfile: 'FROM busybox:1\nRUN --mount=target=/m find /m | sort > /x\n',
  },
  'mount-bind-missing': run('source=none,target=/m', 'true'),
  'mount-bind-from': {
    dockerfile:
      'FROM busybox:1 AS one\nRUN echo 1 > /made\nFROM busybox:1\nRUN --mount=from=one,target=/m cat /m/made > /x\n',
  },
  'mount-bind-from-image': {
    dockerfile: 'FROM busybox:1\nRUN --mount=from=busybox:1,source=/etc,target=/m cat /m/group > /x\n',
  },
  'mount-bind-relative': {
    files,
    dockerfile: 'FROM busybox:1\nWORKDIR /w\nRUN --mount=source=f,target=m cat m > x\n',
  },
  'mount-bind-leaves-stub': run('target=/new/place', 'true'),
  'mount-bind-over-existing': run('target=/etc', 'ls /etc > /x'),
  'mount-cache': run('type=cache,target=/c', 'echo 1 > /c/x; stat -c "%a %u:%g" /c > /x'),
  'mount-cache-owner': run('type=cache,target=/c,uid=5,gid=6,mode=0700,id=owned', 'stat -c "%a %u:%g" /c > /x'),
  'mount-cache-shared-by-steps': {
    dockerfile:
      'FROM busybox:1\nRUN --mount=type=cache,target=/c,id=steps echo 1 > /c/x\nRUN --mount=type=cache,target=/d,id=steps cat /d/x > /x\n',
  },
  'mount-cache-from': {
    dockerfile:
      'FROM busybox:1 AS one\nRUN mkdir /d && echo 1 > /d/x\nFROM busybox:1\nRUN --mount=type=cache,id=seeded,from=one,source=/d,target=/c cat /c/x > /x\n',
  },
  'mount-cache-read-only': run('type=cache,target=/c,ro', 'echo 1 > /c/x'),
  'mount-cache-sharing': run('type=cache,target=/c,id=other,sharing=private', 'echo 1 > /c/x'),
  'mount-cache-sharing-unknown': run('type=cache,target=/c,sharing=other', 'true'),
  'mount-tmpfs': run('type=tmpfs,target=/t', 'echo 1 > /t/x; grep -c " /t tmpfs " /proc/mounts > /x'),
  'mount-tmpfs-over-existing': run('type=tmpfs,target=/etc', 'ls /etc > /x; true'),
  'mount-secret': run(
    'type=secret,id=fromfile',
    'cat /run/secrets/fromfile > /x; stat -c "%a %u:%g" /run/secrets/fromfile >> /x',
    {
      build: { secrets: ['fromfile'] },
    },
  ),
  'mount-secret-environment': run(
    'type=secret,id=fromenv,target=/s,mode=0444,uid=5',
    'cat /s > /x; stat -c "%a %u:%g" /s >> /x',
    {
      build: { secrets: ['fromenv'] },
    },
  ),
  'mount-secret-missing': run('type=secret,id=none', 'ls /run/secrets 2> /dev/null > /x; true'),
  'mount-secret-required': run('type=secret,id=none,required=true', 'true'),
  'mount-ssh-missing': run('type=ssh', 'echo "$SSH_AUTH_SOCK" > /x', {
    differs: {
      why: 'docker names a socket in SSH_AUTH_SOCK that is not there; ours says nothing of what it has not',
      ours: { changed: { '/x': 'file 0644 0:0 1 01ba4719c80b6fe9' } },
    },
  }),
  'mount-ssh-required': run('type=ssh,required', 'true'),
  'mount-two': run('source=f,target=/1 --mount=type=tmpfs,target=/2', 'cat /1 > /2/x && cp /2/x /x'),
  'mount-unknown-type': run('type=other,target=/m', 'true'),
  'mount-unknown-key': run('type=bind,target=/m,other=1', 'true'),
  'mount-without-target': run('type=cache', 'true'),
  'mount-argument': { files, dockerfile: 'FROM busybox:1\nARG WHERE=/m\nRUN --mount=target=$WHERE cat /m/f > /x\n' },
};
