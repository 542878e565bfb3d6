/**
 * The namespaces of a private host: network, mount and pid of its own, joined by a veth pair to a second network
 * namespace that plays the rest of the world (192.0.2.2, 2001:db8::2; documentation addresses, RFC 5737 and 3849).
 * They last as long as a pipe held by the test process: when that process ends, in whatever way, all of it is gone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { children, must } from './process.ts';

export interface Namespaces {
  /** First process of the pid namespace, as the machine counts. */
  pid: number;
  /** Words that lead a command into the host, and into the world outside it. */
  inside: string[];
  outside: string[];
  /** Processes that belong to the harness. */
  own(): number[];
  close(): Promise<void>;
}

/** Resolves with the pid of the process that says it is ready, as the machine counts. */
async function anchor(words: string[], env: NodeJS.ProcessEnv): Promise<{ child: ChildProcess; pid: number }> {
  const child = spawn(words[0]!, words.slice(1), { env, stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`${words.join(' ')}: exit ${code}`)));
    child.once('error', reject);
  });
  return { child, pid: children(child.pid!)[0] ?? child.pid! };
}

const hold = 'echo ready; while read -r _; do :; done';
const hostSetup = `
set -e
ip link set lo up
mount --bind "$RESOLV" "$(readlink -f /etc/resolv.conf)"
${hold}`;

const veth = (host: number, outside: number) => `
set -e
in_host="nsenter -t ${host} -n"
outside="nsenter -t ${outside} -n"
$outside ip link set lo up
$in_host ip link add out0 type veth peer name eth0 netns ${outside}
for end in "$in_host:1:2:out0" "$outside:2:1:eth0"; do
  IFS=: read -r enter own other link <<END
$end
END
  $enter ip address add 192.0.2.$own/24 dev $link
  $enter ip -6 address add 2001:db8::$own/64 dev $link nodad
  $enter ip link set $link up
done
$in_host ip route add default via 192.0.2.2
$in_host ip -6 route add default via 2001:db8::2
`;

export async function openNamespaces(resolvConf: string): Promise<Namespaces> {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, RESOLV: resolvConf };
  const host = await anchor(
    [
      'unshare',
      '-n',
      '-m',
      '-p',
      '-f',
      '--kill-child',
      '--mount-proc',
      '--propagation',
      'private',
      'bash',
      '-c',
      hostSetup,
    ],
    env,
  );
  const inside = ['nsenter', '-t', `${host.pid}`, '-n', '-m', '-p', '--'];
  const world = await anchor([...inside, 'unshare', '-n', 'bash', '-c', hold], env);
  const outside = ['nsenter', '-t', `${world.pid}`, '-n', '-m', '-p', '--'];
  await must([], ['sh', '-c', veth(host.pid, world.pid)], { env });
  const server = await anchor([...outside, process.execPath, join(import.meta.dirname, 'world.mjs')], env);
  return {
    pid: host.pid,
    inside,
    outside,
    own: () => [host.pid, world.pid, server.pid],
    async close() {
      const gone = new Promise((resolve) => host.child.once('exit', resolve));
      host.child.stdin?.end();
      await gone;
    },
  };
}
