/** Entering a running container: exec, and attaching to its first process. */
import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerRecord, ExitStatus } from '../../schemas/container.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';
import type { Host } from '../host.ts';
import { Connection, connectShim, encodeFrame, frame, isGone, numbers, readFailure } from '../runtime/control.ts';
import { execLabels } from '../runtime/oci/labels.ts';
import { encodeExec } from '../runtime/program/program.ts';
import { compileSeccomp } from '../runtime/seccomp/seccomp.ts';
import { readSpec } from '../runtime/spec-json.ts';
import { errnoName } from '../runtime/status.ts';
import type { ExecRequest, Session } from './containers.ts';
import { stepError } from './failure.ts';
import { containerCgroup, files } from './launch.ts';
import { execProcess } from './process.ts';

export async function exec(host: Host, record: ContainerRecord, request: ExecRequest): Promise<Session> {
  const directory = host.layout.containerDir(record.stack, record.id);
  const spec = readSpec(readFileSync(join(directory, files.spec), 'utf8'), join(directory, files.spec));
  const { plan } = containerCgroup(spec);
  const process = await execProcess(host, record, spec, request);
  const program = encodeExec({
    process,
    membership: { tasks: plan.tasks, unified: plan.unified ?? undefined },
    namespaces: sharedNamespaces(spec),
    container: spec.process?.capabilities,
    seccomp: spec.linux?.seccomp && !request.isPrivileged ? compileSeccomp(spec.linux.seccomp) : undefined,
    labels: execLabels(process),
  });
  const socket = connectShim(host.kernel, host.layout.containerRun(record.id), record.name);
  const pipes = request.isTty
    ? []
    : [host.kernel.process.pipe(), host.kernel.process.pipe(), host.kernel.process.pipe()];
  const theirs = pipes.map(([read, write], index) => (index === 0 ? read : write));
  const ours = pipes.map(([read, write], index) => (index === 0 ? write : read));
  try {
    host.kernel.process.send(socket, encodeFrame(frame.exec, program), theirs);
    const answer = await host.kernel.process.receive(socket);
    const type = answer ? Buffer.from(answer.frame).readUInt16LE(0) : frame.error;
    if (!answer || type !== frame.started) {
      const body = answer ? Buffer.from(answer.frame).subarray(2) : Buffer.alloc(0);
      throw stepError(record, body.length > 8 ? readFailure(body) : { step: 'exec', errno: errnoName(3), subject: '' });
    }
    const [terminal] = answer.fds;
    const [stdin, stdout, stderr] = terminal === undefined ? ours : [terminal, terminal, null];
    return session(new Connection(socket, record.name), { stdin: stdin!, stdout: stdout!, stderr: stderr ?? null });
  } catch (error) {
    for (const fd of [...ours, socket]) closeSync(fd);
    throw error;
  } finally {
    for (const fd of theirs) closeSync(fd);
  }
}

/** The namespaces of the container that are its own, network included where it does not use the host's. */
const sharedNamespaces = (spec: RuntimeSpec): string[] =>
  (spec.linux?.namespaces ?? []).map((one) => one.type).filter((type) => type !== 'user' && type !== 'time');

type Streams = Pick<Session, 'stdin' | 'stdout' | 'stderr'>;

/** A session whose connection tells the exit; `status` gives it where the shim went first. */
function session(connection: Connection, streams: Streams, status?: () => ExitStatus): Session {
  const exited = new Promise<ExitStatus>((resolve) => {
    const lost = () => resolve(status?.() ?? { exitCode: 137, isOomKilled: false });
    connection.listen(({ type, body }) => {
      if (type === frame.exit) resolve({ exitCode: body.readUInt32LE(0), isOomKilled: body.readUInt32LE(4) === 1 });
      if (type === frame.error) lost();
    }, lost);
  });
  return {
    ...streams,
    exited,
    resize: (rows, columns) => connection.send(frame.resize, numbers({ u16: rows }, { u16: columns })),
    signal: (signal) => connection.send(frame.signal, numbers({ u32: signal })),
    close: () => connection.close(),
  };
}

/** Copies of the first process's output, and its input where asked; with a terminal, stdout carries everything. */
export async function attach(
  host: Host,
  record: ContainerRecord,
  options: { stdin: boolean },
  wait: () => Promise<ExitStatus>,
): Promise<Session> {
  const { pipe, setNonBlocking, send, receive } = host.kernel.process;
  const socket = connectShim(host.kernel, host.layout.containerRun(record.id), record.name);
  const input = options.stdin ? pipe() : null;
  const output = pipe();
  const errors = record.isTty ? null : pipe();
  const theirs: Fd[] = [...(input ? [input[0]] : []), output[1], ...(errors ? [errors[1]] : [])];
  const ours: Fd[] = [...(input ? [input[1]] : []), output[0], ...(errors ? [errors[0]] : [])];
  try {
    for (const fd of theirs) setNonBlocking(fd);
    const wanted = (input ? 1 : 0) | 2 | (errors ? 4 : 0);
    send(socket, encodeFrame(frame.attach, numbers({ u32: wanted })), theirs);
    await receive(socket);
    const connection = new Connection(socket, record.name);
    const streams = { stdin: input?.[1] ?? null, stdout: output[0], stderr: errors?.[0] ?? null };
    const made = session(connection, streams);
    return { ...made, exited: wait(), signal: (signal) => connection.send(frame.kill, numbers({ u32: signal })) };
  } catch (error) {
    for (const fd of [...ours, socket]) closeSync(fd);
    throw error;
  } finally {
    for (const fd of theirs) closeSync(fd);
  }
}

export { isGone };
