/** ENV, ARG and expansion. Source: Dockerfile reference, "ENV", "ARG", "Environment replacement". */
import type { Cases } from '../case.ts';

const env = (...lines: string[]) => ({ dockerfile: `FROM busybox:1\n${lines.join('\n')}\n` });
const given = (args: object, ...lines: string[]) => ({ ...env(...lines), build: { args } });

export const argumentCases: Cases = {
  'env-forms': env('ENV A=1 B="two words" C=three\\ words', 'ENV D old form  with spaces '),
  'env-override': env('ENV A=1', 'ENV A=2 PATH=/x:$PATH'),
  'env-same-line': env('ENV A=1', 'ENV A=2 B=$A'),
  'env-expansion': env(
    'ENV A=a E=',
    'ENV B=${A} C=${A:-x} D=${N:-x} F=${A:+x} G=${N:+x} H=${E:-e} I=${E-e} J=${E+e} K=x${A}y L=$A-$N',
  ),
  'env-patterns': env('ENV A=foobarfoo', 'ENV B=${A#foo} C=${A##*o} D=${A%foo} E=${A%%b*} F=${A/foo/x} G=${A//foo/x}'),
  'env-required-missing': env('ENV B=${N:?must be set}'),
  'env-escapes': env('ENV A="\\"quoted\\"" B=\'single $HOME\' C=\\$HOME D="a\\\\b" E=a\\\\b'),
  'env-empty': env('ENV A= B=""'),
  'env-without-value': env('ENV A'),
  'env-equals': env('ENV A=b=c'),
  'env-continued': env('ENV A=1 \\', '  # in between', '  B=2'),
  'env-unclosed': env('ENV A="open'),
  'env-bad-name': env('ENV =x'),
  'arg-default': env('ARG A=1', 'RUN echo $A > /x', 'ENV B=$A'),
  'arg-given': given({ A: '2' }, 'ARG A=1', 'RUN echo $A > /x'),
  'arg-given-empty': given({ A: '' }, 'ARG A=1', 'RUN echo "[$A]" > /x'),
  'arg-without-default': env('ARG A', 'RUN echo "[${A-unset}]" > /x'),
  'arg-not-declared': given({ A: '2' }, 'RUN echo "[$A]" > /x'),
  'arg-several': env('ARG A=1 B=2 C', 'RUN echo "$A $B ${C-unset}" > /x'),
  'arg-after-env': given({ A: 'arg' }, 'ENV A=env', 'ARG A', 'RUN echo $A > /x'),
  'env-after-arg': given({ A: 'arg' }, 'ARG A', 'ENV A=env', 'RUN echo $A > /x'),
  'arg-env-from-arg': given({ A: 'given' }, 'ARG A', 'ENV A=${A:-default}'),
  'arg-global': { dockerfile: 'ARG A=1\nFROM busybox:1\nRUN echo "[$A]" > /x\nARG A\nRUN echo "[$A]" > /y\n' },
  'arg-global-given': {
    dockerfile: 'ARG A=1\nFROM busybox:1\nARG A\nRUN echo "[$A]" > /y\n',
    build: { args: { A: '2' } },
  },
  'arg-global-overridden': { dockerfile: 'ARG A=1\nFROM busybox:1\nARG A=3\nRUN echo "[$A]" > /y\n' },
  'arg-in-from': { dockerfile: 'ARG B=busybox\nARG T=1\nFROM ${B}:${T}\nCMD ["x"]\n' },
  'arg-in-from-undefined': { dockerfile: 'FROM busybox:${T}\n' },
  'arg-of-other-stage': { dockerfile: 'FROM busybox:1 AS one\nARG A=1\nFROM busybox:1\nRUN echo "[$A]" > /x\n' },
  'arg-inherited-from-stage': {
    dockerfile: 'FROM busybox:1 AS one\nARG A=1\nENV E=2\nFROM one\nRUN echo "[$A$E]" > /x\n',
  },
  'arg-platform': {
    dockerfile:
      'FROM busybox:1\nARG TARGETPLATFORM TARGETOS TARGETARCH\nARG BUILDPLATFORM\nARG TARGETSTAGE\nRUN env | grep -E "TARGET|BUILD" | sort > /x\n',
    differs: {
      why: 'docker 26 has no TARGETSTAGE; the reference lists it among the predefined arguments',
      ours: { changed: { '/x': 'file 0644 0:0 105 0b7544748c719a79' } },
    },
  },
  'arg-proxy': given({ HTTP_PROXY: 'http://proxy.example' }, 'RUN echo $HTTP_PROXY > /x'),
  'arg-in-copy': { files: { a: '1' }, dockerfile: 'FROM scratch\nARG A=a\nCOPY $A /${A}b\n' },
  'arg-used-before': env('RUN echo "[$A]" > /x', 'ARG A=1'),
};
