/** Tar archives of content the store has. Always the same bytes for the same content. Source: POSIX.1-2017 pax(1), ustar. */

const blockSize = 512;

/** What comes before an entry's content. `name` may be of any length, `size` in bytes; a name that ends with a slash is a directory. */
export function entryHeader(name: string, size: number): Buffer {
  if (Buffer.byteLength(name) <= 100) return header(name, size, name.endsWith('/') ? '5' : '0');
  const record = paxRecord('path', name);
  return Buffer.concat([
    header('pax', record.length, 'x'),
    record,
    padding(record.length),
    header(name.slice(-100), size, '0'),
  ]);
}

/** What comes after an entry's content of `size` bytes. */
export function padding(size: number): Buffer {
  return Buffer.alloc((blockSize - (size % blockSize)) % blockSize);
}

/** The end of the archive. */
export const endOfArchive = Buffer.alloc(2 * blockSize);

function header(name: string, size: number, type: '0' | '5' | 'x'): Buffer {
  const block = Buffer.alloc(blockSize);
  const octal = (value: number, at: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
  block.write(name, 0, 100);
  octal(type === '5' ? 0o755 : 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  if (size < 8 ** 11) octal(size, 124, 12);
  else {
    // GNU's base-256 numbers, which every reader of large layers knows.
    block.writeBigUInt64BE(BigInt(size), 128);
    block[124] = 0x80;
  }
  octal(0, 136, 12);
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}
