import { expect, test } from 'vitest';
import { setUpError } from './failure.ts';

test('a symbolic link in the way is explained for the step that met it', () => {
  const hint = (step: string) => setUpError('c', { step, errno: 'ELOOP', subject: '/a/b' }).hint;
  expect(hint('mount')).toContain('proc and sysfs');
  for (const step of ['open', 'chdir', 'mknod']) expect(hint(step)).toMatch(/^Symbolic links on this path/);
});
