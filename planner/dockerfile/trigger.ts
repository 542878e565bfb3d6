/** The text of one ONBUILD trigger, which the configuration of an image keeps. */
import type { StageInstruction } from '../../schemas/dockerfile.ts';
import { StackError } from '../../schemas/errors.ts';
import { isHeredocInstruction, readInstructionOf } from './instructions/instruction.ts';
import { type LineReader, readInstruction, splitLines } from './lines.ts';

/** The instruction, or what is wrong with it. */
export function parseTrigger(text: string): StageInstruction | string {
  const reader: LineReader = { file: 'ONBUILD', lines: splitLines(text), escape: '\\', at: 0 };
  let unterminated: string | undefined;
  const takesHeredocs = (line: string) => isHeredocInstruction(line, '\\');
  const next = () =>
    readInstruction(reader, takesHeredocs, (name) => {
      unterminated = name;
    });
  const source = next();
  if (!source) return 'it is empty.';
  if (unterminated !== undefined) return `the heredoc ${unterminated} has no end.`;
  if (next()) return 'it is more than one instruction.';
  try {
    const instruction = readInstructionOf(source, '\\');
    if (instruction.kind === 'from' || instruction.kind === 'onbuild' || instruction.kind === 'maintainer') {
      return `${instruction.keyword} is no trigger.`;
    }
    return instruction;
  } catch (thrown) {
    if (!(thrown instanceof StackError)) throw thrown;
    return thrown.message;
  }
}
