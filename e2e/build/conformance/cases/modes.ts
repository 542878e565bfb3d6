/** --chmod. Source: Dockerfile reference, "COPY --chmod". */
import type { Cases } from '../case.ts';

const files = { a: '1', 'd/x': '2', 'd/e/y': { text: '3', mode: 0o700 }, 'd/l': { link: 'x' } };

export const modeCases: Cases = {
  'chmod-file': { files, dockerfile: 'FROM scratch\nCOPY --chmod=600 a /a\n' },
  'chmod-four-digits': { files, dockerfile: 'FROM scratch\nCOPY --chmod=04711 a /a\n' },
  'chmod-directory': { files, dockerfile: 'FROM scratch\nCOPY --chmod=750 d /d\n' },
  'chmod-directory-slash': { files, dockerfile: 'FROM scratch\nCOPY --chmod=750 d /n/d/\n' },
  'chmod-existing-directory': {
    files,
    dockerfile: 'FROM busybox:1\nRUN mkdir -p /d/e && chmod 711 /d /d/e\nCOPY --chmod=750 d /d\n',
  },
  'chmod-makes-parents': { files, dockerfile: 'FROM scratch\nCOPY --chmod=600 a /one/two/a\n' },
  'chmod-with-chown': { files, dockerfile: 'FROM scratch\nCOPY --chmod=4755 --chown=5:6 a /a\n' },
  'chmod-invalid': {
    files,
    dockerfile: 'FROM scratch\nCOPY --chmod=999 a /a\n',
    differs: { why: 'docker 26 passes over a mode that is none; ours refuses, as later versions', ours: 'fails' },
  },
  'chmod-argument': {
    files,
    dockerfile: 'FROM scratch\nARG M=640\nCOPY --chmod=$M a /a\n',
    differs: {
      why: 'docker 26 does not expand --chmod and passes over it; the reference lists it as expanded',
      ours: { changed: { '/a': 'file 0640 0:0 1 6b86b273ff34fce1 @1577836800' } },
    },
  },
  'chmod-symbolic': {
    files,
    dockerfile: 'FROM scratch\nCOPY --chmod=u=rwx,go=r a /a\n',
    differs: {
      why: 'symbolic modes came with Dockerfile 1.14, and docker 26 has octal ones alone',
      ours: {
        config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], WorkingDir: '/' },
        tree: { '/a': 'file 0744 0:0 1 6b86b273ff34fce1 @1577836800' },
      },
    },
  },
};
