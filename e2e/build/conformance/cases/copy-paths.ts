/** Patterns and links in the paths of COPY. Source: Dockerfile reference, "COPY"; Go's filepath.Match. */
import type { Cases } from '../case.ts';

const some = { 'a1.txt': '1', 'a2.txt': '2', 'b1.txt': '3', 'd1/x': '4', 'd2/y': '5', 'd1/sub/z': '6', '.hidden': '7' };

export const copyPathCases: Cases = {
  'wildcard-star': { files: some, dockerfile: 'FROM scratch\nCOPY *.txt /d/\n' },
  'wildcard-question': { files: some, dockerfile: 'FROM scratch\nCOPY a?.txt /d/\n' },
  'wildcard-class': { files: some, dockerfile: 'FROM scratch\nCOPY [ab]1.txt /d/\n' },
  'wildcard-negated-class': { files: some, dockerfile: 'FROM scratch\nCOPY [^a]1.txt /d/\n' },
  'wildcard-directories': { files: some, dockerfile: 'FROM scratch\nCOPY d* /d/\n' },
  'wildcard-middle': { files: some, dockerfile: 'FROM scratch\nCOPY d*/x /d/\n' },
  'wildcard-everything': { files: some, dockerfile: 'FROM scratch\nCOPY * /d/\n' },
  'wildcard-one-match-to-name': { files: some, dockerfile: 'FROM scratch\nCOPY b*.txt /name\n' },
  'wildcard-several-to-name': {
    files: some,
    dockerfile: 'FROM scratch\nCOPY a*.txt /name\n',
    differs: {
      why: 'docker lets the last file replace the others; the reference wants a directory, which ours makes',
      ours: {
        changed: {
          '/name': 'directory 0755 0:0',
          '/name/a1.txt': 'file 0644 0:0 1 6b86b273ff34fce1 @1577836800',
          '/name/a2.txt': 'file 0644 0:0 1 d4735e3a265e16ee @1577836800',
        },
      },
    },
  },
  'wildcard-without-match': { files: some, dockerfile: 'FROM scratch\nCOPY *.none /d/\n' },
  'wildcard-without-match-beside': { files: some, dockerfile: 'FROM scratch\nCOPY b1.txt *.none /d/\n' },
  'wildcard-escaped': { files: { 'x[1]': '1' }, dockerfile: 'FROM scratch\nCOPY x[[]1] /d/\n' },
  'wildcard-double-star': { files: some, dockerfile: 'FROM scratch\nCOPY **/x /d/\n' },
  'link-source-file': { files: { a: '1', l: { link: 'a' } }, dockerfile: 'FROM scratch\nCOPY l /copied\n' },
  'link-source-directory': { files: { 'd/a': '1', l: { link: 'd' } }, dockerfile: 'FROM scratch\nCOPY l /copied\n' },
  'link-source-wildcard': { files: { a: '1', l1: { link: 'a' } }, dockerfile: 'FROM scratch\nCOPY l* /copied/\n' },
  'link-source-in-way': { files: { 'd/a': '1', l: { link: 'd' } }, dockerfile: 'FROM scratch\nCOPY l/a /copied\n' },
  'link-source-dangling': { files: { l: { link: 'nowhere' } }, dockerfile: 'FROM scratch\nCOPY l /copied\n' },
  'link-source-absolute': { files: { a: '1', l: { link: '/a' } }, dockerfile: 'FROM scratch\nCOPY l /copied\n' },
  'link-source-outside': {
    files: { a: '1', l: { link: '../../../../etc/hostname' } },
    dockerfile: 'FROM scratch\nCOPY l /copied\n',
  },
  'link-source-several': {
    files: { a: '1', b: '2', l: { link: 'a' } },
    dockerfile: 'FROM scratch\nCOPY l b /copied/\n',
  },
  'link-destination-directory': {
    files: { a: '1' },
    dockerfile: 'FROM busybox:1\nRUN mkdir /real && ln -s /real /alias\nCOPY a /alias/\nCOPY a /alias/b\n',
  },
  'link-destination-contents': {
    files: { 'd/a': '1' },
    dockerfile: 'FROM busybox:1\nRUN mkdir /real && ln -s /real /alias\nCOPY d /alias\n',
  },
  'link-destination-file': {
    files: { a: '1' },
    dockerfile: 'FROM busybox:1\nRUN echo 2 > /real && ln -s /real /alias\nCOPY a /alias\n',
  },
  'link-destination-dangling': {
    files: { a: '1' },
    dockerfile: 'FROM busybox:1\nRUN ln -s /later /alias\nCOPY a /alias\n',
  },
  'link-destination-escaping': {
    files: { a: '1' },
    dockerfile: 'FROM busybox:1\nRUN ln -s ../../../../out /alias && mkdir /out\nCOPY a /alias/\n',
  },
  'link-inside-destination': {
    files: { 'd/sub/a': '1' },
    dockerfile: 'FROM busybox:1\nRUN mkdir /real /t && ln -s /real /t/sub\nCOPY d /t\n',
  },
};
