/** A private bus (the real dbus-daemon) with a stand-in for systemd on it that notes what it is asked and ends every job. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeMessage, encodeMessage, type Message } from './dbus-wire.ts';

export const hasBus = spawnSync('dbus-daemon', ['--version']).status === 0;
if (!hasBus) console.log('skipped: the systemd manager against a real bus needs dbus-daemon');

const config = (socket: string) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy>
</busconfig>`;

/** @param answer an error's name for a call, or the result of the job it makes; `done` where absent. */
export async function fakeSystemd(answer: (call: Message) => { error?: string; result?: string } = () => ({})) {
  const folder = mkdtempSync(join(tmpdir(), 'stack-bus-'));
  const socketPath = join(folder, 'bus');
  writeFileSync(join(folder, 'bus.conf'), config(socketPath));
  const daemon = spawn('dbus-daemon', [`--config-file=${folder}/bus.conf`, '--nofork', '--print-address=1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(daemon.stdout, 'data');
  const socket = connect(socketPath);
  const calls: Message[] = [];
  let serial = 0;
  const send = (message: Omit<Message, 'serial'>) => socket.write(encodeMessage({ serial: ++serial, ...message }));
  const bus = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus' };
  const systemd = { path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager' };

  const ready = new Promise<void>((resolve) => {
    let bytes = Buffer.alloc(0);
    let isOpen = false;
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (!isOpen) {
        bytes = Buffer.alloc(0);
        isOpen = true;
        socket.write('BEGIN\r\n');
        send({ type: 'call', ...bus, member: 'Hello', body: [] });
        const name = ['org.freedesktop.systemd1', 0];
        send({ type: 'call', ...bus, member: 'RequestName', signature: 'su', body: name });
        return;
      }
      for (let read = decodeMessage(bytes); read; read = decodeMessage(bytes)) {
        bytes = Buffer.from(bytes.subarray(read.length));
        if (read.message.replySerial === 2) resolve();
        if (read.message.type === 'call') reply(read.message);
      }
    });
  });
  function reply(call: Message): void {
    calls.push(call);
    const back = { replySerial: call.serial, destination: call.sender! };
    const { error, result = 'done' } = answer(call);
    if (error) {
      send({ type: 'error', ...back, errorName: error, signature: 's', body: ['no'] });
      return;
    }
    if (!/^(Start|Stop)/.test(call.member!)) {
      send({ type: 'return', ...back, body: [] });
      return;
    }
    const job = `/org/freedesktop/systemd1/job/${call.serial}`;
    // Before the answer, as it may happen.
    const body = [call.serial, job, call.body[0], result];
    send({ type: 'signal', ...systemd, member: 'JobRemoved', signature: 'uoss', body });
    send({ type: 'return', ...back, signature: 'o', body: [job] });
  }
  socket.write('\0AUTH EXTERNAL 30\r\n');
  await ready;
  return {
    socketPath,
    calls,
    async [Symbol.asyncDispose]() {
      socket.destroy();
      const ended = once(daemon, 'exit');
      daemon.kill();
      // It takes its socket away as it ends, and a removal that meets that stops half way.
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
