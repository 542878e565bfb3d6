/** Values and messages of D-Bus as bytes. Source: D-Bus Specification, "Marshaling (Wire Format)" and "Message Format". */

/** A value with its own type: signature `v`. */
export interface Variant {
  signature: string;
  value: unknown;
}

export interface Message {
  type: 'call' | 'return' | 'error' | 'signal';
  serial: number;
  path?: string;
  interface?: string;
  member?: string;
  errorName?: string;
  replySerial?: number;
  destination?: string;
  sender?: string;
  signature?: string;
  body: unknown[];
}

const types = ['call', 'return', 'error', 'signal'] as const;
/** Header fields by code, with the type of each. */
const fields = [
  ...[['path', 'o'] as const, ['interface', 's'] as const, ['member', 's'] as const, ['errorName', 's'] as const],
  ...[['replySerial', 'u'] as const, ['destination', 's'] as const, ['sender', 's'] as const],
  ['signature', 'g'] as const,
];
const alignments: Record<string, number> = {
  ...{ y: 1, g: 1, v: 1, b: 4, u: 4, i: 4, s: 4, o: 4, a: 4, t: 8, x: 8, '(': 8, '{': 8 },
};

/** `sa(sv)u` → `s`, `a(sv)`, `u`. */
export function completeTypes(signature: string): string[] {
  const found: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const start = at;
    while (signature[at] === 'a') at++;
    let depth = 0;
    do {
      if ('({'.includes(signature[at]!)) depth++;
      if (')}'.includes(signature[at]!)) depth--;
      at++;
    } while (depth > 0 && at < signature.length);
    found.push(signature.slice(start, at));
  }
  return found;
}

/** Little-endian. Structures are arrays, variants { signature, value }, 64-bit numbers bigint or number. */
export function marshal(signature: string, values: unknown[], start = 0): Uint8Array {
  const out: number[] = [];
  const align = (to: number) => {
    while ((start + out.length) % to !== 0) out.push(0);
  };
  const integer = (value: bigint, bytes: number) => {
    const unsigned = BigInt.asUintN(bytes * 8, value);
    for (let at = 0; at < bytes; at++) out.push(Number((unsigned >> BigInt(at * 8)) & 0xffn));
  };
  const put = (type: string, value: unknown): void => {
    const kind = type[0]!;
    align(alignments[kind]!);
    if (kind === 'y') out.push(value as number);
    else if (kind === 'b') integer(value ? 1n : 0n, 4);
    else if (kind === 'u' || kind === 'i') integer(BigInt(value as number), 4);
    else if (kind === 't' || kind === 'x') integer(BigInt(value as number | bigint), 8);
    else if (kind === 's' || kind === 'o' || kind === 'g') {
      const text = Buffer.from(value as string);
      if (kind === 'g') out.push(text.length);
      else integer(BigInt(text.length), 4);
      out.push(...text, 0);
    } else if (kind === 'v') {
      const { signature: of, value: inner } = value as Variant;
      put('g', of);
      put(of, inner);
    } else if (kind === 'a') {
      const element = type.slice(1);
      const at = out.length;
      integer(0n, 4);
      align(alignments[element[0]!]!);
      const first = out.length;
      for (const one of value as Iterable<unknown>) put(element, one);
      const length = out.length - first;
      for (let byte = 0; byte < 4; byte++) out[at + byte] = (length >>> (byte * 8)) & 0xff;
    } else {
      const inner = completeTypes(type.slice(1, -1));
      for (const [at, of] of inner.entries()) put(of, (value as unknown[])[at]);
    }
  };
  for (const [at, type] of completeTypes(signature).entries()) put(type, values[at]);
  return Uint8Array.from(out);
}

/** The values of `signature` at `offset`; 64-bit numbers as bigint, variants as what they hold. */
export function unmarshal(signature: string, bytes: Buffer, offset = 0): { values: unknown[]; end: number } {
  let at = offset;
  const align = (to: number) => {
    at = Math.ceil(at / to) * to;
  };
  const take = (count: number) => {
    at += count;
    return at - count;
  };
  const get = (type: string): unknown => {
    const kind = type[0]!;
    align(alignments[kind]!);
    if (kind === 'y') return bytes.readUInt8(take(1));
    if (kind === 'b') return bytes.readUInt32LE(take(4)) === 1;
    if (kind === 'u') return bytes.readUInt32LE(take(4));
    if (kind === 'i') return bytes.readInt32LE(take(4));
    if (kind === 't') return bytes.readBigUInt64LE(take(8));
    if (kind === 'x') return bytes.readBigInt64LE(take(8));
    if (kind === 's' || kind === 'o' || kind === 'g') {
      const length = kind === 'g' ? bytes.readUInt8(take(1)) : bytes.readUInt32LE(take(4));
      const from = take(length + 1);
      return bytes.toString('utf8', from, from + length);
    }
    if (kind === 'v') return get(get('g') as string);
    if (kind === 'a') {
      const length = bytes.readUInt32LE(take(4));
      align(alignments[type[1]!]!);
      const end = at + length;
      const found: unknown[] = [];
      while (at < end) found.push(get(type.slice(1)));
      return found;
    }
    return completeTypes(type.slice(1, -1)).map(get);
  };
  return { values: completeTypes(signature).map(get), end: at };
}

export function encodeMessage(message: Message): Uint8Array {
  const body = marshal(message.signature ?? '', message.body);
  const header = fields.flatMap(([name, type], at) =>
    message[name] === undefined ? [] : [[at + 1, { signature: type, value: message[name] } satisfies Variant]],
  );
  const kind = types.indexOf(message.type) + 1;
  const head = marshal('yyyyuua(yv)', ['l'.charCodeAt(0), kind, 0, 1, body.length, message.serial, header]);
  return Buffer.concat([head, Buffer.alloc((8 - (head.length % 8)) % 8), body]);
}

/** Null where the bytes do not hold a whole message yet. @throws for a big-endian peer, which a local one is not. */
export function decodeMessage(bytes: Buffer): { message: Message; length: number } | null {
  if (bytes.length < 16) return null;
  if (bytes[0] !== 'l'.charCodeAt(0)) throw new Error('not a little-endian D-Bus message');
  const headEnd = Math.ceil((16 + bytes.readUInt32LE(12)) / 8) * 8;
  const length = headEnd + bytes.readUInt32LE(4);
  if (bytes.length < length) return null;
  const [, kind, , , , serial, header] = unmarshal('yyyyuua(yv)', bytes).values as [
    ...[number, number, number, number, number, number],
    [number, unknown][],
  ];
  const message: Message = { type: types[kind - 1]!, serial, body: [] };
  for (const [code, value] of header) {
    const name = fields[code - 1]?.[0];
    if (name) Object.assign(message, { [name]: value });
  }
  if (message.signature) {
    message.body = unmarshal(message.signature, Buffer.from(bytes.subarray(headEnd, length))).values;
  }
  return { message, length };
}
