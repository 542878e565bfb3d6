/** COPY --link: a layer that knows nothing of what it lies on. Source: Dockerfile reference, "COPY --link". */
import type { Cases } from '../case.ts';

const files = { a: '1', b: '2', 'd/x': '2', 'd/e/y': '3' };

export const linkCases: Cases = {
  'link-file': { files, dockerfile: 'FROM busybox:1\nCOPY --link a /x/a\n' },
  'link-directory': { files, dockerfile: 'FROM busybox:1\nCOPY --link d /d\n' },
  'link-over-existing': {
    files,
    dockerfile: 'FROM busybox:1\nRUN mkdir -m 700 /d && echo 9 > /d/x\nCOPY --link d /d/\n',
    differs: {
      why: 'docker without the containerd store copies as if --link were not there; the reference: the layer knows nothing below it',
      ours: { changed: { '/d': 'directory 0755 0:0 @1577836800' } },
    },
  },
  'link-replaces-symlink': {
    files,
    dockerfile: 'FROM busybox:1\nRUN mkdir /real && ln -s /real /alias\nCOPY --link a /alias/a\n',
    differs: {
      why: 'docker without the containerd store copies as if --link were not there; the reference: the layer knows nothing below it',
      ours: {
        changed: {
          '/alias': 'directory 0755 0:0',
          '/alias/a': 'file 0644 0:0 1 6b86b273ff34fce1 @1577836800',
          '/real/a': null,
        },
      },
    },
  },
  'link-several': { files, dockerfile: 'FROM busybox:1\nCOPY --link a /1\nCOPY --link b /2\nRUN cat /1 /2 > /both\n' },
  'link-chown': { files, dockerfile: 'FROM busybox:1\nCOPY --link --chown=5:6 a /x/a\n' },
  'link-chown-name': {
    files,
    dockerfile: 'FROM busybox:1\nCOPY --link --chown=www-data a /x/a\n',
    differs: {
      why: 'docker without the containerd store copies as if --link were not there; the reference: the layer knows nothing below it, names neither',
      ours: 'fails',
    },
  },
  'link-chmod': { files, dockerfile: 'FROM scratch\nCOPY --link --chmod=600 d /x\n' },
  'link-from': {
    files,
    dockerfile: 'FROM busybox:1 AS one\nRUN echo 1 > /x\nFROM scratch\nCOPY --link --from=one /x /y/\n',
  },
  'link-relative': { files, dockerfile: 'FROM busybox:1\nWORKDIR /w\nCOPY --link a .\n' },
  'link-false': { files, dockerfile: 'FROM busybox:1\nCOPY --link=false a /x/a\n' },
};
