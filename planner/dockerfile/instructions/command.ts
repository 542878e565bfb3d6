/** Commands in exec and shell form: CMD, ENTRYPOINT, SHELL. Source: Dockerfile reference, "Shell and exec form". */
import type {
  CmdInstruction,
  CommandLine,
  EntrypointInstruction,
  InstructionText,
  ShellInstruction,
} from '../../../schemas/dockerfile.ts';
import { readFlags } from '../flags.ts';
import { refuse } from '../site.ts';
import { jsonWords } from '../words.ts';
import type { Reading } from './reading.ts';

/** A JSON array of strings is exec form; what only looks like one goes to the shell, as docker has it. */
export function readCommandLine(source: InstructionText, name: string, text: string): CommandLine {
  const json = jsonWords(text);
  if (!json) return { form: 'shell', args: text === '' ? [] : [text] };
  if ('words' in json) return { form: 'exec', args: json.words };
  if (json.broken === 'items') {
    const hint = 'Put every item between double quotes.';
    refuse(source, `${name} in exec form takes strings only.`, { hint, word: text });
  }
  return { form: 'shell', args: [text], brokenJson: json.broken };
}

export function readCommandInstruction<K extends 'cmd' | 'entrypoint'>(
  { source, keyword, name, flags, rest }: Reading,
  kind: K,
): CmdInstruction | EntrypointInstruction {
  readFlags(source, name, flags, {});
  return { kind, keyword, source, command: readCommandLine(source, name, rest) };
}

export function readShell({ source, keyword, flags, rest }: Reading): ShellInstruction {
  readFlags(source, 'SHELL', flags, {});
  const { form, args, brokenJson } = readCommandLine(source, 'SHELL', rest);
  if (form === 'shell' || args.length === 0) {
    const why = brokenJson ? ` (${brokenJson})` : '';
    const hint = 'It reads SHELL ["/bin/bash", "-c"].';
    refuse(source, `SHELL takes a JSON array of strings${why}.`, { hint, word: rest });
  }
  return { kind: 'shell', keyword, source, shell: args };
}
