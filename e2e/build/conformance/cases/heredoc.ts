/** Here-documents. Source: Dockerfile reference, "Here-Documents". */
import type { Cases } from '../case.ts';

export const heredocCases: Cases = {
  'heredoc-copy': { dockerfile: 'FROM scratch\nCOPY <<EOF /x\none\ntwo\nEOF\n' },
  'heredoc-copy-into-folder': { dockerfile: 'FROM scratch\nCOPY <<name.txt /d/\none\nname.txt\n' },
  'heredoc-copy-several': { dockerfile: 'FROM scratch\nCOPY <<a <<b /d/\n1\na\n2\nb\n' },
  'heredoc-copy-beside-file': { files: { f: '1' }, dockerfile: 'FROM scratch\nCOPY f <<a /d/\n1\na\n' },
  'heredoc-copy-expands': { dockerfile: 'FROM scratch\nARG W=world\nCOPY <<EOF /x\nhello $W ${W:-none} \\$W\nEOF\n' },
  'heredoc-copy-quoted': { dockerfile: 'FROM scratch\nARG W=world\nCOPY <<"EOF" /x\nhello $W\nEOF\n' },
  'heredoc-copy-tabs': { dockerfile: 'FROM scratch\nCOPY <<-EOF /x\n\t\tone\n\t  two\n\tEOF\n' },
  'heredoc-copy-owner-mode': { dockerfile: 'FROM scratch\nCOPY --chown=3:4 --chmod=750 <<EOF /d/x\n1\nEOF\n' },
  'heredoc-copy-empty': { dockerfile: 'FROM scratch\nCOPY <<EOF /x\nEOF\n' },
  'heredoc-add': { dockerfile: 'FROM scratch\nADD <<EOF /x\n1\nEOF\n' },
  'heredoc-run': { dockerfile: 'FROM busybox:1\nRUN <<EOF\necho one > /x\necho two >> /x\nEOF\n' },
  'heredoc-run-variables': { dockerfile: 'FROM busybox:1\nENV E=env\nRUN <<EOF\nF=shell\necho "$E $F" > /x\nEOF\n' },
  'heredoc-run-interpreter': { dockerfile: 'FROM busybox:1\nRUN <<EOF\n#!/bin/cat /proc/self/cmdline\nEOF\n' },
  'heredoc-run-shebang': {
    dockerfile: 'FROM busybox:1\nRUN <<EOF\n#!/bin/sh\necho "$0" | sed "s,/[0-9a-z]*$,," > /x\nEOF\n',
  },
  'heredoc-run-stdin': { dockerfile: 'FROM busybox:1\nRUN cat <<EOF > /x\nthrough $HOME\nEOF\n' },
  'heredoc-run-two': { dockerfile: 'FROM busybox:1\nRUN cat <<A > /1 && cat <<B > /2\none\nA\ntwo\nB\n' },
  'heredoc-run-fails-late': { dockerfile: 'FROM busybox:1\nRUN <<EOF\nfalse\necho on > /x\nEOF\n' },
  'heredoc-unterminated': { dockerfile: 'FROM busybox:1\nRUN <<EOF\necho 1\n' },
  'heredoc-other-shell': {
    dockerfile: 'FROM busybox:1\nSHELL ["/bin/ash", "-e", "-c"]\nRUN <<EOF\necho one > /x\nEOF\n',
  },
};
