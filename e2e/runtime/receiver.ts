/** Whoever listens at a socket that the runtime sends descriptors to, in Python: Node has no SCM_RIGHTS. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Bundle } from './bundle.ts';

const head = `
import array, fcntl, json, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
print('ready', flush=True)
c, _ = s.accept()
message, fds, _, _ = socket.recv_fds(c, 1 << 20, 4)
`;

const tails = {
  /** Answers a line, and reads what the terminal says until it has seen it. */
  terminal: `
os.write(fds[0], b'you\\n')
text = b''
while b'to you' not in text:
    try: part = os.read(fds[0], 4096)
    except OSError: break
    if not part: break
    text += part
print(json.dumps({'message': message.decode(), 'count': len(fds), 'text': text.decode()}))
`,
  /** Answers each system call it is notified of with ENOSPC. seccomp_unotify(2). */
  notifications: `
print(json.dumps({'message': json.loads(message), 'count': len(fds)}), flush=True)
while True:
    request = bytearray(80)
    try: fcntl.ioctl(fds[0], 0xc0502100, request)
    except OSError: break
    ident = struct.unpack_from('Q', request)[0]
    fcntl.ioctl(fds[0], 0xc0182101, struct.pack('QqiI', ident, 0, -28, 0))
`,
};

export interface Received {
  message: string;
  count: number;
  text: string;
}

/** Resolves once it listens. */
export async function receiver(bundle: Bundle, kind: keyof typeof tails, socket: string) {
  const script = bundle.file(`${kind}.py`, head + tails[kind]);
  const child = spawn('python3', [script, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const ended = once(child, 'exit').then(() => JSON.parse(text.slice(text.indexOf('\n'))) as Received);
  while (!text.includes('ready')) await once(child.stdout, 'data');
  return { ended, stop: () => child.kill('SIGKILL') };
}
