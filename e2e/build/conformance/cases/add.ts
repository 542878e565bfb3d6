/** ADD: archives and addresses. Source: Dockerfile reference, "ADD". */
import type { ArchiveEntry, Cases } from '../case.ts';

const entries: ArchiveEntry[] = [
  { name: 'd/', type: 'directory', mode: 0o750, uid: 7, gid: 8 },
  { name: 'd/x', text: 'x\n', mode: 0o640, uid: 7, gid: 8 },
  { name: 'd/link', type: 'symlink', linkname: 'x' },
  { name: 'd/hard', type: 'link', linkname: 'd/x', mode: 0o640, uid: 7, gid: 8 },
  { name: 'suid', text: '1', mode: 0o4755 },
];
const served = 'http://127.0.0.1:8970';
const plainDigest = 'sha256:c30a92f9ef889c07c781a7cf99f5b71415d4d1289e84473d1b9e6f01feffc62d';

export const addCases: Cases = {
  'add-file': { files: { a: '1' }, dockerfile: 'FROM scratch\nADD a /d/\n' },
  'add-directory': { files: { 'd/a': '1' }, dockerfile: 'FROM scratch\nADD d /d\n' },
  'add-tar-plain': { files: { 'a.tar': { tar: entries } }, dockerfile: 'FROM scratch\nADD a.tar /out\n' },
  'add-tar-into-folder': { files: { 'a.tar': { tar: entries } }, dockerfile: 'FROM scratch\nADD a.tar /out/\n' },
  'add-tar-gzip': {
    files: { 'a.tgz': { tar: entries, compression: 'gzip' } },
    dockerfile: 'FROM scratch\nADD a.tgz /\n',
  },
  'add-tar-bzip2': {
    files: { 'a.tar.bz2': { tar: entries, compression: 'bzip2' } },
    dockerfile: 'FROM scratch\nADD a.tar.bz2 /\n',
  },
  'add-tar-xz': {
    files: { 'a.tar.xz': { tar: entries, compression: 'xz' } },
    dockerfile: 'FROM scratch\nADD a.tar.xz /\n',
    differs: {
      why: 'docker unpacks xz with the xz program of its machine, which had none; the reference has xz unpacked',
      ours: {
        config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], WorkingDir: '/' },
        tree: {
          '/d': 'directory 0750 7:8 @1577836800',
          '/d/hard': 'file 0640 7:8 2 73cb3858a687a849 = /d/hard @1577836800',
          '/d/link': 'symlink 0:0 -> x @1577836800',
          '/d/x': 'file 0640 7:8 2 73cb3858a687a849 = /d/hard @1577836800',
          '/suid': 'file 4755 0:0 1 6b86b273ff34fce1 @1577836800',
        },
      },
    },
  },
  'add-tar-by-content': {
    files: { 'plain.dat': { tar: entries, compression: 'gzip' } },
    dockerfile: 'FROM scratch\nADD plain.dat /\n',
  },
  'add-tar-with-owner': {
    files: { 'a.tar': { tar: entries } },
    dockerfile: 'FROM scratch\nADD --chown=3:4 a.tar /out/\n',
  },
  'add-tar-with-mode': {
    files: { 'a.tar': { tar: entries } },
    dockerfile: 'FROM scratch\nADD --chmod=700 a.tar /out/\n',
  },
  'add-tar-over-existing': {
    files: {
      'a.tar': {
        tar: [
          { name: 'etc/group', text: 'g\n' },
          { name: 'etc/new', text: 'n\n' },
        ],
      },
    },
    dockerfile: 'FROM busybox:1\nADD a.tar /\n',
  },
  'add-tar-directory-entry-existing': {
    files: { 'a.tar': { tar: [{ name: 'etc/', type: 'directory', mode: 0o700, uid: 9 }] } },
    dockerfile: 'FROM busybox:1\nADD a.tar /\n',
  },
  'add-tar-xattrs': {
    files: { 'a.tar': { tar: [{ name: 'x', text: '1', xattrs: { 'user.note': 'noted' } }] } },
    dockerfile: 'FROM scratch\nADD a.tar /\n',
    differs: {
      why: 'docker writes none but security.capability into layers; image-spec has all',
      ours: { changed: { '/x': 'file 0644 0:0 1 6b86b273ff34fce1 {user.note="noted"} @1577836800' } },
    },
  },
  'add-tar-implied-parents': {
    files: { 'a.tar': { tar: [{ name: 'one/two/x', text: '1' }] } },
    dockerfile: 'FROM scratch\nADD a.tar /\n',
  },
  'add-tar-escaping': {
    files: { 'a.tar': { tar: [{ name: '../../up', text: '1' }] } },
    dockerfile: 'FROM scratch\nADD a.tar /in/side/\n',
    differs: {
      why: 'docker takes the .. away; a name that leads outside is an attack, and ours refuses the archive',
      ours: 'fails',
    },
  },
  'add-tar-through-link': {
    files: {
      'a.tar': {
        tar: [
          { name: 'l', type: 'symlink', linkname: '/etc' },
          { name: 'l/x', text: '1' },
        ],
      },
    },
    dockerfile: 'FROM busybox:1\nADD a.tar /d/\n',
    differs: {
      why: 'the link leads to what is not there below /d, where both keep it: docker gives up, ours makes the directory',
      ours: {
        config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'] },
        tree: {
          '/d': 'directory 0755 0:0',
          '/d/etc': 'directory 0755 0:0',
          '/d/etc/x': 'file 0644 0:0 1 6b86b273ff34fce1 @1577836800',
          '/d/l': 'symlink 0:0 -> /etc @1577836800',
        },
      },
    },
  },
  'add-tar-whiteout-names': {
    files: {
      'a.tar': {
        tar: [
          { name: 'etc/.wh.passwd', text: '' },
          { name: 'etc/x', text: '1' },
        ],
      },
    },
    dockerfile: 'FROM busybox:1\nADD a.tar /\n',
    differs: { why: 'in docker the entry removes a file of the base; ours refuses', ours: 'fails' },
  },
  'add-tar-fifo': {
    files: { 'a.tar': { tar: [{ name: 'pipe', type: 'fifo' }] } },
    dockerfile: 'FROM scratch\nADD a.tar /\n',
  },
  'add-broken-tar': { files: { 'a.tar': 'no archive' }, dockerfile: 'FROM scratch\nADD a.tar /d/\n' },
  'add-gzip-without-tar': { files: { 'a.gz': 'no gzip either' }, dockerfile: 'FROM scratch\nADD a.gz /d/\n' },
  'copy-tar': { files: { 'a.tar': { tar: [{ name: 'x', text: '1' }] } }, dockerfile: 'FROM scratch\nCOPY a.tar /d/\n' },
  'add-wildcard-tars': {
    files: { '1.tar': { tar: [{ name: 'x', text: '1' }] }, '2.tar': { tar: [{ name: 'y', text: '2' }] }, '3.txt': '3' },
    dockerfile: 'FROM scratch\nADD *.t* /d/\n',
  },
  'add-http': { dockerfile: `FROM scratch\nADD ${served}/plain.txt /x\n` },
  'add-http-into-folder': { dockerfile: `FROM scratch\nADD ${served}/plain.txt /d/\n` },
  'add-http-undated': { dockerfile: `FROM scratch\nADD ${served}/undated.txt /d/\n` },
  'add-http-query': { dockerfile: `FROM scratch\nADD ${served}/plain.txt?a=b /d/\n` },
  'add-http-moved': { dockerfile: `FROM scratch\nADD ${served}/moved /d/\n` },
  'add-http-header-name': { dockerfile: `FROM scratch\nADD ${served}/named /d/\n` },
  'add-http-without-name': { dockerfile: `FROM scratch\nADD ${served}/folder/ /d/\n` },
  'add-http-chmod': { dockerfile: `FROM scratch\nADD --chmod=755 --chown=3:4 ${served}/plain.txt /d/\n` },
  'add-http-missing': { dockerfile: `FROM scratch\nADD ${served}/none /d/\n` },
  'add-http-checksum': { dockerfile: `FROM scratch\nADD --checksum=${plainDigest} ${served}/plain.txt /\n` },
  'add-http-wrong-checksum': {
    dockerfile: `FROM scratch\nADD --checksum=sha256:${'0'.repeat(64)} ${served}/plain.txt /\n`,
  },
  'add-checksum-of-file': { files: { a: '1' }, dockerfile: `FROM scratch\nADD --checksum=${plainDigest} a /\n` },
};
