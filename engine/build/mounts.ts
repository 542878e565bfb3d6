/** The mounts of a RUN step: what is bound, from where, and what has to be there first. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { BindMount, CacheMount, RunMount, SecretMount, SshMount } from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';
import type { FilesystemVerbs } from '../../schemas/kernel.ts';
import type { Mount } from '../../schemas/oci-runtime.ts';
import { lock, tryLock } from '../images/locks.ts';
import type { Store } from '../images/store.ts';
import type { Overlay } from '../runtime/program/process.ts';
import { copyTree } from '../volumes/tree.ts';
import type { NewLayer } from './new-layer.ts';
import { resolvePath } from './resolve.ts';
import { forwardAgent } from './ssh.ts';
import { directoriesOf, openView, type Tree } from './tree.ts';

export interface PreparedMounts extends AsyncDisposable {
  mounts: Mount[];
  views: Overlay[];
  /** Variables of secrets and of the agent. */
  environment: string[];
}

export interface MountRequest {
  store: Store;
  layer: NewLayer;
  mounts: RunMount[];
  /** What an input number stands for. */
  tree(input: number): Promise<Tree>;
  /** A copy of the directory of the machine that a mount's input is; undefined for one that is a tree. */
  contextDirectory(mount: BindMount): Promise<string | undefined>;
  /** Values by id. */
  secrets: Map<string, Buffer>;
  /** Sockets of agents by id. */
  ssh: Map<string, string>;
  /** Folder of the build's volatile files. */
  run: string;
  /** Where cache mounts lie. */
  caches: string;
  signal: AbortSignal;
}

