/** Where something of an instruction is written, and errors that point there. */
import type { InstructionText } from '../../schemas/dockerfile.ts';
import { type ErrorCode, type Position, StackError } from '../../schemas/errors.ts';

/** The place of `word` in an instruction, or of its first line where that is not found. */
export function placeOf(source: InstructionText, word?: string): Position {
  const keyword = /^\S*/.exec(source.text)![0];
  const found = word ? source.text.indexOf(word, keyword.length) : 0;
  const offset = Math.max(0, found);
  const segment = source.segments.findLast((candidate) => candidate.offset <= offset) ?? source.segments[0];
  const length = found === -1 || !word ? keyword.length : word.length;
  if (!segment) return { file: source.file, line: source.start, column: 1 };
  return {
    file: source.file,
    line: segment.line,
    column: segment.column + offset - segment.offset,
    ...(length > 0 ? { length } : {}),
  };
}

export interface Complaint {
  hint?: string | undefined;
  /** What to underline, as written; the keyword without. */
  word?: string | undefined;
  code?: ErrorCode;
  cause?: unknown;
}

export function complaint(source: InstructionText, message: string, { hint, word, code, cause }: Complaint = {}) {
  return new StackError(code ?? 'build.dockerfile', { message, hint, where: placeOf(source, word), cause });
}

/** @throws StackError always */
export function refuse(source: InstructionText, message: string, options: Complaint = {}): never {
  throw complaint(source, message, options);
}
