/** On files made up: a /sys with AppArmor, and a parser that does to them what the kernel would. */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AppArmorPlaces, appArmorState, defaultProfile, ensureAppArmor } from './apparmor.ts';
import { compiledFrom, compiledProfile } from './apparmor-compiled.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-apparmor-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (path: string, text: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};
const at = (path: string) => readFileSync(join(folder, path), 'utf8');

interface Given {
  profiles?: string | undefined;
  parser?: 'works' | 'fails' | 'none';
  label?: string;
  hasReplace?: boolean;
}

/** Each its own folder, as outcomes are remembered by places. */
function machine({
  profiles = '',
  parser = 'works',
  label = 'unconfined\n',
  hasReplace = false,
}: Given): AppArmorPlaces {
  put('sys/module/apparmor/parameters/enabled', 'Y\n');
  put('sys/kernel/security/apparmor/profiles', profiles);
  put('proc/self/attr/current', label);
  if (hasReplace) put('sys/kernel/security/apparmor/.replace', '');
  if (parser !== 'none') {
    const works = `echo "$@" >> ${folder}/calls; cat > ${folder}/text; echo 'stack-default (enforce)' >> ${folder}/sys/kernel/security/apparmor/profiles`;
    put(
      'bin/apparmor_parser',
      `#!/bin/sh\nPATH=/usr/bin:/bin\n${parser === 'works' ? works : 'echo "syntax error" >&2; exit 1'}\n`,
    );
    chmodSync(join(folder, 'bin/apparmor_parser'), 0o755);
  }
  return {
    sys: join(folder, 'sys'),
    proc: join(folder, 'proc'),
    path: join(folder, 'bin'),
    marker: join(folder, 'run/mark'),
  };
}

test('the default profile is loaded once, and again only when its text is another', () => {
  const places = machine({ profiles: 'other (complain)\n' });
  expect(ensureAppArmor(undefined, { places })).toEqual({ profile: 'stack-default' });
  expect(ensureAppArmor('stack-default', { places })).toEqual({ profile: 'stack-default' });
  expect(at('calls')).toBe('-Kr\n');
  expect(at('text')).toBe(defaultProfile());
  // Another command: a process that remembers nothing, which a slash more stands for.
  expect(ensureAppArmor(undefined, { places: { ...places, proc: `${places.proc}/` } }).profile).toBe('stack-default');
  expect(at('calls')).toBe('-Kr\n');
  writeFileSync(places.marker!, 'of an older version');
  expect(ensureAppArmor(undefined, { places: { ...places, proc: `${places.proc}//` } }).profile).toBe('stack-default');
  expect(at('calls')).toBe('-Kr\n-Kr\n');
});

test('without the tool, or where it fails, the compiled profile goes to the kernel', () => {
  for (const parser of ['none', 'fails'] as const) {
    const places = machine({ parser, hasReplace: true });
    expect(ensureAppArmor(undefined, { places })).toEqual({ profile: 'stack-default' });
    const written = readFileSync(join(places.sys, 'kernel/security/apparmor/.replace'));
    expect(written.equals(compiledProfile())).toBe(true);
    rmSync(folder, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), 'stack-apparmor-'));
  }
});

test('the compiled profile is that of the text: `node scripts/apparmor-compile.ts` makes it anew', () => {
  expect(createHash('sha256').update(defaultProfile()).digest('hex')).toBe(compiledFrom);
  // security/apparmor/policy_unpack.c: the name `version`, then a number of four bytes.
  const bytes = Buffer.from(compiledProfile());
  expect(bytes.subarray(3, 10).toString()).toBe('version');
  expect(bytes.readUInt32LE(12) & 0x3ff).toBe(5);
  expect(bytes.includes('stack-default\0')).toBe(true);
});

test('what cannot be loaded is told once, and containers run without', () => {
  const places = machine({ parser: 'none' });
  const first = ensureAppArmor(undefined, { places });
  expect(first.profile).toBeUndefined();
  expect(first.warning).toMatch(
    /stack-default cannot be loaded.*refused the compiled profile \(ENOENT\).*package apparmor/,
  );
  expect(ensureAppArmor(undefined, { places })).toEqual({ profile: undefined });
});

test('a profile of the user’s own: loaded, or an error; the default one is not loaded for it', () => {
  const places = machine({ profiles: 'mine (enforce)\n/usr/bin/my tool (complain)\n' });
  for (const profile of ['mine', '/usr/bin/my tool', ':space:other', 'mine//&more']) {
    expect(ensureAppArmor(profile, { places })).toEqual({ profile });
  }
  expect(ensureAppArmor('unconfined', { places })).toEqual({ profile: undefined });
  expect(() => ensureAppArmor('yours', { places, resource: 'services.web.security_opt' })).toThrow(
    expect.objectContaining({
      code: 'config.undefined-reference',
      message: 'services.web.security_opt: the AppArmor profile "yours" is not loaded',
      hint: expect.stringContaining('apparmor_parser -r'),
    }),
  );
  expect(existsSync(join(folder, 'calls'))).toBe(false);
});

test('without AppArmor there is no profile, and a named one is told to confine nothing', () => {
  const places = { sys: join(folder, 'sys'), proc: join(folder, 'proc'), path: '' };
  expect(appArmorState(places)).toEqual({ isEnabled: false, hasFiles: false, profiles: new Map() });
  expect(ensureAppArmor(undefined, { places })).toEqual({ profile: undefined });
  expect(ensureAppArmor('mine', { places }).warning).toMatch(/without AppArmor: the profile "mine"/);
  expect(ensureAppArmor('mine', { places })).toEqual({ profile: undefined });
});

test('whoever is confined may signal the containers it makes', () => {
  const places = machine({ label: 'the runner (enforce)\n' });
  ensureAppArmor(undefined, { places });
  expect(at('text')).toContain('signal (receive) peer="the runner",');
});
