/** Triggers that a base image or stage left with ONBUILD. Source: Dockerfile reference, "ONBUILD". */
import type { FromInstruction, StageInstruction } from '../../../schemas/dockerfile.ts';
import { refuse } from '../site.ts';
import { parseTrigger } from '../trigger.ts';

/**
 * The instructions `triggers` are; their place is the FROM that brings them in.
 * @throws StackError `build.dockerfile`: images come from anywhere, so a trigger may be anything
 */
export function readTriggers(triggers: string[], from: FromInstruction, image: string): StageInstruction[] {
  return triggers.map((trigger) => {
    const instruction = parseTrigger(trigger);
    if (typeof instruction === 'string') {
      const hint = `It was left by ${image}: use another base image, or mend its ONBUILD.`;
      return refuse(from.source, `A trigger of the base image is not valid: ${instruction}`, { hint, word: image });
    }
    const { file, start, end, segments } = from.source;
    const source = { ...instruction.source, file, start, end, segments: [{ ...segments[0]!, offset: 0 }] };
    return { ...instruction, source };
  });
}
