/** The files of a container as its processes see them, by a descriptor: what runs, and what has stopped. */
import { closeSync, constants, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import type { ContainerRecord, ContainerStatus } from '../../../schemas/container.ts';
import { StackError } from '../../../schemas/errors.ts';
import type { Fd } from '../../../schemas/kernel.ts';
import type { Host } from '../../host.ts';
import { files } from '../launch.ts';
import type { ImageMemo } from '../process.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
const O_PATH = 0o10000000;

export interface ContainerRoot extends Disposable {
  /** From which root a path of the container is walked, and how it reads there. The root stays this object's. */
  at(path: string): { root: Fd; path: string };
}

/**
 * The root of what runs is its first process's. What has stopped is seen through an overlay of our own, and its volumes at
 * their sources: its stack's lock is to be held, so that nobody starts it meanwhile.
 * @throws runtime.not-running where it is between two starts, state.damaged, KernelError
 */
export function openRoot(
  host: Host,
  record: ContainerRecord,
  status: ContainerStatus,
  isWritten: boolean,
): ContainerRoot {
  if (status.pid > 0) {
    const root = processRoot(record, status.pid);
    return { at: (path) => ({ root, path }), [Symbol.dispose]: () => closeSync(root) };
  }
  if (status.state === 'restarting') throw between(record);
  return stoppedRoot(host, record, isWritten);
}

/** The directory of /proc stays that of this very process: another one that gets its number is not entered. */
function processRoot(record: ContainerRecord, pid: number): Fd {
  let process: Fd | undefined;
  try {
    process = openSync(`/proc/${pid}`, O_RDONLY | O_DIRECTORY);
    const at = `/proc/self/fd/${process}`;
    if (readFileSync(`${at}/cgroup`, 'utf8').includes(record.id)) return openSync(`${at}/root`, O_PATH | O_DIRECTORY);
  } catch (thrown) {
    const { code = '' } = thrown as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ESRCH') throw thrown;
  } finally {
    if (process !== undefined) closeSync(process);
  }
  throw between(record);
}

const between = (record: ContainerRecord) =>
  new StackError('runtime.not-running', {
    message: `${record.name} has just ended, and may be about to start again.`,
    hint: 'Run the command once more.',
    resource: `container ${record.name}`,
  });

function stoppedRoot({ kernel, layout }: Host, record: ContainerRecord, isWritten: boolean): ContainerRoot {
  const directory = layout.containerDir(record.stack, record.id);
  const { layers } = JSON.parse(readFileSync(join(directory, files.image), 'utf8')) as ImageMemo;
  const opened: Fd[] = [];
  const open = (path: string, flags = O_NOFOLLOW) => {
    const fd = openSync(path, O_RDONLY | O_DIRECTORY | flags);
    opened.push(fd);
    return fd;
  };
  let work: string | undefined;
  const close = () => {
    for (const fd of opened.splice(0).reverse()) closeSync(fd);
    if (work !== undefined) rmSync(work, { recursive: true, force: true });
  };
  try {
    const lower = layers.map((layer) => open(layer));
    const upper = open(join(directory, 'upper'));
    // A directory of its own: overlayfs marks it, and would not take it again for the container.
    if (isWritten && lower.length > 0) work = mkdtempSync(join(directory, 'copy-'));
    const verbs = kernel.filesystem;
    // An image without layers has nothing that an overlay would lie over.
    const merge = () => (work ? verbs.overlayMount(lower, upper, open(work)) : verbs.overlayView([upper, ...lower]));
    const root = lower.length > 0 ? merge() : upper;
    if (root !== upper) opened.push(root);
    return {
      at(path) {
        const whole = posix.normalize(`/${path}`);
        const mount = record.mounts
          .filter(({ target }) => whole === target || whole.startsWith(`${target}/`))
          .sort((a, b) => b.target.length - a.target.length)[0];
        // What was in memory is gone: what lies below it is seen.
        if (!mount || mount.type === 'tmpfs') return { root, path };
        const isReadOnly = mount.readOnly || (mount.type === 'volume' && mount.options?.includes('ro') === true);
        if (isWritten && isReadOnly) throw readOnly(record, mount.target);
        const rest = `${whole.slice(mount.target.length)}${/\/\.?$/.exec(path)?.[0] ?? ''}`;
        switch (mount.type) {
          case 'volume':
            // Walked from the volume's own root: what containers put there leads nowhere else.
            return { root: open(mount.source, 0), path: `${mount.subpath ?? ''}${rest}` || '.' };
          case 'image': {
            const found = mount.layers.map((layer) => open(layer));
            if (found.length > 1) opened.push(verbs.overlayView(found));
            return { root: opened.at(-1)!, path: `${mount.path}${rest}` || '.' };
          }
          case 'bind': {
            // It may be a file.
            const source = realpathSync(mount.source);
            return { root: open(dirname(source), 0), path: `${basename(source)}${rest}` };
          }
        }
      },
      [Symbol.dispose]: close,
    };
  } catch (thrown) {
    close();
    throw thrown;
  }
}

/**
 * The container's root without what is mounted in it, to be read: its image and what it changed of it. It may run on; what it
 * changes meanwhile may be seen or not. The caller closes it.
 */
export function ownFiles({ kernel, layout }: Host, record: ContainerRecord): Fd {
  const directory = layout.containerDir(record.stack, record.id);
  const { layers } = JSON.parse(readFileSync(join(directory, files.image), 'utf8')) as ImageMemo;
  const fds = [join(directory, 'upper'), ...layers].map((path) => openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (fds.length === 1) return fds[0]!;
  try {
    return kernel.filesystem.overlayView(fds);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

const readOnly = (record: ContainerRecord, target: string) =>
  new StackError('copy.path', {
    message: `${record.name} has ${target} mounted read-only.`,
    errno: 'EROFS',
    resource: `container ${record.name}`,
  });