/** @throws StackError build.secret, build.path */
export async function prepareMounts(request: MountRequest): Promise<PreparedMounts> {
  const stack = new AsyncDisposableStack();
  const prepared = { mounts: [] as Mount[], views: [] as Overlay[], environment: [] as string[] };
  try {
    const caches = await takeCaches(request, stack);
    for (const [at, mount] of request.mounts.entries()) {
      switch (mount.type) {
        case 'bind':
          prepared.mounts.push(await bind(request, mount, at, prepared.views));
          break;
        case 'cache':
          prepared.mounts.push(bound(caches.get(mount.id)!, mount.target, mount.readonly));
          break;
        case 'tmpfs':
          prepared.mounts.push({
            destination: mount.target,
            type: 'tmpfs',
            source: 'tmpfs',
            options: ['nosuid', 'nodev', ...(mount.size ? [`size=${mount.size}`] : [])],
          });
          break;
        case 'secret':
          secret(request, mount, at, prepared, stack);
          break;
        case 'ssh':
          await agent(request, mount, at, prepared, stack);
          break;
        case 'inline': {
          const folder = request.layer.make(`mounts/${at}`);
          writeOwned(join(folder, mount.name), mount.content, mount);
          prepared.mounts.push(bound(folder, mount.target, true));
        }
      }
    }
    return { ...prepared, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

const bound = (source: string, destination: string, isReadOnly: boolean): Mount => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind', 'rprivate', ...(isReadOnly ? ['rro'] : [])],
});

function writeOwned(
  path: string,
  content: string | Buffer,
  { mode, ...owner }: { mode: number; uid?: number; gid?: number },
): void {
  writeFileSync(path, content, { mode: 0o600, flag: 'wx' });
  chownSync(path, owner.uid ?? 0, owner.gid ?? 0);
  chmodSync(path, mode);
}

/** A view of the input's layers in the step's own namespace, of which the source is bound: writes go with the step. */
async function bind(request: MountRequest, mount: BindMount, at: number, views: Overlay[]): Promise<Mount> {
  const { store, layer } = request;
  const directory = mount.input === undefined ? undefined : await request.contextDirectory(mount);
  const tree = mount.input === undefined || directory ? { diffIds: [] } : await request.tree(mount.input);
  const layers = directory ? [directory] : directoriesOf(store, tree);
  const target = layer.make(`views/${at}`);
  views.push({
    layers: layers.length > 0 ? layers : [layer.make('empty')],
    upper: layer.make(`mounts/${at}-upper`),
    work: layer.make(`mounts/${at}-work`),
    target,
  });
  const source = directory ? sourceIn(store.verbs, directory, mount) : sourceOf(store, tree, mount);
  return bound(source ? `${target}/${source}` : target, mount.target, mount.readonly);
}

function sourceOf(store: Store, tree: Tree, mount: { source: string }): string {
  using view = openView(store, store.verbs, tree);
  return inside(resolvePath(store.verbs, view?.root, mount.source), mount.source);
}

function sourceIn(verbs: FilesystemVerbs, directory: string, mount: { source: string }): string {
  const root = openSync(directory, constants.O_DIRECTORY);
  try {
    return inside(resolvePath(verbs, root, mount.source), mount.source);
  } finally {
    closeSync(root);
  }
}

/** Without links: what is bound by its path cannot lead elsewhere. */
function inside({ path, kind }: ReturnType<typeof resolvePath>, written: string): string {
  if (kind !== undefined || path === '') return path;
  throw new StackError('build.not-found', {
    message: `${written} is not in what is to be mounted.`,
    hint: 'Check `source` and `from` of the mount.',
  });
}

/**
 * Directories by id. All steps take theirs in one order, so that no two wait for each other; one that a step mounts twice is
 * taken once, `locked` if one of them says so.
 */
async function takeCaches(request: MountRequest, stack: AsyncDisposableStack): Promise<Map<string, string>> {
  const rank = ({ sharing }: CacheMount) => ['locked', 'private', 'shared'].indexOf(sharing);
  const mounts = request.mounts.filter((mount) => mount.type === 'cache');
  mounts.sort((a, b) => (a.id === b.id ? rank(a) - rank(b) : a.id < b.id ? -1 : 1));
  const taken = new Map<string, string>();
  for (const mount of mounts) if (!taken.has(mount.id)) taken.set(mount.id, await cache(request, mount, stack));
  return taken;
}

/** The cache's directory; `locked` waits for it, `private` takes one that nobody uses. */
async function cache(request: MountRequest, mount: CacheMount, stack: AsyncDisposableStack): Promise<string> {
  const { caches, store, signal } = request;
  const key = createHash('sha256').update(mount.id).digest('hex').slice(0, 32);
  mkdirSync(caches, { recursive: true, mode: 0o700 });
  for (let number = 0; ; number++) {
    const name = number === 0 ? key : `${key}-${number}`;
    const path = join(caches, `${name}.lock`);
    if (mount.sharing === 'private') {
      const taken = tryLock(store.verbs, path, 'exclusive');
      if (!taken) continue;
      stack.use(taken);
    } else stack.use(await lock(store.verbs, path, mount.sharing === 'locked' ? 'exclusive' : 'shared', signal));
    // When it was last used.
    utimesSync(path, new Date(), new Date());
    const directory = join(caches, name);
    if (!existsSync(directory)) await fillCache(request, mount, directory);
    return join(directory, 'data');
  }
}

/** Whole or not at all: those that share it take turns, and the second finds it done. */
async function fillCache(request: MountRequest, mount: CacheMount, directory: string): Promise<void> {
  const { store, tree, signal } = request;
  using _ = await lock(store.verbs, `${directory}.fill`, 'exclusive', signal);
  if (existsSync(directory)) return;
  const made = `${directory}.new`;
  rmSync(made, { recursive: true, force: true });
  const data = join(made, 'data');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (mount.input !== undefined) {
    using view = openView(store, store.verbs, await tree(mount.input));
    const source = inside(resolvePath(store.verbs, view?.root, mount.source), mount.source);
    if (view) {
      const from = store.verbs.openat2(view.root, source || '.', { flags: constants.O_DIRECTORY });
      const to = openSync(data, constants.O_DIRECTORY);
      try {
        await copyTree(store.verbs, from, to);
      } finally {
        closeSync(from);
        closeSync(to);
      }
    }
  }
  chownSync(data, mount.uid, mount.gid);
  chmodSync(data, mount.mode);
  renameSync(made, directory);
}

type Prepared = Pick<PreparedMounts, 'mounts' | 'environment'>;

/** In the run folder, which is memory, for the time of the step: never near a layer. */
function secret(
  { secrets, run, layer }: MountRequest,
  mount: SecretMount,
  at: number,
  prepared: Prepared,
  stack: AsyncDisposableStack,
): void {
  const value = secrets.get(mount.id);
  if (value === undefined) {
    if (!mount.required) return;
    throw new StackError('build.secret', {
      message: `The secret ${mount.id} is required and was not handed to the build.`,
      hint: `Hand it over with \`--secret id=${mount.id},src=FILE\`, or name it in \`build.secrets\` of the stack file.`,
    });
  }
  if (mount.env !== undefined) prepared.environment.push(`${mount.env}=${value}`);
  if (mount.target === undefined) return;
  const path = join(run, `${layer.name}-secret-${at}`);
  stack.defer(() => rmSync(path, { force: true }));
  rmSync(path, { force: true });
  writeOwned(path, value, mount);
  prepared.mounts.push(bound(path, mount.target, true));
}

async function agent(
  { ssh, run, layer }: MountRequest,
  mount: SshMount,
  at: number,
  prepared: Prepared,
  stack: AsyncDisposableStack,
): Promise<void> {
  const socket = ssh.get(mount.id);
  if (socket === undefined) {
    if (!mount.required) return;
    throw new StackError('build.secret', {
      message: `The ssh agent ${mount.id} is required and was not handed to the build.`,
      hint: `Hand it over with \`--ssh ${mount.id}\`, or name it in \`build.ssh\` of the stack file.`,
    });
  }
  const path = join(run, `${layer.name}-ssh-${at}`);
  stack.use(await forwardAgent(socket, path, mount));
  const target = mount.target ?? `/run/buildkit/ssh_agent.${at}`;
  prepared.mounts.push(bound(path, target, false));
  prepared.environment.push(`SSH_AUTH_SOCK=${target}`);
}
