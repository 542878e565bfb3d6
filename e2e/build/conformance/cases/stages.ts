/** FROM and stages. Source: Dockerfile reference, "FROM"; Docker's documentation, "Multi-stage builds". */
import type { Cases } from '../case.ts';

const three =
  'FROM busybox:1 AS one\nENV A=1\nRUN echo 1 > /1\nFROM one AS two\nRUN echo 2 > /2\nFROM one AS three\nRUN echo 3 > /3\n';

export const stageCases: Cases = {
  'stage-inherits': {
    dockerfile: 'FROM busybox:1 AS one\nWORKDIR /w\nUSER 5\nCMD ["c"]\nLABEL l=1\nFROM one\nENV B=2\n',
  },
  'stage-last': { dockerfile: three },
  'stage-target': { dockerfile: three, build: { target: 'two' } },
  'stage-target-case': { dockerfile: three, build: { target: 'TWO' } },
  'stage-target-number': {
    dockerfile: three,
    build: { target: '1' },
    differs: {
      why: 'docker 26 knows stages by name alone, --from by number too; ours takes both for both',
      ours: {
        config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'A=1'], Cmd: ['sh'] },
        tree: { '/1': 'file 0644 0:0 2 4355a46b19d348dc', '/2': 'file 0644 0:0 2 53c234e5e8472b6a' },
      },
    },
  },
  'stage-target-unknown': { dockerfile: three, build: { target: 'four' } },
  'stage-unused-fails': { dockerfile: 'FROM busybox:1 AS bad\nRUN false\nFROM busybox:1\nCMD ["x"]\n' },
  'stage-named-as-image': { dockerfile: 'FROM busybox:1 AS busybox\nRUN echo 1 > /x\nFROM busybox\n' },
  'stage-bad-name': { dockerfile: 'FROM busybox:1 AS 1bad\n' },
  'stage-same-name': { dockerfile: 'FROM busybox:1 AS a\nENV A=1\nFROM busybox:1 AS a\nENV A=2\nFROM a\n' },
  'stage-scratch-of-scratch': {
    files: { a: '1' },
    dockerfile: 'FROM scratch AS one\nCOPY a /a\nFROM one\nCOPY a /b\n',
  },
  'stage-platform': { dockerfile: 'FROM --platform=linux/amd64 busybox:1\nCMD ["x"]\n' },
  'stage-build-platform': { dockerfile: 'FROM --platform=$BUILDPLATFORM busybox:1\nCMD ["x"]\n' },
  'stage-platform-invalid': { dockerfile: 'FROM --platform=not/a/real/platform busybox:1\n' },
  'stage-unknown-flag': { dockerfile: 'FROM --other=1 busybox:1\n' },
  'stage-missing-image': { dockerfile: 'FROM 127.0.0.1:1/nothing:here\n' },
  'stage-copies-back-and-forth': {
    dockerfile:
      'FROM busybox:1 AS a\nRUN echo a > /a\nFROM busybox:1 AS b\nCOPY --from=a /a /a\nRUN cat /a > /b && echo b >> /b\nFROM scratch\nCOPY --from=b /b /\nCOPY --from=a /a /\n',
  },
  'stage-inline': { dockerfile: '', build: { dockerfile_inline: 'FROM busybox:1\nRUN echo inline > /x\n' } },
  'stage-other-file': {
    files: { 'build/My.Dockerfile': 'FROM scratch\nCOPY build /b\n' },
    dockerfile: '',
    build: { dockerfile: 'build/My.Dockerfile' },
  },
  'stage-context-replaces-image': {
    files: { 'root/x': '1' },
    dockerfile: 'FROM alias\nCMD ["x"]\n',
    build: { additional_contexts: { alias: 'docker-image://busybox:1' } },
  },
};
