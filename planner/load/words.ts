/**
 * Splits a command string into words as a POSIX shell quotes them, with no expansion. Source: POSIX.1-2017 XCU 2.2. There is
 * no shell, so that nothing after `;`, `&`, `|`, `<` or `>` outside quotes is part of the command: docker compose drops it.
 */

export interface Command {
  words: string[];
  /** Offset of the operator that ends the command, or undefined. */
  endsAt?: number;
}

/** The words of `text`, or undefined where a quote is not closed. */
export function splitWords(text: string): string[] | undefined {
  return splitCommand(text)?.words;
}

export function splitCommand(text: string): Command | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < text.length) {
    const char = text[at]!;
    if (char === '\\') {
      at++;
      if (at === text.length) return undefined;
      if (text[at] !== '\n') word = (word ?? '') + text[at];
    } else if (char === "'") {
      const close = text.indexOf("'", at + 1);
      if (close === -1) return undefined;
      word = (word ?? '') + text.slice(at + 1, close);
      at = close;
    } else if (char === '"') {
      word ??= '';
      for (at++; ; at++) {
        if (at >= text.length) return undefined;
        if (text[at] === '"') break;
        if (text[at] === '\\' && at + 1 < text.length && '$`"\\\n'.includes(text[at + 1]!)) {
          at++;
          if (text[at] !== '\n') word += text[at];
        } else word += text[at];
      }
    } else if (char === ' ' || char === '\t' || char === '\n' || char === '\r') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (';&|<>'.includes(char)) {
      // The digits before `>` name a descriptor.
      if (word !== undefined && !(char === '>' && /^[0-9]/.test(word))) words.push(word);
      return { words, endsAt: at };
    } else word = (word ?? '') + char;
    at++;
  }
  if (word !== undefined) words.push(word);
  return { words };
}
