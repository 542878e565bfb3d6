/** Debian packages the builds and the tests call, installed when they are missing. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Places, places } from './places.ts';

export type Say = (line: string) => void;

/** Runs a command to its end; what it prints is shown only when it fails. */
export function must(command: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): string {
  const run = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (run.status === 0) return run.stdout;
  const reason = run.error ? run.error.message : `exit ${run.status ?? run.signal}`;
  const [line, ...more] = [command, ...args].join(' ').trim().split('\n');
  throw new Error(`${line}${more.length > 0 ? ' …' : ''}: ${reason}\n${run.stdout ?? ''}${run.stderr ?? ''}`);
}

function isFound(command: string): boolean {
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  return path.split(':').some((folder) => folder !== '' && existsSync(join(folder, command)));
}

let isListFresh = false;

function aptGet(args: string[], cwd?: string): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = cwd ? { cwd, env } : { env };
  if (!isListFresh) must('apt-get', ['-q', 'update'], options);
  isListFresh = true;
  must('apt-get', ['-q', '-y', ...args], options);
}

/**
 * Installs the packages whose command is missing.
 * @param wanted package name by command: `{ ip: 'iproute2' }`.
 * @throws Error that names the packages where they cannot be installed from here.
 */
export function ensurePackages(wanted: Record<string, string>, say: Say): void {
  const missing = Object.entries(wanted).filter(([command]) => !isFound(command));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))];
  if (process.getuid?.() !== 0 || !isFound('apt-get')) {
    throw new Error(`These Debian packages are needed: ${packages.join(' ')}. Install them, then run this again.`);
  }
  say(`installing Debian packages: ${packages.join(' ')}`);
  aptGet(['install', '--no-install-recommends', ...packages]);
}

/** Fetches one package by its exact name and unpacks it into `into`, without installing anything. */
export function unpackPackage(name: string, into: string): void {
  mkdirSync(into, { recursive: true });
  const folder = mkdtempSync(join(into, 'download-'));
  try {
    aptGet(['-o', 'APT::Sandbox::User=root', 'download', name], folder);
    const archive = readdirSync(folder).find((file) => file.endsWith('.deb'));
    if (!archive) throw new Error(`apt-get download ${name} left no archive`);
    must('dpkg-deb', ['-x', join(folder, archive), into]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Unpacks docker-registry beside the images: installed as a package it would open a port on the whole machine. */
export function ensureRegistryBinary(at: Places, say: Say): void {
  if (existsSync(at.registryBinary)) return;
  say('fetching the docker-registry package');
  unpackPackage('docker-registry', at.tools);
}

/** Debian's package `apparmor` unpacked, for the guest of e2e/vm and for compiling: nothing of it is installed here. */
export function appArmorPackage(say: Say, at: Places = places()): string {
  const folder = join(at.tools, 'apparmor');
  if (!existsSync(join(folder, 'sbin/apparmor_parser'))) {
    say('fetching the apparmor package');
    unpackPackage('apparmor', folder);
  }
  return folder;
}
