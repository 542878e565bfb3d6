/** USER and WORKDIR. Source: Dockerfile reference. */
import type { Cases } from '../case.ts';

export const userCases: Cases = {
  workdir: { dockerfile: 'FROM busybox:1\nWORKDIR /a/b\n' },
  'workdir-existing': { dockerfile: 'FROM busybox:1\nWORKDIR /etc\n' },
  'workdir-relative': { dockerfile: 'FROM busybox:1\nWORKDIR /a\nWORKDIR b\nWORKDIR ../c/./d\n' },
  'workdir-relative-first': { dockerfile: 'FROM busybox:1\nWORKDIR here\n' },
  'workdir-variable': { dockerfile: 'FROM busybox:1\nENV BASE=/base\nWORKDIR $BASE/in\n' },
  'workdir-slash': { dockerfile: 'FROM busybox:1\nWORKDIR /a/\n' },
  'workdir-scratch': { dockerfile: 'FROM scratch\nWORKDIR /a/b\n' },
  'workdir-after-user': { dockerfile: 'FROM busybox:1\nUSER www-data\nWORKDIR /a/b\n' },
  'workdir-through-link': { dockerfile: 'FROM busybox:1\nRUN mkdir /r && ln -s /r /l\nWORKDIR /l/x\n' },
  'workdir-on-file': { dockerfile: 'FROM busybox:1\nWORKDIR /etc/passwd\n' },
  'workdir-quoted': { dockerfile: 'FROM busybox:1\nWORKDIR "/with space"\n' },
  user: { dockerfile: 'FROM busybox:1\nUSER www-data:users\n' },
  'user-ids': { dockerfile: 'FROM busybox:1\nUSER 1000:1000\nRUN id > /tmp/id\n' },
  'user-id-alone': { dockerfile: 'FROM busybox:1\nUSER 4321\nRUN id > /tmp/id\n' },
  'user-supplementary': { dockerfile: 'FROM busybox:1\nUSER operator\nRUN id > /tmp/id\n' },
  'user-unknown': { dockerfile: 'FROM busybox:1\nUSER nobodyhere\n' },
  'user-unknown-runs': { dockerfile: 'FROM busybox:1\nUSER nobodyhere\nRUN true\n' },
  'user-variable': { dockerfile: 'FROM busybox:1\nARG WHO=nobody\nUSER ${WHO}\nRUN echo $HOME > /tmp/home\n' },
  'user-empty': { dockerfile: 'FROM busybox:1\nUSER\n' },
};
