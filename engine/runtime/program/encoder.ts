/** The binary form of a program: steps of little-endian numbers, strings and lists (native/shim/program.h reads it). */

const magic = 0x504b5453;
const version = 1;

/** Codes of native/shim/program.h `Code`. */
export const code = {
  identity: 1,
  log: 2,
  restart: 3,
  stdio: 4,
  health: 5,
  dns: 6,
  hold: 7,
  cgroup: 8,
  process: 9,
  endpoint: 10,
  network: 11,
  monitorCgroup: 12,
  launch: 13,
  settle: 14,
  forward: 15,
  link: 16,
  clone: 100,
  joinCgroup: 101,
  setns: 102,
  unshare: 103,
  hostname: 104,
  domainname: 105,
  propagation: 106,
  overlay: 107,
  bindRoot: 108,
  mount: 110,
  bind: 111,
  mknod: 112,
  symlink: 113,
  terminal: 114,
  pivot: 115,
  sysctl: 116,
  readonlyRoot: 117,
  mask: 118,
  readonlyPath: 119,
  rlimit: 120,
  oomScore: 121,
  chdir: 122,
  bounding: 123,
  user: 124,
  capabilities: 125,
  noNewPrivileges: 126,
  seccomp: 127,
  await: 128,
  session: 129,
  init: 130,
  exec: 131,
  joinContainer: 132,
  userNamespace: 133,
  fork: 134,
  setnsPath: 135,
  timeOffsets: 136,
  source: 137,
  hook: 138,
  sync: 139,
  listener: 140,
  scheduler: 141,
  ioPriority: 142,
  affinity: 143,
  personality: 144,
  memoryPolicy: 145,
  label: 146,
  moveRoot: 147,
  attributes: 148,
  reconfigure: 149,
  files: 150,
  keyring: 151,
  loopback: 152,
  chroot: 153,
  lookup: 154,
  sourceBeneath: 155,
} as const;

export type StepName = keyof typeof code;

/** A value of a step's body. Plain numbers are u32. */
export type Field =
  | number
  | string
  | readonly string[]
  | readonly number[]
  | Uint8Array
  | { u16: number }
  | { u64: number | bigint };

/** One step: what to do, with what. A program is readable as data until it is encoded. */
export type Step = readonly [name: StepName, ...fields: Field[]];

class Buffer32 {
  private bytes = Buffer.allocUnsafe(16384);
  private at = 0;

  private room(size: number): void {
    if (this.at + size <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + size));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }
  u16(value: number): void {
    this.room(2);
    this.at = this.bytes.writeUInt16LE(value, this.at);
  }
  u32(value: number): void {
    this.room(4);
    this.at = this.bytes.writeUInt32LE(value, this.at);
  }
  u64(value: number | bigint): void {
    this.room(8);
    this.at = this.bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), this.at);
  }
  raw(value: Uint8Array): void {
    this.room(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }
  string(value: string): void {
    const size = Buffer.byteLength(value);
    this.u32(size);
    this.room(size + 1);
    this.at += this.bytes.write(value, this.at);
    this.bytes[this.at++] = 0;
  }
  field(value: Field): void {
    if (typeof value === 'number') this.u32(value);
    else if (typeof value === 'string') this.string(value);
    else if (value instanceof Uint8Array) {
      this.u32(value.length);
      this.raw(value);
    } else if (Array.isArray(value)) {
      this.u32(value.length);
      for (const one of value as Field[]) this.field(one);
    } else if ('u16' in value) this.u16(value.u16);
    else this.u64((value as { u64: number | bigint }).u64);
  }
  step([name, ...fields]: Step): void {
    this.u16(code[name]);
    this.u16(0);
    this.u32(0);
    const start = this.at;
    for (const field of fields) this.field(field);
    this.bytes.writeUInt32LE(this.at - start, start - 4);
  }
  done(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }
}

/** Steps without a head: the body of a step that holds others. */
export function encodeSteps(steps: readonly Step[]): Uint8Array {
  const out = new Buffer32();
  for (const step of steps) out.step(step);
  return out.done();
}

/** A whole program. Strings must not contain NUL: the decoder refuses them. */
export function encodeProgram(steps: readonly Step[]): Uint8Array {
  const out = new Buffer32();
  out.u32(magic);
  out.u32(version);
  for (const step of steps) out.step(step);
  return out.done();
}
