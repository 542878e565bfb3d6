/**
 * Netlink messages: a batch of requests as bytes, the kernel's answers as objects.
 * Source: netlink(7), include/uapi/linux/netlink.h `struct nlmsghdr`, `struct nlmsgerr`, `enum nlmsgerr_attrs`.
 */
import { align, readAttributes, readText } from './attributes.ts';

export const flag = {
  request: 0x1,
  ack: 0x4,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
};

const HEADER = 16;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const CAPPED = 0x100;
const ACK_TLVS = 0x200;
const TEXT_ATTRIBUTE = 1;

export interface Request {
  type: number;
  /** NLM_F_* besides NLM_F_REQUEST. Errors are answered without NLM_F_ACK too, successes need no answer. */
  flags: number;
  /** Family header and attributes. */
  body: Uint8Array;
  /** What the request does, for the error: `create bridge st-…`. */
  about: string;
  /** Refusals that mean the wanted state is there already. */
  tolerate?: string[];
}

export interface Answer {
  /** Which request of the batch it answers. */
  index: number;
  type: number;
  body: Buffer;
}

export interface Refusal {
  index: number;
  /** Positive errno. */
  errno: number;
  /** The extended acknowledgement's text; empty where the kernel gave none. */
  text: string;
}

/** The sequence number of a request is its index plus one. */
export function encode(requests: Request[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const [index, { type, flags, body }] of requests.entries()) {
    const header = Buffer.alloc(HEADER);
    header.writeUInt32LE(HEADER + body.length, 0);
    header.writeUInt16LE(type, 4);
    header.writeUInt16LE(flag.request | flags, 6);
    header.writeUInt32LE(index + 1, 8);
    parts.push(header, body);
    const padding = align(body.length) - body.length;
    if (padding > 0) parts.push(Buffer.alloc(padding));
  }
  return Buffer.concat(parts);
}

export function decode(bytes: Uint8Array): { answers: Answer[]; refusals: Refusal[] } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const answers: Answer[] = [];
  const refusals: Refusal[] = [];
  for (let at = 0; at + HEADER <= buffer.length; ) {
    const length = buffer.readUInt32LE(at);
    if (length < HEADER || at + length > buffer.length) break;
    const type = buffer.readUInt16LE(at + 4);
    const flags = buffer.readUInt16LE(at + 6);
    const index = buffer.readUInt32LE(at + 8) - 1;
    const body = buffer.subarray(at + HEADER, at + length);
    if (type === NLMSG_ERROR || type === NLMSG_DONE) {
      const errno = body.length >= 4 ? -body.readInt32LE(0) : 0;
      if (errno > 0) refusals.push({ index, errno, text: type === NLMSG_ERROR ? refusalText(body, flags) : '' });
    } else {
      answers.push({ index, type, body });
    }
    at += align(length);
  }
  return { answers, refusals };
}

/** After the error number comes the request's header, and its payload unless NLM_F_CAPPED; then the attributes. */
function refusalText(body: Buffer, flags: number): string {
  if (!(flags & ACK_TLVS) || body.length < 4 + HEADER) return '';
  const echoed = flags & CAPPED ? HEADER : align(body.readUInt32LE(4));
  return readText(readAttributes(body.subarray(4 + echoed)).get(TEXT_ATTRIBUTE)) ?? '';
}
