/** COPY of files and directories of the context. Source: Dockerfile reference, "COPY". */
import type { Cases } from '../case.ts';

const tree = {
  'src/a.txt': 'a\n',
  'src/b.sh': { text: '#!/bin/sh\n', mode: 0o755 },
  'src/sub/c.txt': 'c\n',
  'src/link': { link: 'a.txt' },
  'src/empty': { directory: 0o700 },
};

export const copyCases: Cases = {
  'copy-file': { files: { 'a.txt': 'text\n' }, dockerfile: 'FROM scratch\nCOPY a.txt /b.txt\n' },
  'copy-file-into-folder': { files: { 'a.txt': 'text\n' }, dockerfile: 'FROM scratch\nCOPY a.txt /into/\n' },
  'copy-file-into-existing-folder': { files: { 'a.txt': 'text\n' }, dockerfile: 'FROM busybox:1\nCOPY a.txt /etc\n' },
  'copy-file-over-file': { files: { passwd: 'changed\n' }, dockerfile: 'FROM busybox:1\nCOPY passwd /etc/passwd\n' },
  'copy-file-deep': { files: { 'a.txt': '1' }, dockerfile: 'FROM scratch\nCOPY a.txt /one/two/three.txt\n' },
  'copy-directory-contents': { files: tree, dockerfile: 'FROM scratch\nCOPY src /dst\n' },
  'copy-directory-slash': { files: tree, dockerfile: 'FROM scratch\nCOPY src/ /dst/\n' },
  'copy-context': { files: tree, dockerfile: 'FROM scratch\nCOPY . /all\n' },
  'copy-context-to-root': { files: tree, dockerfile: 'FROM scratch\nCOPY . /\n' },
  'copy-several': { files: { a: 'a', b: 'b', ...tree }, dockerfile: 'FROM scratch\nCOPY a b src /dst/\n' },
  'copy-several-without-slash': {
    files: { a: 'a', b: 'b' },
    dockerfile: 'FROM scratch\nCOPY a b /dst\n',
    differs: {
      why: 'docker lets the last file replace the others; the reference wants a directory, which ours makes',
      ours: {
        changed: {
          '/dst': 'directory 0755 0:0',
          '/dst/a': 'file 0644 0:0 1 ca978112ca1bbdca @1577836800',
          '/dst/b': 'file 0644 0:0 1 3e23e8160039594a @1577836800',
        },
      },
    },
  },
  'copy-json-form': { files: { 'a b': '1' }, dockerfile: 'FROM scratch\nCOPY ["a b", "/c d"]\n' },
  'copy-merges-directories': {
    files: { 'one/x': '1', 'one/d/y': '1', 'two/x': '2', 'two/d/z': '2' },
    dockerfile: 'FROM scratch\nCOPY one /dst\nCOPY two /dst\n',
  },
  'copy-directory-over-existing': {
    files: { 'etc/extra': '1', 'etc/group': 'g\n' },
    dockerfile: 'FROM busybox:1\nCOPY etc /etc\n',
  },
  'copy-missing': { files: { a: '1' }, dockerfile: 'FROM scratch\nCOPY nothing /\n' },
  'copy-outside': { files: { a: '1' }, dockerfile: 'FROM scratch\nCOPY ../../a /up\n' },
  'copy-absolute': { files: { 'd/a': '1' }, dockerfile: 'FROM scratch\nCOPY /d/a /x\n' },
  'copy-file-below-file': { files: { a: '1', b: '2' }, dockerfile: 'FROM scratch\nCOPY a /x\nCOPY b /x/y\n' },
  'copy-file-over-directory': { files: { tmp: '1' }, dockerfile: 'FROM busybox:1\nCOPY tmp /tmp/\n' },
  'copy-directory-over-file': { files: { 'd/f': '1', a: '1' }, dockerfile: 'FROM scratch\nCOPY a /x\nCOPY d /x\n' },
  'copy-directory-over-file-inside': {
    files: { 'one/x': '1', 'two/x/y': '2' },
    dockerfile: 'FROM scratch\nCOPY one /d\nCOPY two /d\n',
  },
  'copy-file-over-directory-inside': {
    files: { 'one/x': '1', 'two/x/y': '2' },
    dockerfile: 'FROM scratch\nCOPY two /d\nCOPY one /d\n',
  },
  'copy-special-modes': {
    files: { suid: { text: '1', mode: 0o4755 }, sgid: { text: '1', mode: 0o2755 }, none: { text: '1', mode: 0 } },
    dockerfile: 'FROM scratch\nCOPY . /\n',
  },
  'copy-sticky-directory': {
    files: { 'd/e/f': '1', 'd/e': { directory: 0o1777 } },
    dockerfile: 'FROM scratch\nCOPY d /d\n',
  },
  'copy-directory-modes': {
    files: { d: { directory: 0o750 }, 'd/e': { directory: 0o711 }, 'd/e/f': '1' },
    dockerfile: 'FROM scratch\nCOPY d /new\nCOPY d /new2/\nCOPY d /deep/er\n',
  },
  'copy-hard-links': {
    files: { 'd/a': 'same', 'd/b': { sameAs: 'd/a' }, 'd/sub/c': { sameAs: 'd/a' } },
    dockerfile: 'FROM scratch\nCOPY d /d\n',
  },
  'copy-unicode-names': { files: { 'grüße.txt': '1', '日本/x': '2' }, dockerfile: 'FROM scratch\nCOPY . /n/\n' },
  'copy-long-names': {
    files: { [`${'d'.repeat(120)}/${'f'.repeat(200)}`]: '1' },
    dockerfile: 'FROM scratch\nCOPY . /n/\n',
  },
  'copy-dot-destination': {
    files: { a: '1' },
    dockerfile: 'FROM busybox:1\nWORKDIR /app\nCOPY a .\nCOPY a ./b\nCOPY a ../c\n',
  },
  'copy-dockerfile-itself': { files: { a: '1' }, dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' },
};
