/**
 * Log lines to the daemon that a service names: journald or syslog. Source: docs.docker.com "Journald logging driver" and
 * "Syslog logging driver"; systemd's JOURNAL_NATIVE_PROTOCOL; RFC 3164, RFC 5424.
 */
import { lookup } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ContainerRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { ForwardSettings } from '../runtime/program/program.ts';
import { inetAddress, unixAddress } from './socket-address.ts';
import { logTag } from './tag.ts';

type Container = Pick<ContainerRecord, 'id' | 'name' | 'image' | 'labels' | 'config' | 'service'>;

const journal = '/run/systemd/journal/socket';
/** In docker's order. */
const syslogSockets = ['/dev/log', '/var/run/syslog', '/var/run/log'];

/** @param env of the container: `NAME=value`. @throws config.value, host.log for a daemon that is not there */
export async function forwardOf(container: Container, env: string[]): Promise<ForwardSettings | undefined> {
  const { driver, options = {} } = container.config.logging ?? {};
  if (driver === 'journald') return journald(container, options, env);
  return driver === 'syslog' ? syslog(container, options) : undefined;
}

function journald(container: Container, options: Record<string, string>, env: string[]): ForwardSettings {
  if (!existsSync(journal)) throw nobody(container, journal, 'journald');
  const tag = logTag(options.tag, container);
  const fields: [string, string][] = [
    ['SYSLOG_IDENTIFIER', tag],
    ['CONTAINER_TAG', tag],
    ['CONTAINER_ID', container.id.slice(0, 12)],
    ['CONTAINER_ID_FULL', container.id],
    ['CONTAINER_NAME', container.name],
    ['IMAGE_NAME', container.image.name],
    ...extras(container, options, env),
  ];
  const head = (priority: number) =>
    Buffer.concat([
      ...[['PRIORITY', String(priority)] as const, ...fields].map(([name, value]) => field(name, value)),
      Buffer.from('MESSAGE='),
    ]);
  return {
    type: 'datagram',
    address: unixAddress(journal),
    time: 'none',
    zone: 0,
    // syslog(3): informational, error.
    stdout: head(6),
    stderr: head(3),
    middle: Buffer.alloc(0),
    tail: Buffer.from('\n'),
  };
}

/** A value with a newline has its size in front. */
function field(name: string, value: string): Buffer {
  if (!value.includes('\n')) return Buffer.from(`${name}=${value}\n`);
  const bytes = Buffer.from(value);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), size, bytes, Buffer.from('\n')]);
}

/** Labels and variables that the options name, under names journald takes. */
function extras(container: Container, options: Record<string, string>, env: string[]): [string, string][] {
  const variables = env.map((entry): [string, string] => {
    const at = entry.indexOf('=');
    return [entry.slice(0, at), entry.slice(at + 1)];
  });
  const chosen = (all: [string, string][], names = '', pattern = '') => {
    const wanted = new Set(names.split(',').map((name) => name.trim()));
    const matches = pattern ? regularExpression(pattern, container) : undefined;
    return all.filter(([name]) => wanted.has(name) || matches?.test(name));
  };
  const found = [
    ...chosen(Object.entries(container.labels), options.labels, options['labels-regex']),
    ...chosen(variables, options.env, options['env-regex']),
  ];
  return found.flatMap(([name, value]): [string, string][] => {
    const clean = name
      .toUpperCase()
      .replace(/[^A-Z0-9_]/g, '_')
      .replace(/^[_0-9]+/, '');
    return clean === '' ? [] : [[clean.slice(0, 64), value]];
  });
}

function regularExpression(pattern: string, { service }: Container): RegExp {
  try {
    return new RegExp(pattern);
  } catch (cause) {
    const resource = `services.${service}.logging.options`;
    throw new StackError('config.value', {
      message: `${resource}: ${JSON.stringify(pattern)} is no regular expression`,
      hint: 'See labels-regex and env-regex of the log driver.',
      resource,
      cause,
    });
  }
}

/** syslog(3) `LOG_KERN` and following, in the order of their numbers. */
const facilities = [
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  ...['', '', '', '', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
];

async function syslog(container: Container, options: Record<string, string>): Promise<ForwardSettings> {
  const tag = logTag(options.tag, container);
  const format = options['syslog-format'] ?? '';
  const facility = options['syslog-facility'] ?? 'daemon';
  const number = /^\d+$/.test(facility) ? Number(facility) : facilities.indexOf(facility);
  const isNew = format.startsWith('rfc5424');
  const head = (severity: number) => Buffer.from(`<${number * 8 + severity}>${isNew ? '1 ' : ''}`);
  const { type, address, isLocal } = await destination(options['syslog-address'], container);
  const host = hostname();
  const plain = isLocal && format === '' ? ` ${tag}: ` : ` ${host} ${tag}: `;
  return {
    type,
    address,
    time: isNew ? (format as 'rfc5424' | 'rfc5424micro') : 'rfc3164',
    zone: -new Date().getTimezoneOffset() * 60,
    stdout: head(6),
    stderr: head(3),
    middle: Buffer.from(isNew ? ` ${host} ${tag} - ${tag} - ` : plain),
    tail: Buffer.from('\n'),
  };
}

async function destination(written: string | undefined, container: Container) {
  if (!written || written.startsWith('unix')) {
    const [, kind, path] = /^(unix|unixgram):\/\/(.+)$/.exec(written ?? '') ?? [];
    const found = path ?? syslogSockets.find((one) => existsSync(one));
    if (!found || !existsSync(found)) throw nobody(container, found ?? syslogSockets.join(', '), 'syslog');
    const type = kind === 'unix' ? ('stream' as const) : ('datagram' as const);
    return { type, address: unixAddress(found), isLocal: true };
  }
  const url = new URL(written.replace(/^(udp|tcp):/, 'http:'));
  const name = url.hostname.replace(/^\[(.*)\]$/, '$1');
  try {
    const { address } = await lookup(name);
    const type = written.startsWith('tcp') ? ('stream' as const) : ('datagram' as const);
    return { type, address: inetAddress(address, Number(url.port || 514)), isLocal: false };
  } catch (cause) {
    throw nobody(container, written, 'syslog', cause);
  }
}

const nobody = ({ name, service }: Container, where: string, daemon: string, cause?: unknown) =>
  new StackError('host.log', {
    message: `${name} logs to ${daemon}, and nobody is at ${where}.`,
    hint: `Start ${daemon} on this machine, correct services.${service}.logging, or remove it: \`stack logs\` keeps every line.`,
    resource: `services.${service}.logging`,
    cause,
  });
