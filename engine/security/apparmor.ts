/**
 * AppArmor as the kernel has it, and the default profile loaded into it when a container first needs it.
 * Sources: Documentation/admin-guide/LSM/apparmor.rst, apparmor_parser(8), security/apparmor/apparmorfs.c.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, closeSync, constants, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import { compiledProfile } from './apparmor-compiled.ts';
import { defaultProfile, defaultProfileName } from './apparmor-profile.ts';

export { defaultProfile, defaultProfileName } from './apparmor-profile.ts';

/** Where things lie; a test has its own. */
export interface AppArmorPlaces {
  sys: string;
  proc: string;
  /** Folders to look for apparmor_parser in, separated by colons. */
  path: string;
  /** File that remembers which text was loaded: gone after a boot, as the kernel's memory is. */
  marker?: string;
}

export const appArmorPlaces = (marker?: string): AppArmorPlaces => ({
  sys: '/sys',
  proc: '/proc',
  path: `/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin`,
  ...(marker ? { marker } : {}),
});

export interface AppArmorState {
  /** The kernel was booted with it. */
  isEnabled: boolean;
  /** securityfs is mounted where everybody looks for it, and shows AppArmor's files. */
  hasFiles: boolean;
  /** Loaded profiles and their modes (`enforce`, `complain`, `kill`, `unconfined`); empty where they cannot be read. */
  profiles: Map<string, string>;
}

/** Asks the kernel, every time. */
export function appArmorState(places: AppArmorPlaces = appArmorPlaces()): AppArmorState {
  const isEnabled = read(join(places.sys, 'module/apparmor/parameters/enabled'))?.startsWith('Y') ?? false;
  const text = isEnabled ? read(join(places.sys, 'kernel/security/apparmor/profiles')) : undefined;
  const lines = text?.split('\n').map((line) => /^(.+) \((\w+)\)$/.exec(line)) ?? [];
  const profiles = new Map(lines.flatMap((found) => (found ? [[found[1]!, found[2]!]] : [])));
  return { isEnabled, hasFiles: text !== undefined, profiles };
}

export interface Confinement {
  /** What the container's process changes to; undefined: to nothing. */
  profile: string | undefined;
  /** What could not be done as asked; told once in the life of the process. */
  warning?: string;
}

/**
 * The profile a container's process gets, loaded where it is the default one.
 * @param profile what `apparmor=` names: undefined for the default one, `unconfined` for none.
 * @throws config.undefined-reference for another profile that is not loaded: it is the user's to load.
 */
export function ensureAppArmor(
  profile: string | undefined,
  { places = appArmorPlaces(), resource }: { places?: AppArmorPlaces; resource?: string | undefined } = {},
): Confinement {
  if (profile === 'unconfined') return { profile: undefined };
  if (profile === undefined || profile === defaultProfileName) return ensureDefault(places, profile !== undefined);
  const { isEnabled, hasFiles, profiles } = appArmorState(places);
  if (!isEnabled) return once(places, { profile: undefined, warning: notEnabled(profile) });
  // Of other namespaces and of stacked profiles the list does not tell: the kernel has the last word.
  if (!hasFiles || profile.startsWith(':') || profile.includes('//&') || profiles.has(profile)) return { profile };
  throw new StackError('config.undefined-reference', {
    message: `${resource ? `${resource}: ` : ''}the AppArmor profile "${profile}" is not loaded`,
    hint: `Load it with \`apparmor_parser -r FILE\`; ${join(places.sys, 'kernel/security/apparmor/profiles')} lists those that are.`,
    resource,
  });
}

const notEnabled = (profile: string) =>
  `This kernel runs without AppArmor: the profile "${profile}" confines nothing here.`;

/** What the default profile came to, by places: asked of the kernel once. */
const outcomes = new Map<string, Confinement>();
const told = new Set<string>();

/** The same without a warning that was given before. */
function once(places: AppArmorPlaces, outcome: Confinement): Confinement {
  const { profile, warning } = outcome;
  const key = `${places.sys} ${warning}`;
  if (warning === undefined || told.has(key)) return { profile };
  told.add(key);
  return outcome;
}

function ensureDefault(places: AppArmorPlaces, isNamed: boolean): Confinement {
  const key = JSON.stringify(places);
  const known = outcomes.get(key) ?? load(places);
  outcomes.set(key, known);
  if (known.profile === undefined && known.warning === undefined && isNamed) {
    return once(places, { profile: undefined, warning: notEnabled(defaultProfileName) });
  }
  return once(places, known);
}

/** Loading replaces at one stroke what is there, so that two commands at once do no harm to each other. */
function load(places: AppArmorPlaces): Confinement {
  const { isEnabled, hasFiles, profiles } = appArmorState(places);
  // Without its files (a container on such a machine, most often) nothing can be loaded or named.
  if (!isEnabled || !hasFiles) return { profile: undefined };
  const text = defaultProfile(ownLabels(places));
  const mark = createHash('sha256').update(text).digest('hex');
  const isLoaded = profiles.has(defaultProfileName);
  if (isLoaded && (!places.marker || read(places.marker) === mark)) return { profile: defaultProfileName };
  const failure = throughParser(text, places) && throughKernel(places);
  if (failure === undefined) {
    remember(places, mark);
    return { profile: defaultProfileName };
  }
  if (isLoaded) return { profile: defaultProfileName };
  return {
    profile: undefined,
    warning: `The AppArmor profile ${defaultProfileName} cannot be loaded, containers run without one: ${failure}. Install the package apparmor.`,
  };
}

/** Why not; undefined after success. */
function throughParser(text: string, places: AppArmorPlaces): string | undefined {
  const parser = findParser(places);
  if (!parser) return 'apparmor_parser is not installed';
  // -K: no cache of its own, -r: replace. Its standard output says nothing.
  const run = spawnSync(parser, ['-Kr'], { input: text, encoding: 'utf8', timeout: 20_000, env: {} });
  if (run.status === 0) return undefined;
  return run.error?.message ?? (run.stderr.trim().split('\n').at(-1) || `apparmor_parser ended with ${run.status}`);
}

/**
 * The compiled profile by hand: the kernel takes what parsers of older kernels made, and this one was made for 5.4. It
 * wants the whole of it in one write.
 */
function throughKernel(places: AppArmorPlaces): string | undefined {
  try {
    const fd = openSync(join(places.sys, 'kernel/security/apparmor/.replace'), constants.O_WRONLY);
    try {
      writeSync(fd, compiledProfile());
    } finally {
      closeSync(fd);
    }
    return undefined;
  } catch (thrown) {
    return `apparmor_parser is not installed or failed, and the kernel refused the compiled profile (${(thrown as NodeJS.ErrnoException).code})`;
  }
}

export function findParser({ path }: Pick<AppArmorPlaces, 'path'>): string | undefined {
  return path
    .split(':')
    .map((folder) => join(folder, 'apparmor_parser'))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Whatever confines this process signals the containers it makes. */
function ownLabels({ proc }: AppArmorPlaces): string[] {
  const label = read(join(proc, 'self/attr/apparmor/current')) ?? read(join(proc, 'self/attr/current')) ?? '';
  const name = label.trim().replace(/ \(\w+\)$/, '');
  return name === '' || name === 'unconfined' ? [] : [name];
}

function remember({ marker }: AppArmorPlaces, mark: string): void {
  if (!marker) return;
  try {
    mkdirSync(dirname(marker), { recursive: true });
    writeFileSync(marker, mark, { mode: 0o600 });
  } catch {
    // Loaded again by the next command.
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
