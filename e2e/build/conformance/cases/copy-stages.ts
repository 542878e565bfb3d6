/** COPY --from, --parents and --exclude. Source: Dockerfile reference. */
import type { Cases } from '../case.ts';

const tree = { 'a/b/c.txt': '1', 'a/b/d.md': '2', 'a/e.txt': '3', 'f.txt': '4' };
const noFlag = (flag: string) => `docker 26's own frontend has no ${flag} yet; the Dockerfile reference does (1.20)`;
const file = (text: string) => {
  const digests: Record<string, string> = { 1: '6b86b273ff34fce1', 2: 'd4735e3a265e16ee', 3: '4e07408562bedb8b' };
  return `file 0644 0:0 1 ${digests[text]} @1577836800`;
};
const plainPath = { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], WorkingDir: '/' };
const made = 'directory 0755 0:0';

export const copyStageCases: Cases = {
  'from-stage': {
    dockerfile:
      'FROM busybox:1 AS one\nRUN echo 1 > /x && chown 5:6 /x && chmod 600 /x\nFROM scratch\nCOPY --from=one /x /\n',
  },
  'from-stage-number': {
    dockerfile: 'FROM busybox:1\nRUN echo 1 > /x\nFROM scratch\nCOPY --from=0 /x /y\n',
  },
  'from-stage-case': { dockerfile: 'FROM busybox:1 AS One\nRUN echo 1 > /x\nFROM scratch\nCOPY --from=ONE /x /y\n' },
  'from-image': { dockerfile: 'FROM scratch\nCOPY --from=busybox:1 /var /var\n' },
  'from-later-stage': { dockerfile: 'FROM scratch\nCOPY --from=two /x /\nFROM busybox:1 AS two\n' },
  'from-context': {
    files: { 'extra/x': '1' },
    build: { additional_contexts: { more: './from-context/extra' } },
    dockerfile: 'FROM scratch\nCOPY --from=more x /\n',
  },
  'from-stage-keeps-owners': {
    dockerfile:
      'FROM busybox:1 AS one\nRUN mkdir /d && echo 1 > /d/x && chown -R 5:6 /d && chmod 2750 /d\nFROM scratch\nCOPY --from=one /d /d\nCOPY --from=one /d /e/\n',
  },
  'from-stage-special-files': {
    dockerfile:
      'FROM busybox:1 AS one\nRUN mkdir /d && mkfifo /d/pipe && ln -s pipe /d/link && ln -s /x /d/dangling && echo 1 > /d/a && ln /d/a /d/b\nFROM scratch\nCOPY --from=one /d /d\n',
  },
  'from-stage-wildcard': {
    dockerfile:
      'FROM busybox:1 AS one\nRUN mkdir /d && touch -d "2020-01-01 00:00:00" /d/a1 /d/a2 /d/b1\nFROM scratch\nCOPY --from=one /d/a* /d/\n',
  },
  'from-stage-link': {
    dockerfile:
      'FROM busybox:1 AS one\nRUN mkdir /d && echo 1 > /d/a && ln -s /d /l && ln -s d/a /m\nFROM scratch\nCOPY --from=one /l /l\nCOPY --from=one /m /m\n',
  },
  'from-stage-missing': { dockerfile: 'FROM busybox:1 AS one\nFROM scratch\nCOPY --from=one /nothing /\n' },
  'from-stage-relative': {
    dockerfile: 'FROM busybox:1 AS one\nWORKDIR /w\nRUN echo 1 > x\nFROM scratch\nCOPY --from=one w/x /\n',
  },
  'from-empty': { dockerfile: 'FROM busybox:1 AS one\nFROM scratch\nCOPY --from= /x /\n' },
  parents: {
    files: tree,
    dockerfile: 'FROM scratch\nCOPY --parents a/b/c.txt a/e.txt /d/\n',
    differs: {
      why: noFlag('--parents'),
      ours: {
        config: plainPath,
        tree: {
          '/d': made,
          '/d/a': `${made} @1577836800`,
          '/d/a/b': `${made} @1577836800`,
          '/d/a/b/c.txt': file('1'),
          '/d/a/e.txt': file('3'),
        },
      },
    },
  },
  'parents-pivot': {
    files: tree,
    dockerfile: 'FROM scratch\nCOPY --parents a/./b/*.md /d/\n',
    differs: {
      why: noFlag('--parents'),
      ours: { config: plainPath, tree: { '/d': made, '/d/b': `${made} @1577836800`, '/d/b/d.md': file('2') } },
    },
  },
  exclude: {
    files: tree,
    dockerfile: 'FROM scratch\nCOPY --exclude=*.md --exclude=b/c.txt a /d/\n',
    differs: {
      why: noFlag('--exclude'),
      ours: {
        config: plainPath,
        tree: {
          '/d': `${made} @1577836800`,
          '/d/b': `${made} @1577836800`,
          '/d/b/d.md': file('2'),
          '/d/e.txt': file('3'),
        },
      },
    },
  },
};
