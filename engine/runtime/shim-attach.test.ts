/** Readers of a container's output that are slow, or gone: the monitor waits for none of them. */
import { closeSync, readFileSync, readSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { connectShim, encodeFrame, frame, numbers } from './control.ts';
import { Box, obstacle } from './shim.fixture.ts';

/** Read ends of stdout and stderr. */
async function attach(box: Box): Promise<[stdout: number, stderr: number]> {
  const { pipe, setNonBlocking, send, receive } = box.kernel.process;
  const [output, errors] = [pipe(), pipe()];
  const theirs = [output[1], errors[1]];
  for (const fd of theirs) setNonBlocking(fd);
  const socket = connectShim(box.kernel, box.run, 'box');
  send(socket, encodeFrame(frame.attach, numbers({ u32: 6 })), theirs);
  await receive(socket);
  for (const fd of [...theirs, socket]) closeSync(fd);
  return [output[0], errors[0]];
}

/** Bytes that could be read without waiting. */
function available(fd: number): number {
  const buffer = Buffer.alloc(65_536);
  try {
    return readSync(fd, buffer);
  } catch {
    return 0;
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds() && tries < 600; tries++) await sleep(20);
  expect(holds()).toBe(true);
}

describe.skipIf(obstacle !== '')(`attached readers${obstacle && ` (skipped: ${obstacle})`}`, () => {
  test('a container ends although nobody reads, and the reader gets all of it later', async () => {
    using box = new Box();
    // More than the reader's pipe holds, less than it and the container's own do: what is over waits in the monitor.
    await box.create(['sh', '-c', 'head -c 100000 /dev/zero; echo end >&2']);
    const [stdout, stderr] = await attach(box);
    await box.start();
    await until(() => box.status().state === 'exited' && !box.isAlive());
    expect(readFileSync(stdout)).toHaveLength(100_000); // and its end
    expect(readFileSync(stderr, 'utf8')).toBe('end\n');
    for (const fd of [stdout, stderr]) closeSync(fd);
  });

  test('a reader that went takes no other reader’s output along', async () => {
    using box = new Box();
    const script = 'head -c 100000 /dev/zero >&2; echo full; read _; echo more; head -c 100000 /dev/zero >&2; sleep 60';
    await box.create(['sh', '-c', script], { settings: { hasStdin: true } });
    const [stdout, stderr] = await attach(box);
    const [input, toInput] = box.kernel.process.pipe();
    const socket = connectShim(box.kernel, box.run, 'box');
    box.kernel.process.send(socket, encodeFrame(frame.attach, numbers({ u32: 1 })), [input]);
    await box.start();
    readSync(stdout, Buffer.alloc(5));
    closeSync(stdout);
    writeSync(toInput, 'go\n');
    await until(() => box.log().includes('more'));
    box.kernel.process.setNonBlocking(stderr);
    let size = 0;
    await until(() => {
      size += available(stderr);
      return size === 200_000;
    });
    for (const fd of [stderr, input, toInput, socket]) closeSync(fd);
  });
});
