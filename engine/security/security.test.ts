import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { StackError } from '../../schemas/errors.ts';
import { layout } from '../state/layout.ts';
import { reloadAppArmor, securityModules } from './security.ts';
import { selinuxState } from './selinux.ts';

test('a container that starts again on a machine that lost AppArmor: an error that says so', () => {
  const places = { sys: '/nowhere', proc: '/nowhere', path: '' };
  expect(() => reloadAppArmor('stack-default', 'container demo-web-1', places)).toThrow(
    expect.objectContaining({ code: 'host.kernel-feature', hint: expect.stringContaining('--force-recreate') }),
  );
  expect(() => reloadAppArmor(undefined, 'container demo-web-1', places)).not.toThrow();
});

test.skipIf(selinuxState().isEnabled)('without SELinux no label is made and nothing is recorded', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stack-security-'));
  const warnings: StackError[] = [];
  const host = { layout: layout({ STACK_ROOT: folder, STACK_RUN: folder }), settings: { selinux: true } };
  const modules = securityModules(host, { stack: 'demo', id: 'x', onWarning: (one) => warnings.push(one) });
  expect(modules.selinux({}, 'services.web.security_opt')).toBeUndefined();
  expect(modules.selinux({ type: 'own_t' }, 'services.web.security_opt')).toBeUndefined();
  expect(existsSync(host.layout.labels)).toBe(false);
  expect(warnings).toEqual([]);
  rmSync(folder, { recursive: true });
});
