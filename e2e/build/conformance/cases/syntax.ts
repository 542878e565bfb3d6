/** Lines, comments, escapes and directives. Source: Dockerfile reference, "Format", "Parser directives". */
import type { Cases } from '../case.ts';

export const syntaxCases: Cases = {
  'syntax-lower-case': { dockerfile: 'from busybox:1 as x\nrun echo 1 > /x\ncmd ["x"]\n' },
  'syntax-comments': {
    dockerfile: '# one\n\nFROM busybox:1\n  # indented\nRUN echo "# no comment" > /x # but this is the shell\'s\n',
  },
  'syntax-crlf': { dockerfile: 'FROM busybox:1\r\nENV A=1\r\nRUN echo 1 \\\r\n  2 > /x\r\n' },
  'syntax-bom': { dockerfile: '\ufeffFROM busybox:1\nENV A=1\n' },
  'syntax-escape-directive': {
    dockerfile: '# escape=`\nFROM busybox:1\nENV A=a\\b B=`$HOME\nRUN echo 1 `\n  2 > /x\n',
  },
  'syntax-escape-too-late': { dockerfile: '# a comment\n# escape=`\nFROM busybox:1\nRUN echo 1 \\\n  2 > /x\n' },
  'syntax-escape-invalid': { dockerfile: '# escape=x\nFROM busybox:1\n' },
  'syntax-escape-twice': { dockerfile: '# escape=`\n# escape=\\\nFROM busybox:1\n' },
  'syntax-no-last-newline': { dockerfile: 'FROM busybox:1\nENV A=1' },
  'syntax-indented': { dockerfile: '   FROM busybox:1\n\tENV A=1\n' },
  'syntax-trailing-escape-space': { dockerfile: 'FROM busybox:1\nENV A=1 \\   \n  B=2\n' },
  'syntax-continued-at-end': { dockerfile: 'FROM busybox:1\nENV A=1 \\\n' },
  'syntax-unknown-instruction': { dockerfile: 'FROM busybox:1\nOTHER x\n' },
  'syntax-without-from': { dockerfile: 'RUN true\n' },
  'syntax-empty': { dockerfile: '# nothing\n' },
  'syntax-unknown-flag': { dockerfile: 'FROM busybox:1\nRUN --other=1 true\n' },
  'syntax-env-before-from': { dockerfile: 'ENV A=1\nFROM busybox:1\n' },
  'syntax-missing-dockerfile': { files: { a: '1' }, dockerfile: '' },
};
