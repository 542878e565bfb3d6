import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { connectShim, encodeFrame, frame, numbers } from './control.ts';
import { encodeExec } from './program/program.ts';
import { Box, namespaces, obstacle } from './shim.fixture.ts';

function hasNamespace(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`) !== '';
  } catch {
    return false;
  }
}

describe.skipIf(obstacle !== '')(`the shim${obstacle && ` (skipped: ${obstacle})`}`, () => {
  test.each([0, 1, 42, 255])('exit code %i is kept', async (code) => {
    using box = new Box();
    const { status } = await box.complete(['sh', '-c', `exit ${code}`]);
    expect(status).toMatchObject({ state: 'exited', exitCode: code });
    expect(status.finishedAt >= status.startedAt).toBe(true);
  });

  test('death by a signal is 128 and its number', async () => {
    using box = new Box();
    const { status } = await box.complete(['sh', '-c', 'kill -SEGV $$'], { hasInit: true });
    expect(status.exitCode).toBe(139);
  });

  test.each([
    [['nope'], { step: 'exec', errno: 'ENOENT', subject: 'nope' }],
    [['/etc/hosts'], { step: 'exec', errno: 'EACCES', subject: '/etc/hosts' }],
    [['/etc'], { step: 'exec', errno: 'EACCES', subject: '/etc' }],
  ])('%j cannot be executed', async (args, failure) => {
    using box = new Box();
    expect((await box.complete(args)).failure).toEqual(failure);
  });

  test('output of both streams is in the log to the last byte', async () => {
    using box = new Box();
    const { log } = await box.complete([
      'sh',
      '-c',
      'i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done; printf end',
    ]);
    expect(log).toBe(`${Array.from({ length: 5000 }, (_, i) => `line ${i}\n`).join('')}end\n`);
  });

  test('a container sees its own pids, name and mounts, and no capability or descriptor beyond', async () => {
    using box = new Box();
    const script =
      'echo $$; hostname; grep -c . /proc/mounts >/dev/null && ! grep -q vda1 /proc/mounts; grep -E "CapEff|CapBnd|Seccomp:" /proc/self/status; echo fds $(ls /proc/self/fd); echo masked $(wc -c < /proc/timer_list); echo x > /proc/sys/kernel/hostname || echo refused';
    const { log } = await box.complete(['sh', '-c', script]);
    const lines = log.split('\n').map((line) => line.replace(/\s+/g, ' ').trim());
    expect(lines[0]).toBe('1');
    expect(lines[1]).toBe('box');
    expect(lines).toContain('CapEff: 00000000000000e1');
    expect(lines).toContain('CapBnd: 00000000000000e1');
    expect(lines).toContain('Seccomp: 2');
    expect(lines).toContain('fds 0 1 2 3'); // ls itself has 3 open
    expect(lines).toContain('masked 0');
    expect(lines).toContain('refused');
  });

  test('user, groups and umask', async () => {
    using box = new Box();
    const user = { uid: 1000, gid: 1001, additionalGids: [1001, 7], umask: 0o077 };
    const { log } = await box.complete(['sh', '-c', 'id -u; id -g; id -G; umask; echo hi > /dev/stdout'], {
      process: { user, capabilities: { bounding: [] } },
    });
    expect(log).toBe('1000\n1001\n1001 7\n0077\nhi\n');
  });

  test('a terminal is the container’s own', async () => {
    using box = new Box();
    const { log } = await box.complete(['sh', '-c', 'tty; stty size'], {
      process: { terminal: true, consoleSize: { height: 11, width: 22 } },
    });
    expect(log.replaceAll('\r', '')).toBe('/dev/pts/0\n11 22\n');
  });

  test('stop sends the stop signal, and SIGKILL after the grace period', async () => {
    using box = new Box();
    await box.create(['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 1; done'], {});
    await box.start();
    const answer = await box.connection!.ask(frame.stop, numbers({ u32: 0 }, { i64: 100 }));
    expect([answer.type, answer.body.readUInt32LE(0)]).toEqual([frame.exit, 137]);
    expect(box.status()).toMatchObject({ state: 'exited', isStopRequested: true });
  });

  test('on-failure restarts up to its limit and keeps the last exit code', async () => {
    using box = new Box();
    const { status, log } = await box.complete(['sh', '-c', 'echo run; exit 3'], {
      settings: { restart: { policy: 'on-failure', limit: 2, delayMs: 1, longestMs: 60_000, windowMs: 0 } },
    });
    expect(status).toMatchObject({ state: 'exited', exitCode: 3, restartCount: 2 });
    expect(log).toBe('run\nrun\nrun\n');
  });

  test('a probe makes it healthy as soon as it is, and early failures do not count', async () => {
    using box = new Box();
    const pace = { intervalMs: 60_000, timeoutMs: 1_000, startPeriodMs: 0, startIntervalMs: 5_000, retries: 1 };
    await box.create(['sh', '-c', 'sleep 0.2; touch /tmp/ok; sleep 60'], {
      health: { ...pace, test: ['sh', '-c', 'test -e /tmp/ok || { echo not yet; exit 1; }'] },
    });
    await box.start();
    const seen = await new Promise<string[]>((resolve) => {
      const states: string[] = [];
      box.connection!.listen(
        ({ body }) => {
          states.push(/^health (\w+)/m.exec(body.toString())![1]!);
          if (states.at(-1) !== 'starting') resolve(states);
        },
        () => {},
      );
      box.connection!.send(frame.subscribe);
    });
    expect(seen.at(-1)).toBe('healthy');
    expect(box.status()).toMatchObject({ failingStreak: 0, health: 'healthy' });
  });

  test('exec runs inside, in the same namespaces, and its exit code comes back', async () => {
    using box = new Box();
    await box.create(['sleep', '60']);
    await box.start();
    const [read, write] = box.kernel.process.pipe();
    const process = {
      args: ['sh', '-c', 'hostname; cat /proc/1/cmdline | tr "\\0" " "; head -c 7 /proc/self/mounts; exit 9'],
      cwd: '/tmp',
      env: ['PATH=/bin'],
      user: { uid: 0, gid: 0 },
      capabilities: { bounding: [] },
    };
    const program = encodeExec({ process, membership: { tasks: [] }, namespaces, seccomp: undefined });
    const socket = connectShim(box.kernel, box.run, 'box');
    box.kernel.process.send(socket, encodeFrame(frame.exec, program), [read, write, write]);
    closeSync(write);
    const types: number[] = [];
    let code = -1;
    for (
      let answer = await box.kernel.process.receive(socket);
      answer;
      answer = await box.kernel.process.receive(socket)
    ) {
      const reply = Buffer.from(answer.frame);
      types.push(reply.readUInt16LE(0));
      if (types.at(-1) === frame.exit) code = reply.readUInt32LE(2);
      if (types.at(-1) !== frame.started) break;
    }
    expect(types).toEqual([frame.started, frame.exit]);
    expect(code).toBe(9);
    expect(readFileSync(read, 'utf8')).toBe('box\nsleep 60 overlay');
    closeSync(read);
    closeSync(socket);
  });

  test('the container dies with its monitor, and the status says so', async () => {
    using box = new Box();
    await box.create(['sleep', '60']);
    await box.start();
    const { pid, shimPid } = box.status();
    process.kill(shimPid, 'SIGKILL');
    await box.ended();
    expect(box.status()).toMatchObject({ state: 'dead', pid: 0 });
    // Its parent's death signal comes a moment after the shim's socket closed; a zombie has no namespaces.
    for (let i = 0; i < 100 && hasNamespace(pid); i++) await sleep(10);
    expect(hasNamespace(pid)).toBe(false);
  });

  test('who asks whether it lives is not in its way', async () => {
    using box = new Box();
    const asking = openSync(box.run, 'r');
    box.kernel.filesystem.tryFlock(asking, 'shared');
    setTimeout(() => closeSync(asking), 60);
    expect(await box.create(['sleep', '60'])).toBeUndefined();
    expect(box.isAlive()).toBe(true);
  });

  test('a resolver that was killed comes back', async () => {
    using box = new Box();
    await box.create(['sleep', '60'], { settings: { dns: { upstreams: [], forwards: false } } });
    await box.start();
    const { shimPid } = box.status();
    const resolver = () =>
      readFileSync(`/proc/${shimPid}/task/${shimPid}/children`, 'utf8')
        .trim()
        .split(' ')
        .find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'stack-dns\n');
    const first = resolver();
    process.kill(Number(first), 'SIGKILL');
    for (let tries = 0; (!resolver() || resolver() === first) && tries < 150; tries++) await sleep(20);
    expect(Number(resolver())).toBeGreaterThan(0);
    expect(resolver()).not.toBe(first);
  });

  test('a program that is none is refused and nothing stays', async () => {
    using box = new Box();
    const spawn = (bytes: Uint8Array) => box.kernel.process.spawnShim({ program: bytes, fds: [] });
    await expect(spawn(new Uint8Array(64))).rejects.toMatchObject({ step: 'exec' });
    await expect(spawn(Buffer.from('53544b5001000000ffff0000ffffffff', 'hex'))).rejects.toMatchObject({ step: 'exec' });
    expect(box.isAlive()).toBe(false);
  });
});
