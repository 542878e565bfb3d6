import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { clearLive, encodeNames, type Named, nameRecords, reverseName, writeNames } from './names.ts';

function container(name: string, slot: number, address: string, aliases: string[] = []): Named {
  const endpoint = {
    network: 'default',
    networkName: 'demo_default',
    interface: 'eth0',
    hostInterface: 'st0',
    bridge: 'st-',
    mac: '',
    ipv4: { address, prefix: 16 },
    aliases,
    slot,
    isDefaultRoute: true,
  };
  return { name, endpoints: [endpoint] };
}

/** Reads a table as native/shim/resolver.h describes it. */
function readTable(file: string): Record<string, string[]> {
  const bytes = readFileSync(file);
  expect(bytes.toString('latin1', 0, 8)).toBe('STKNAMES');
  expect(bytes.readUInt32LE(8)).toBe(1);
  const size = bytes.readUInt32LE(12);
  expect(bytes.length).toBe(69632 + 2 * size);
  const at = 69632 + Number(bytes.readBigUInt64LE(16) % 2n) * size;
  const buffer = bytes.subarray(at, at + size);
  const [keys, records, length] = [buffer.readUInt32LE(0), buffer.readUInt32LE(4), buffer.readUInt32LE(8)];
  const rows = 16 + 16 * keys;
  const names = buffer.subarray(rows + 24 * records, rows + 24 * records + length);
  const found: Record<string, string[]> = {};
  for (let key = 16; key < rows; key += 16) {
    const offset = buffer.readUInt32LE(key);
    const name = names.toString('latin1', offset, offset + buffer.readUInt16LE(key + 4));
    const first = rows + 24 * buffer.readUInt32LE(key + 8);
    found[name] = Array.from({ length: buffer.readUInt32LE(key + 12) }, (_, i) => {
      const row = first + 24 * i;
      const target = buffer.readUInt32LE(row + 8);
      const data =
        buffer.readUInt16LE(row) === 12
          ? names.toString('latin1', target, target + buffer.readUInt16LE(row + 6))
          : [...buffer.subarray(row + 8, row + 12)].join('.');
      return `${buffer.readUInt16LE(row)} ${buffer.readUInt16LE(row + 2)} ${data}`;
    });
  }
  return found;
}

test('a table is written in place, and the live bytes outlast it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stack-names-'));
  const file = join(folder, 'networks/demo_default.names');
  try {
    const web = container('demo-web-1', 0, '172.18.0.2', ['Web']);
    writeNames(file, 'demo_default', [web]);
    const inode = statSync(file).ino;
    const shim = openSync(file, 'r+');
    writeSync(shim, Buffer.of(1, 1), 0, 2, 4096);
    closeSync(shim);
    writeNames(file, 'demo_default', [web, container('demo-web-2', 1, '172.18.0.3', ['web'])]);
    clearLive(file, 1);
    expect(statSync(file).ino).toBe(inode);
    expect([...readFileSync(file).subarray(4096, 4098)]).toEqual([1, 0]);
    expect(readTable(file)).toEqual({
      '2.0.18.172.in-addr.arpa': ['12 0 demo-web-1.demo_default'],
      '3.0.18.172.in-addr.arpa': ['12 1 demo-web-2.demo_default'],
      'demo-web-1': ['1 0 172.18.0.2'],
      'demo-web-1.demo_default': ['1 0 172.18.0.2'],
      'demo-web-2': ['1 1 172.18.0.3'],
      'demo-web-2.demo_default': ['1 1 172.18.0.3'],
      web: ['1 0 172.18.0.2', '1 1 172.18.0.3'],
      'web.demo_default': ['1 0 172.18.0.2', '1 1 172.18.0.3'],
    });
    writeNames(file, 'demo_default', []);
    expect(readTable(file)).toEqual({});
    expect(statSync(file).blocks * 512).toBeLessThan(1 << 20);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('keys are in order of their bytes, a prefix first', () => {
  const names = nameRecords('n', []);
  for (const name of ['b', 'a-b', 'ab', 'a', 'A'.toLowerCase()]) names.set(name, []);
  const buffer = encodeNames(names);
  const text = buffer.subarray(16 + 16 * 4);
  const order = [0, 1, 2, 3].map((key) => {
    const offset = buffer.readUInt32LE(16 + 16 * key);
    return text.toString('latin1', offset, offset + buffer.readUInt16LE(20 + 16 * key));
  });
  expect(order).toEqual(['a', 'a-b', 'ab', 'b']);
  expect(() => encodeNames(names, 32)).toThrow(RangeError);
});

test('reverse names', () => {
  expect(reverseName('172.18.0.2')).toBe('2.0.18.172.in-addr.arpa');
  expect(reverseName('fd00::2')).toBe(`2.${'0.'.repeat(28)}0.d.f.ip6.arpa`);
});

test('no table, nothing to clear', () => {
  expect(() => clearLive('/nonexistent/x.names', 0)).not.toThrow();
});
