/** Programs with something broken in their form. No text in them is changed: none does to a path what the whole would not. */

export interface Broken {
  what: string;
  bytes: Uint8Array;
}

interface Place {
  at: number;
  end: number;
}

const headSize = 8;
const stepHead = 8;

/** Where each step of a list lies. */
function steps(list: Buffer): Place[] {
  const places: Place[] = [];
  for (let at = 0; at < list.length; ) {
    const end = at + stepHead + list.readUInt32LE(at + 4);
    places.push({ at, end });
    at = end;
  }
  return places;
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};

function changed(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt32LE(value >>> 0, at);
  return copy;
}

/** A list of steps, each of them broken in every way there is. */
function* brokenLists(list: Buffer): Generator<Broken> {
  for (const { at, end } of steps(list)) {
    const name = `step ${list.readUInt16LE(at)} at ${at}`;
    const size = end - at - stepHead;
    yield { what: `cut before ${name}`, bytes: list.subarray(0, at) };
    yield { what: `cut inside ${name}`, bytes: list.subarray(0, at + 5) };
    yield { what: `${name} says it is endless`, bytes: changed(list, at + 4, 0xffff_ffff) };
    yield { what: `${name} says it is longer than all`, bytes: changed(list, at + 4, list.length) };
    yield { what: `${name} has no such code`, bytes: changed(list, at, 9999) };
    if (size < 4) continue;
    const parts = (body: Uint8Array) => [list.subarray(0, at + 4), u32(body.length), body, list.subarray(end)];
    const body = list.subarray(at + stepHead, end);
    // A byte less is always one too few: no step ends with something that may be left out.
    yield { what: `${name} is a byte short`, bytes: Buffer.concat(parts(body.subarray(0, size - 1))) };
    yield { what: `${name} has 3 bytes`, bytes: Buffer.concat(parts(body.subarray(0, 3))) };
  }
}

/** A whole program, broken at its head, at its top, and in the steps of its process. */
export function* brokenPrograms(program: Uint8Array, processCode: number): Generator<Broken> {
  const whole = Buffer.from(program);
  const head = whole.subarray(0, headSize);
  const top = whole.subarray(headSize);
  yield { what: 'empty', bytes: new Uint8Array() };
  for (let size = 1; size < whole.length; size += Math.ceil(whole.length / 40)) {
    yield { what: `cut at ${size}`, bytes: whole.subarray(0, size) };
  }
  yield { what: 'another magic', bytes: changed(whole, 0, 0x584b_5453) };
  yield { what: 'a later version', bytes: changed(whole, 4, 2) };
  for (const { what, bytes } of brokenLists(top)) yield { what: `top: ${what}`, bytes: Buffer.concat([head, bytes]) };
  const process = steps(top).find(({ at }) => top.readUInt16LE(at) === processCode);
  if (!process) return;
  const inner = top.subarray(process.at + stepHead + 4, process.end);
  for (const { what, bytes } of brokenLists(inner)) {
    const sizes = [u32(bytes.length + 4), u32(bytes.length)];
    const before = whole.subarray(0, headSize + process.at + 4);
    yield { what, bytes: Buffer.concat([before, ...sizes, bytes, top.subarray(process.end)]) };
  }
}
