/** --chown. Source: Dockerfile reference, "COPY --chown". */
import type { Cases } from '../case.ts';

const files = { a: '1', 'd/x': '2', 'd/e/y': '3', 'd/l': { link: 'x' } };

export const ownerCases: Cases = {
  'chown-ids': { files, dockerfile: 'FROM scratch\nCOPY --chown=10:20 a /\nCOPY --chown=10:20 d /d\n' },
  'chown-id-alone': { files, dockerfile: 'FROM busybox:1\nCOPY --chown=33 a /a\n' },
  'chown-unknown-id-alone': { files, dockerfile: 'FROM busybox:1\nCOPY --chown=4321 a /a\n' },
  'chown-names': { files, dockerfile: 'FROM busybox:1\nCOPY --chown=www-data:users a /a\n' },
  'chown-name-alone': { files, dockerfile: 'FROM busybox:1\nCOPY --chown=operator a /a\n' },
  'chown-group-alone': { files, dockerfile: 'FROM busybox:1\nCOPY --chown=:users a /a\n' },
  'chown-unknown-name': {
    files,
    dockerfile: 'FROM busybox:1\nCOPY --chown=nobodyhere a /a\n',
    differs: { why: 'docker 26 takes root for an unknown name without a word; ours refuses', ours: 'fails' },
  },
  'chown-unknown-group': {
    files,
    dockerfile: 'FROM busybox:1\nCOPY --chown=0:nogrouphere a /a\n',
    differs: { why: 'docker 26 takes root for an unknown name without a word; ours refuses', ours: 'fails' },
  },
  'chown-name-on-scratch': { files, dockerfile: 'FROM scratch\nCOPY --chown=www-data a /a\n' },
  'chown-makes-parents': { files, dockerfile: 'FROM scratch\nCOPY --chown=10:20 a /one/two/a\n' },
  'chown-contents-new': { files, dockerfile: 'FROM scratch\nCOPY --chown=10:20 d /one/two/\n' },
  'chown-contents-existing': {
    files,
    dockerfile: 'FROM busybox:1\nRUN mkdir /d && chmod 700 /d\nCOPY --chown=10:20 d /d/\n',
  },
  'chown-contents-existing-inner': {
    files,
    dockerfile: 'FROM busybox:1\nRUN mkdir -p /d/e && chmod 700 /d/e && echo 9 > /d/e/z\nCOPY --chown=10:20 d /d\n',
  },
  'chown-user-made-before': {
    files,
    dockerfile: 'FROM busybox:1\nRUN echo me:x:77:88::/:/bin/sh >> /etc/passwd\nCOPY --chown=me a /a\n',
  },
  'chown-from-stage': {
    dockerfile:
      'FROM busybox:1 AS one\nRUN mkdir /d && echo 1 > /d/x\nFROM scratch\nCOPY --from=one --chown=3:4 /d /d\n',
  },
  'chown-argument': { files, dockerfile: 'FROM busybox:1\nARG WHO=33:33\nCOPY --chown=$WHO a /a\n' },
  'chown-not-of-user': { files, dockerfile: 'FROM busybox:1\nUSER 33:33\nCOPY a /a\n' },
};
