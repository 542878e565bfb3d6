/**
 * A Dockerfile's text as a syntax tree, with every problem that its text has. Pure, and linear in the text.
 * Source: Dockerfile reference; BuildKit's behaviour where that is silent.
 */
import type { ArgInstruction, Dockerfile, Instruction, InstructionText, Stage } from '../../schemas/dockerfile.ts';
import { type Result, StackError } from '../../schemas/errors.ts';
import { Problems } from '../load/problems.ts';
import { nearest } from '../load/suggest.ts';
import { readDirectives } from './directives.ts';
import { isHeredocInstruction, readInstructionOf } from './instructions/instruction.ts';
import { type LineReader, readInstruction, splitLines } from './lines.ts';
import { complaint } from './site.ts';

/** Largest Dockerfile taken, in characters. */
const largest = 4 << 20;
/** Most instructions taken: each RUN carries the variables of those before it. */
const most = 5000;

/** `file` is the name that positions carry. */
export function parseDockerfile(text: string, file: string): Result<Dockerfile> {
  const problems = new Problems();
  const lines = splitLines(text.length > largest ? '' : text);
  const { directives, escape: escaper, count: directiveLines, problems: wrong } = readDirectives(lines);
  for (const { message, line } of wrong) {
    problems.error('build.dockerfile', { message, where: { file, line: line + 1, column: 1 } });
  }
  const tree: Dockerfile = { file, directives, escape: escaper, args: [], stages: [] };
  const reader: LineReader = { file, lines, escape: escaper, at: directiveLines };
  const takesHeredocs = (line: string) => isHeredocInstruction(line, escaper);
  const unterminated = (name: string, source: InstructionText) => {
    const hint = `Put ${name} alone on the line behind the content, without spaces.`;
    problems.errors.push(complaint(source, `The heredoc ${name} has no end.`, { word: '<<', hint }));
  };
  let isFromBroken = false;
  let count = 0;
  for (;;) {
    const source = readInstruction(reader, takesHeredocs, unterminated);
    if (!source) break;
    if (++count > most) {
      const hint = 'Split it into several Dockerfiles that build on each other.';
      problems.errors.push(complaint(source, `The Dockerfile has more than ${most} instructions.`, { hint }));
      break;
    }
    const instruction = attempt(problems, () => readInstructionOf(source, escaper));
    if (!instruction) isFromBroken ||= nearest(/^\S*/.exec(source.text)![0], ['FROM']) !== undefined;
    else if (!place(tree, instruction) && !isFromBroken) {
      isFromBroken = true;
      const hint = 'Only ARG and comments may stand before the first FROM.';
      problems.errors.push(complaint(source, `${instruction.keyword} stands before the first FROM.`, { hint }));
    }
  }
  const where = { file, line: 1, column: 1 };
  if (text.length > largest) {
    problems.error('build.dockerfile', { message: `The Dockerfile is larger than ${largest} characters.`, where });
  } else if (text.trim() === '') {
    const hint = 'The first instruction is FROM, which names the image to begin with: FROM debian:13.';
    problems.error('build.dockerfile', { message: 'The Dockerfile is empty.', where, hint });
  } else if (tree.stages.length === 0 && problems.errors.length === 0) {
    const hint = 'Begin with FROM and the image to build on, or FROM scratch.';
    problems.error('build.dockerfile', { message: 'The Dockerfile has no FROM.', where, hint });
  }
  const { errors, warnings } = problems.sorted();
  return errors.length > 0 ? { ok: false, errors, warnings } : { ok: true, value: tree, warnings };
}

function attempt<T>(problems: Problems, action: () => T): T | undefined {
  try {
    return action();
  } catch (thrown) {
    if (!(thrown instanceof StackError)) throw thrown;
    problems.errors.push(thrown);
    return undefined;
  }
}

/** Whether the instruction may stand here. */
function place(tree: Dockerfile, instruction: Instruction): boolean {
  const stage = tree.stages.at(-1);
  if (instruction.kind === 'from') tree.stages.push({ from: instruction, instructions: [] } satisfies Stage);
  else if (stage) stage.instructions.push(instruction);
  else if (instruction.kind === 'arg') tree.args.push(instruction satisfies ArgInstruction);
  else return false;
  return true;
}
