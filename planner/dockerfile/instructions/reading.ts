/** What the reader of an instruction is handed. */
import type { InstructionText } from '../../../schemas/dockerfile.ts';
import type { Head } from '../words.ts';

export interface Reading extends Head {
  source: InstructionText;
  escape: '\\' | '`';
  /** The keyword in capitals. */
  name: string;
}
