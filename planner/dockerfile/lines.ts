/**
 * Lines of a file put together to instructions: continuation lines, comments and blank lines between them, heredocs.
 * Source: Dockerfile reference, "Format", "Here-documents". Cost is linear in the file.
 */
import type { InstructionText } from '../../schemas/dockerfile.ts';
import { chompTabs, findHeredocs } from './heredoc.ts';

export interface LineReader {
  file: string;
  lines: string[];
  escape: '\\' | '`';
  /** Index of the next line. */
  at: number;
}

/** Lines without their line feed; a carriage return stays, as heredocs keep it. A byte order mark goes. */
export function splitLines(text: string): string[] {
  const lines = (text.startsWith('\uFEFF') ? text.slice(1) : text).split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** The index at which `line` continues on the next one, or -1: an escape character at its end, not escaped itself. */
function continuation(line: string, escaper: string): number {
  let end = line.length;
  while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t')) end--;
  if (line[end - 1] !== escaper) return -1;
  return line[end - 2] === escaper ? -1 : end - 1;
}

const isComment = (line: string) => line.trimStart().startsWith('#');

/**
 * The next instruction, or undefined at the end of the file. Heredocs are read for keywords `takesHeredocs` agrees with.
 * `onUnterminated` is told of a heredoc without end; the rest of the file is its content.
 */
export function readInstruction(
  reader: LineReader,
  takesHeredocs: (text: string) => boolean,
  onUnterminated: (name: string, source: InstructionText) => void,
): InstructionText | undefined {
  const { lines, escape: escaper } = reader;
  let comments: string[] = [];
  while (reader.at < lines.length) {
    const index = reader.at++;
    const raw = lines[index]!.replace(/\r+$/, '');
    if (isComment(raw)) {
      const comment = raw.trim().slice(1).trim();
      if (comment === '') comments = [];
      else comments.push(comment);
      continue;
    }
    const first = raw.trimStart();
    if (first === '') continue;
    const source: InstructionText = {
      file: reader.file,
      text: '',
      segments: [],
      start: index + 1,
      end: index + 1,
      comments,
      heredocs: [],
    };
    const parts: string[] = [];
    let length = 0;
    const add = (line: string, number: number, column: number): boolean => {
      const end = continuation(line, escaper);
      const part = end === -1 ? line : line.slice(0, end);
      source.segments.push({ offset: length, line: number, column });
      parts.push(part);
      length += part.length;
      return end !== -1;
    };
    let continues = add(first, index + 1, raw.length - first.length + 1);
    while (continues && reader.at < lines.length) {
      const line = lines[reader.at++]!.replace(/\r+$/, '');
      if (isComment(line)) continue;
      if (line.trim() === '') source.emptyLine ??= reader.at;
      else continues = add(line, reader.at, 1);
    }
    source.text = parts.join('');
    source.end = reader.at;
    if (source.text.includes('<<') && takesHeredocs(source.text)) readHeredocs(reader, source, onUnterminated);
    return source;
  }
  return undefined;
}

function readHeredocs(
  reader: LineReader,
  source: InstructionText,
  onUnterminated: (name: string, source: InstructionText) => void,
): void {
  for (const heredoc of findHeredocs(source.text)) {
    const content: string[] = [];
    let isClosed = false;
    while (reader.at < reader.lines.length && !isClosed) {
      const line = reader.lines[reader.at++]!;
      const bare = line.replace(/\r+$/, '');
      if ((heredoc.chomp ? chompTabs(bare) : bare) === heredoc.name) isClosed = true;
      else content.push(`${line}\n`);
    }
    source.heredocs.push({ ...heredoc, content: content.join('') });
    source.end = reader.at;
    if (!isClosed) onUnterminated(heredoc.name, source);
  }
}
