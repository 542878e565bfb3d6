/** The text of a lock, and where it and a stack file disagree. Pure. */
import { parse, stringify } from 'yaml';
import type { $ZodIssue } from 'zod/v4/core';
import { StackError } from '../../schemas/errors.ts';
import { type Lock, lockFile } from '../../schemas/lock.ts';
import type { Service } from '../../schemas/project.ts';
import { byName } from '../graph.ts';
import { issueText } from '../issues.ts';
import { lockName, pulledImages } from './images.ts';

/** Bytes. A hundred thousand images fit. */
export const lockSizeLimit = 16 * 1024 * 1024;

const head =
  '# What the images of the stack file are. Made by `stack lock`, renewed by `stack update`; keep it in version control.\n';

/** The same lock is the same text, whatever order its entries were found in. */
export function lockText(lock: Lock): string {
  return head + stringify(sorted(lock), { lineWidth: 0, aliasDuplicateObjects: false });
}

/** `version` comes first because it is the first thing a reader has to know; the rest is in order of name. */
function sorted({ version, images, builds }: Lock): Lock {
  const inOrder = <T>(map: Record<string, T>) =>
    Object.fromEntries(Object.entries(map).sort(([a], [b]) => byName(a, b)));
  const whole = Object.entries(images).map(([name, { digest, platforms }]) => {
    return [name, { digest, platforms: inOrder(platforms) }] as const;
  });
  return { version, images: inOrder(Object.fromEntries(whole)), builds: inOrder(builds) };
}

/** @throws StackError lock.invalid, also for a lock that a later version of Stack wrote */
export function readLock(text: string, file: string): Lock {
  const refuse = (why: string, hint?: string): never => {
    throw new StackError('lock.invalid', {
      message: `${file} is no lock this version of Stack can read: ${why}.`,
      hint: hint ?? 'Take it from version control again, or remove it and run `stack lock`.',
    });
  };
  if (Buffer.byteLength(text) > lockSizeLimit) refuse(`it is larger than ${lockSizeLimit} bytes`);
  let value: unknown;
  try {
    // A lock never has aliases: with none allowed there is no bomb.
    value = parse(text, { maxAliasCount: 0, uniqueKeys: true, logLevel: 'error' });
  } catch (thrown) {
    refuse((thrown as Error).message.split('\n')[0]!.replace(/[.:]$/, ''));
  }
  const version = (value as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > 1) {
    refuse(`it has version ${version}`, 'Use the version of Stack that wrote it, or a later one.');
  }
  const parsed = lockFile.safeParse(value);
  if (parsed.success) return parsed.data;
  return refuse(issueText(parsed.error.issues[0] as $ZodIssue));
}

/** `inputs`: by service that is built, the digest of what it is built from now. */
export interface Inputs {
  [service: string]: string;
}

/** What keeps a stack from being brought up as its lock says, one error for each; empty where nothing does. */
export function lockDifferences(lock: Lock, services: Record<string, Service>, inputs: Inputs): StackError[] {
  const differs = (resource: string, message: string, command: string) =>
    new StackError('lock.differs', { message, hint: `Run \`${command}\`, and look at what it changes.`, resource });
  const images = pulledImages(services).flatMap((image) => {
    if (Object.hasOwn(lock.images, lockName(image))) return [];
    return [differs(whereUsed(services, image), `The lock has no digest of the image ${image}.`, 'stack lock')];
  });
  const builds = Object.keys(inputs)
    .sort(byName)
    .flatMap((service) => {
      const locked = Object.hasOwn(lock.builds, service) ? lock.builds[service]!.inputs : undefined;
      if (locked === inputs[service]) return [];
      const message =
        locked === undefined
          ? `The lock does not know what the service ${service} is built from.`
          : `What the service ${service} is built from is not what it was when it was locked.`;
      const command = locked === undefined ? 'stack lock' : `stack update ${service}`;
      return [differs(`services.${service}.build`, message, command)];
    });
  return [...images, ...builds];
}

function whereUsed(services: Record<string, Service>, image: string): string {
  for (const [name, service] of Object.entries(services)) {
    if (service.image === image) return `services.${name}.image`;
    const hook = (service.pre_start ?? []).findIndex((one) => one.image === image);
    if (hook >= 0) return `services.${name}.pre_start.${hook}.image`;
  }
  return `image ${image}`;
}
