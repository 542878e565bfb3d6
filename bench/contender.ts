/** Who is measured: ours in a private host, and the peers where they are found. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answers, run, type Timed } from './command.ts';
import type { PrivateHost } from './host.ts';
import { imageName } from './image.ts';
import { type Held, held } from './memory.ts';

export interface Contender {
  name: string;
  /** Takes the docker-archive into its store. */
  load(archive: string): Promise<void>;
  /** Runs a command (`up -d`, `ps`, …) on the stack of `size` services. */
  compose(size: number, args: string[]): Promise<Timed>;
  /** What is resident besides the containers' own processes. */
  held(): Held;
  /** Takes the image out of the store again. */
  unload(): Promise<void>;
}

/** Where peers are reached and which folder they share with us. */
export interface PeerAccess {
  /** Words in front of every command of a peer. */
  prefix: string[];
  folder: string;
  /** The same folder as those commands see it. */
  inside: string;
}

/**
 * From STACK_BENCH_PEER_PREFIX (words that lead a command to the peers, into another root or namespace, say) and
 * STACK_BENCH_PEER_FOLDER (`<folder here>=<the same folder there>`); without them peers are looked up on PATH.
 */
export function peerAccess(environment: NodeJS.ProcessEnv, temporary: string): PeerAccess {
  const prefix = (environment.STACK_BENCH_PEER_PREFIX ?? '').split(' ').filter(Boolean);
  const [here, there] = (environment.STACK_BENCH_PEER_FOLDER ?? '').split('=');
  const folder = join(here || temporary, `stack-bench-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  return { prefix, folder, inside: there ? join(there, `stack-bench-${process.pid}`) : folder };
}

function stackFile(size: number): string {
  const service = (index: number) => `  s${index + 1}:
    image: ${imageName}
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    stop_grace_period: 1s
`;
  return `name: bench-${size}\nservices:\n${Array.from({ length: size }, (_, index) => service(index)).join('')}`;
}

/** Writes the stack file of `size` services and gives its folder's name. */
function project(folder: string, size: number): string {
  const name = `bench-${size}`;
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, 'compose.yaml'), stackFile(size));
  return name;
}

export function ours(host: PrivateHost, command: string): Contender {
  return {
    name: 'stack',
    load: async (archive) => void (await run([...host.inside, command, 'image', 'load', '-i', archive], host)),
    compose: (size, args) => {
      const file = join(host.folder, project(host.folder, size), 'compose.yaml');
      return run([...host.inside, command, '-f', file, ...args], host);
    },
    held: () => held(host.isMonitor),
    unload: async () => {},
  };
}

interface Peer {
  name: string;
  /** Each must exit 0 for the peer to be measured: the command exists, and the engine behind it answers. */
  probes: string[][];
  compose: string[];
  engine: string;
  /** Names of the processes that stay. */
  stays: RegExp;
}

const peers: Peer[] = [
  {
    name: 'docker compose',
    probes: [
      ['docker', 'info'],
      ['docker', 'compose', 'version'],
    ],
    compose: ['docker', 'compose'],
    engine: 'docker',
    stays: /^(dockerd|containerd|docker-proxy|docker-init)/,
  },
  {
    name: 'podman-compose',
    probes: [
      ['podman', 'info'],
      ['podman-compose', '--version'],
    ],
    compose: ['podman-compose'],
    engine: 'podman',
    stays: /^(conmon|aardvark-dns|netavark|rootlessport|slirp4netns|pasta|catatonit)/,
  },
];

/** The peers that answer; `say` hears of those that do not. */
export async function findPeers({ prefix, folder, inside }: PeerAccess, say: (line: string) => void) {
  const found: Contender[] = [];
  for (const peer of peers) {
    const missing = await firstSilent(peer.probes.map((probe) => [...prefix, ...probe]));
    if (missing) {
      say(`${peer.name}: not measured, \`${missing.join(' ')}\` does not answer`);
      continue;
    }
    const engine = (...args: string[]) => run([...prefix, peer.engine, ...args]);
    found.push({
      name: peer.name,
      load: async (archive) => void (await engine('load', '-i', archive.replace(folder, inside))),
      compose: (size, args) =>
        run([...prefix, ...peer.compose, '-f', join(inside, project(folder, size), 'compose.yaml'), ...args]),
      held: () => held(({ name }) => peer.stays.test(name)),
      unload: async () => void (await engine('image', 'rm', imageName)),
    });
  }
  return found;
}

async function firstSilent(probes: string[][]): Promise<string[] | undefined> {
  for (const probe of probes) if (!(await answers(probe))) return probe;
  return undefined;
}
