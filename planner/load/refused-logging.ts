/** Log drivers and their options. Source: docs.docker.com "Configure logging drivers". */
import type { Service } from '../../schemas/project.ts';
import type { Verdict } from './refused.ts';

const files = ['max-size', 'max-file', 'compress'];
const attributes = ['tag', 'labels', 'labels-regex', 'env', 'env-regex'];
const delivery = ['mode', 'max-buffer-size'];

/** By driver: every option docker knows that we carry out, or that asks for what happens anyway. */
const logDrivers: Record<string, string[]> = {
  'json-file': [...files, ...attributes, ...delivery],
  local: [...files, ...delivery],
  none: [],
  journald: [...attributes, ...delivery],
  syslog: [...attributes, ...delivery, 'syslog-address', 'syslog-facility', 'syslog-format'],
};

const kept = 'Stack keeps every log on this machine: `stack logs` shows it, and an agent can read and ship it.';
/** Of docker's own, those that send to a service over a protocol of its own. */
const foreign = ['awslogs', 'fluentd', 'gcplogs', 'gelf', 'splunk', 'etwlogs', 'logentries'];

export function refusedLogging(logging: Service['logging']): Verdict[] {
  const { driver = 'json-file', options = {} } = logging ?? {};
  const known = logDrivers[driver || 'json-file'];
  if (!known) {
    const what = foreign.includes(driver) ? 'sends to a service that Stack has no client for' : 'is no log driver';
    const hint = `Use one of ${Object.keys(logDrivers).join(', ')}. ${kept}`;
    return [{ path: ['logging', 'driver'], why: `${JSON.stringify(driver)} ${what}`, hint }];
  }
  const unknown = Object.keys(options).filter((option) => !known.includes(option));
  const refused = unknown.map((option): Verdict => {
    const isTls = option.startsWith('syslog-tls-');
    const why = isTls
      ? 'Stack sends to syslog without TLS'
      : `the log driver ${driver || 'json-file'} has no option of this name`;
    const hint = isTls
      ? 'Send to the syslog daemon of this machine (unixgram:///dev/log), and let it forward over TLS.'
      : known.length > 0
        ? `Its options are: ${known.join(', ')}.`
        : 'It keeps nothing, and takes no options.';
    return { path: ['logging', 'options', option], why, hint };
  });
  return [...refused, ...values(options)];
}

const patterns: Record<string, [RegExp, string]> = {
  'max-size': [/^-?\d+(\.\d+)?\s*([kmgt]i?)?b?$/i, 'Write a size like 10m.'],
  'max-file': [/^[1-9]\d*$/, 'Write a number of files, 1 or more.'],
  mode: [/^(blocking|non-blocking)$/, 'Write blocking or non-blocking.'],
  'syslog-address': [
    /^(udp|tcp|unix|unixgram):\/\/.+$/,
    'Write udp://HOST:PORT, tcp://HOST:PORT, unix:///PATH or unixgram:///PATH.',
  ],
  'syslog-facility': [
    /^(kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|local[0-7]|\d{1,2})$/,
    'Write a name of syslog(3), such as daemon or local0, or its number.',
  ],
  'syslog-format': [/^(rfc3164|rfc5424|rfc5424micro|)$/, 'Write rfc3164, rfc5424 or rfc5424micro.'],
};

function values(options: Record<string, string>): Verdict[] {
  return Object.entries(options).flatMap(([option, value]): Verdict[] => {
    const [pattern, hint] = patterns[option] ?? [];
    if (!pattern || pattern.test(String(value))) return [];
    return [{ path: ['logging', 'options', option], why: `${JSON.stringify(value)} cannot be used`, hint: hint! }];
  });
}
