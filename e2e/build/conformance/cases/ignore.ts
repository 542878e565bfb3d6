/** .dockerignore. Source: Docker's documentation, "Build context", ".dockerignore files". */
import type { Cases } from '../case.ts';

const files = {
  'a.txt': '1',
  'b.md': '2',
  'README.md': '3',
  'd/a.txt': '4',
  'd/b.md': '5',
  'd/e/a.txt': '6',
  'd/e/b.md': '7',
  'node_modules/x/y': '8',
  '#hash': '9',
};

const ignoring = (ignore: string, copy = 'COPY . /') => ({
  files: { ...files, '.dockerignore': ignore },
  dockerfile: `FROM scratch\n${copy}\n`,
});

export const ignoreCases: Cases = {
  'ignore-file': ignoring('a.txt\n'),
  'ignore-directory': ignoring('node_modules\n'),
  'ignore-directory-slash': ignoring('node_modules/\n/d/e\n'),
  'ignore-wildcard': ignoring('*.md\n'),
  'ignore-one-level': ignoring('*/*.md\n'),
  'ignore-double-star': ignoring('**/*.md\n'),
  'ignore-double-star-inner': ignoring('d/**/a.txt\n'),
  'ignore-exception': ignoring('*.md\n!README.md\n'),
  'ignore-exception-order': ignoring('!README.md\n*.md\n'),
  'ignore-exception-inside': ignoring('d\n!d/e/a.txt\n'),
  'ignore-exception-double-star': ignoring('*\n!**/*.txt\n'),
  'ignore-everything-but': ignoring('**\n!a.txt\n'),
  'ignore-comment': ignoring('# a comment\n#hash\n\n  a.txt  \n'),
  'ignore-dot': ignoring('.\n'),
  'ignore-dot-slash': ignoring('./a.txt\nd/../b.md\n'),
  'ignore-up': ignoring('../a.txt\n'),
  'ignore-question': ignoring('?.md\n'),
  'ignore-class': ignoring('[a-b].*\n'),
  'ignore-itself': ignoring('.dockerignore\nDockerfile\n'),
  'ignore-copied-directly': ignoring('a.txt\n', 'COPY a.txt /'),
  'ignore-in-copied-directory': ignoring('d/e\n', 'COPY d /d'),
  'ignore-with-wildcard-copy': ignoring('b.md\n', 'COPY *.md /d/'),
  'ignore-crlf': ignoring('a.txt\r\nb.md\r\n'),
  'ignore-bom': ignoring('\ufeffa.txt\n'),
  'ignore-bad-pattern': ignoring('[\n'),
  'ignore-beside-dockerfile': {
    files: {
      ...files,
      'x/Other': 'FROM scratch\nCOPY . /\n',
      'x/Other.dockerignore': 'a.txt\n',
      '.dockerignore': 'b.md\n',
    },
    dockerfile: '',
    build: { dockerfile: 'x/Other' },
  },
};
