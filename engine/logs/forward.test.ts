import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { forwardOf } from './forward.ts';
import { inetAddress, unixAddress } from './socket-address.ts';
import { logTag } from './tag.ts';

const container = (options: Record<string, string>) => ({
  id: 'a1b2c3d4e5f6'.padEnd(64, '0'),
  name: 'demo-web-1',
  service: 'web',
  image: { name: 'x:1', id: `sha256:${'9'.repeat(64)}`, manifestDigest: '' },
  labels: { 'com.example.team': 'red', other: 'x' },
  config: { command: null, entrypoint: null, logging: { driver: 'syslog', options } },
});
const sent = async (options: Record<string, string>) => {
  const to = (await forwardOf(container(options), []))!;
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  return { ...to, stdout: text(to.stdout), stderr: text(to.stderr), middle: text(to.middle), tail: text(to.tail) };
};

test('syslog over the network: priority, host and tag in the form that is asked for', async () => {
  const udp = await sent({ 'syslog-address': 'udp://127.0.0.1:5514', 'syslog-facility': 'local3', tag: '{{.Name}}' });
  expect(udp).toMatchObject({ type: 'datagram', time: 'rfc3164', stdout: '<158>', stderr: '<155>', tail: '\n' });
  expect(udp.middle).toMatch(/^ \S+ demo-web-1: $/);
  expect([...udp.address]).toEqual([2, 0, 0x15, 0x8a, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  const tcp = await sent({ 'syslog-address': 'tcp://[::1]', 'syslog-format': 'rfc5424micro' });
  expect(tcp).toMatchObject({ type: 'stream', time: 'rfc5424micro', stdout: '<30>1 ', stderr: '<27>1 ' });
  expect(tcp.middle).toMatch(/^ \S+ a1b2c3d4e5f6 - a1b2c3d4e5f6 - $/);
  expect([...tcp.address.subarray(0, 4), tcp.address[23]]).toEqual([10, 0, 2, 2, 1]);
});

test('syslog on this machine: its socket has to be there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stack-log-'));
  try {
    const path = join(folder, 'log');
    await expect(sent({ 'syslog-address': `unixgram://${path}` })).rejects.toMatchObject({ code: 'host.log' });
    writeFileSync(path, '');
    const local = await sent({ 'syslog-address': `unixgram://${path}` });
    expect(local).toMatchObject({ type: 'datagram', middle: ' a1b2c3d4e5f6: ' });
    expect(Buffer.from(local.address).toString('latin1')).toBe(`\x01\x00${path}\0`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('addresses: IPv6 in every form, and a path too long', () => {
  const bytes = (address: string) => [...inetAddress(address, 1).subarray(8, 24)];
  expect(bytes('2001:db8::1')).toEqual([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(bytes('::ffff:192.0.2.1').slice(-6)).toEqual([0xff, 0xff, 192, 0, 2, 1]);
  expect(bytes('1:2:3:4:5:6:7:8')).toEqual([0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]);
  expect(() => unixAddress(`/${'x'.repeat(108)}`)).toThrow(/longer than/);
});

test('tags: fields of docker’s templates, one word, and what stands for nothing', () => {
  const one = container({});
  expect(logTag('{{.ImageName}}/{{ .Name }}/{{.FullID}}', one)).toBe(`x:1/demo-web-1/${one.id}`);
  expect(logTag('a b\nc', one)).toBe('a_b_c');
  expect(() => logTag('{{.Nope}}', one)).toThrow(/\{\{\.Nope\}\} stands for nothing/);
  expect(() => logTag('{{constructor}}', one)).toThrow(/stands for nothing/);
});
