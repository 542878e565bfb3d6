/** The settings file: /etc/stack/settings.yaml, or the one named by STACK_SETTINGS. */
import { readFileSync } from 'node:fs';
import { StackError } from '../schemas/errors.ts';
import type { Settings } from '../schemas/settings.ts';

/**
 * Every setting has a default, so no file is an empty one; a file named by STACK_SETTINGS must exist.
 * @throws StackError `config.unreadable`, `config.yaml`, `config.value`
 */
export async function loadSettings(environment: NodeJS.ProcessEnv): Promise<Settings> {
  const file = environment.STACK_SETTINGS || '/etc/stack/settings.yaml';
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !environment.STACK_SETTINGS) return {};
    throw new StackError('config.unreadable', {
      message: `The settings file ${file} cannot be read: ${(error as Error).message}`,
      hint: 'Correct STACK_SETTINGS, or unset it to use /etc/stack/settings.yaml.',
      cause: error,
    });
  }
  // Only now: neither is small, and most machines have no settings file.
  const [{ parse }, { settings }] = await Promise.all([import('yaml'), import('../schemas/settings.ts')]);
  let value: unknown;
  try {
    value = parse(text) ?? {};
  } catch (error) {
    const [position] = (error as { linePos?: [{ line: number; col: number }] }).linePos ?? [];
    throw new StackError('config.yaml', {
      message: `The settings file is not valid YAML: ${(error as Error).message}`,
      ...(position ? { where: { file, line: position.line, column: position.col } } : {}),
      cause: error,
    });
  }
  const result = settings.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues.map(
    (issue) =>
      new StackError('config.value', {
        message: `${file}: ${issue.path.join('.') || 'settings'}: ${issue.message}`,
        resource: issue.path.join('.'),
      }),
  );
  const first = errors[0] as StackError;
  first.also = errors.slice(1);
  throw first;
}
