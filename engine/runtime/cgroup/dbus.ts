/** A small client of the system bus: calls with answers, signals. Source: D-Bus Specification. */
import { connect, type Socket } from 'node:net';
import { StackError } from '../../../schemas/errors.ts';
import { decodeMessage, encodeMessage, type Message } from './dbus-wire.ts';

export const systemBus = '/run/dbus/system_bus_socket';

export interface Call {
  destination: string;
  path: string;
  interface: string;
  member: string;
  signature?: string;
  args?: unknown[];
}

/** An error the other side answered: `org.freedesktop.systemd1.UnitExists`. */
export class BusError extends Error {
  readonly errorName: string;
  constructor(name: string, text: string) {
    super(`${name}: ${text}`);
    this.errorName = name;
  }
}

export interface Bus {
  /** @throws BusError for what the other side refuses, StackError where the bus is gone. */
  call(call: Call): Promise<unknown[]>;
  /** Every signal from now on. */
  onSignal(listener: (message: Message) => void): void;
  close(): void;
}

/** Connects, proves who we are and says Hello. @throws host.cgroup where no system bus answers within `timeoutMs`. */
export async function openBus(socketPath = systemBus, timeoutMs = 5000): Promise<Bus> {
  const socket = connect(socketPath);
  const bus = new Connection(socket, socketPath);
  const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  try {
    await bus.authenticated;
    const own = 'org.freedesktop.DBus';
    await bus.call({ destination: own, path: '/org/freedesktop/DBus', interface: own, member: 'Hello' });
    return bus;
  } catch (thrown) {
    bus.close();
    throw noBus(socketPath, thrown);
  } finally {
    clearTimeout(timer);
  }
}

class Connection implements Bus {
  readonly authenticated: Promise<void>;
  readonly #socket: Socket;
  readonly #path: string;
  readonly #waiting = new Map<number, { resolve(body: unknown[]): void; reject(thrown: unknown): void }>();
  readonly #listeners: ((message: Message) => void)[] = [];
  #serial = 0;
  #bytes = Buffer.alloc(0);
  #isAuthenticated = false;
  #lost: unknown;

  constructor(socket: Socket, path: string) {
    this.#socket = socket;
    this.#path = path;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.authenticated = promise;
    const lose = (thrown: unknown) => {
      this.#lost ??= thrown;
      reject(thrown);
      for (const one of this.#waiting.values()) one.reject(noBus(this.#path, thrown));
      this.#waiting.clear();
    };
    socket.on('error', lose);
    socket.on('close', () => lose(new Error('the connection was closed')));
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      try {
        if (!this.#isAuthenticated) this.#readAnswer(resolve);
        if (this.#isAuthenticated) this.#readMessages();
      } catch (thrown) {
        socket.destroy(thrown as Error);
      }
    });
    // EXTERNAL: the bus takes the user from the socket; the id in hexadecimal of its decimal digits is a formality.
    const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
    socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
  }

  #readAnswer(done: () => void): void {
    const end = this.#bytes.indexOf('\r\n');
    if (end < 0) return;
    const answer = this.#bytes.toString('utf8', 0, end);
    this.#bytes = this.#bytes.subarray(end + 2);
    if (!answer.startsWith('OK ')) throw new Error(`it refused this user: ${answer}`);
    this.#socket.write('BEGIN\r\n');
    this.#isAuthenticated = true;
    done();
  }

  #readMessages(): void {
    for (;;) {
      const read = decodeMessage(this.#bytes);
      if (!read) return;
      this.#bytes = Buffer.from(this.#bytes.subarray(read.length));
      const { message } = read;
      if (message.type === 'signal') for (const listener of this.#listeners) listener(message);
      const waiting = this.#waiting.get(message.replySerial ?? 0);
      if (!waiting) continue;
      this.#waiting.delete(message.replySerial!);
      if (message.type === 'error') {
        waiting.reject(new BusError(message.errorName ?? 'unknown', String(message.body[0] ?? '')));
      } else waiting.resolve(message.body);
    }
  }

  call({ args = [], ...call }: Call): Promise<unknown[]> {
    if (this.#lost) return Promise.reject(noBus(this.#path, this.#lost));
    const serial = ++this.#serial;
    return new Promise((resolve, reject) => {
      this.#waiting.set(serial, { resolve, reject });
      this.#socket.write(encodeMessage({ type: 'call', serial, ...call, body: args }));
    });
  }

  onSignal(listener: (message: Message) => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#socket.destroy();
  }
}

function noBus(path: string, thrown: unknown): StackError {
  if (thrown instanceof StackError) return thrown;
  const errno = (thrown as NodeJS.ErrnoException).code;
  return new StackError('host.cgroup', {
    message: `the systemd cgroup manager was asked for, and no system bus answers at ${path}: ${errno ?? (thrown as Error).message}`,
    hint: 'Where systemd does not run, leave out --systemd-cgroup: cgroups are then made without it.',
    operation: `connect ${path}`,
    errno,
    cause: thrown,
  });
}
