/**
 * Volumes that are a file system of their own (`driver_opts` of `local`): mounted on the volume's directory in the host's
 * table, where all their containers find the same one, from the first container that is made until the last has gone.
 */
import { lookup } from 'node:dns/promises';
import { closeSync, constants, openSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { isProblem, type LocalVolume, localVolume, remoteTypes } from '../../planner/load/local-volume.ts';
import type { VolumeRecord } from '../../schemas/container.ts';
import { type ErrorCode, StackError } from '../../schemas/errors.ts';
import type { FilesystemVerbs, KernelError } from '../../schemas/kernel.ts';
import { mountOptionsOf } from '../runtime/program/mount-options.ts';

/** What the content lies in. @throws config.not-supported where the record asks for what cannot be done. */
export function localOf({ name, config }: Pick<VolumeRecord, 'name' | 'config'>): LocalVolume {
  const local = localVolume(config.driver_opts);
  if (!isProblem(local)) return local;
  const resource = local.option === undefined ? `volume ${name}` : `volume ${name}: driver_opts.${local.option}`;
  throw new StackError('config.not-supported', {
    message: `${resource}: ${local.why}`,
    hint: local.hint,
    resource: `volume ${name}`,
  });
}

/** Absolute path of the directory that containers get. */
export function contentOf(record: VolumeRecord): string {
  const local = localOf(record);
  return local.kind === 'bind' ? local.device : record.path;
}

/** Mounts it, where it is a file system and not mounted yet. @throws volume.mount, volume.bind-source, host.kernel-feature */
export async function attachVolume(verbs: FilesystemVerbs, record: VolumeRecord): Promise<void> {
  const local = localOf(record);
  if (local.kind === 'bind') checkDevice(record, local.device);
  if (local.kind !== 'filesystem') return;
  await locked(verbs, record, async () => {
    if (isMounted(record.path)) return;
    const { set, data } = mountOptionsOf({ destination: '', type: local.type, options: local.options });
    const target = openSync(record.path, constants.O_DIRECTORY);
    try {
      await verbs.mount(local.type, local.device, await addressed(local.type, data), set, target);
    } catch (thrown) {
      throw mountError(record, local, thrown as KernelError);
    } finally {
      closeSync(target);
    }
  });
}

/** Takes the file system away, which containers that still have it keep. */
export function detachVolume(verbs: FilesystemVerbs, record: Pick<VolumeRecord, 'name' | 'path'>): void {
  try {
    while (isMounted(record.path)) verbs.unmount(record.path);
  } catch (cause) {
    throw new StackError('volume.mount', {
      message: `the file system of volume ${record.name} cannot be taken from ${record.path}`,
      hint: `\`umount ${record.path}\` says what is in the way.`,
      resource: `volume ${record.name}`,
      cause,
    });
  }
}

/** `work` while no other command mounts, fills or removes the volume. */
export async function locked<T>(verbs: FilesystemVerbs, { path }: VolumeRecord, work: () => Promise<T>): Promise<T> {
  const lock = openSync(join(dirname(path), 'volume.json'), 'r');
  try {
    await verbs.flock(lock, 'exclusive', true);
    return await work();
  } finally {
    closeSync(lock);
  }
}

/** Whether a file system is mounted there: proc_pid_mountinfo(5), field 5, with octal escapes. */
export function isMounted(path: string): boolean {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    return false;
  }
  const escaped = real.replace(/[ \t\n\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ', 5)[4] === escaped);
}

function checkDevice({ name }: VolumeRecord, device: string): void {
  let errno: string | undefined;
  try {
    if (statSync(device).isDirectory()) return;
    errno = 'ENOTDIR';
  } catch (thrown) {
    errno = (thrown as NodeJS.ErrnoException).code;
  }
  const what = errno === 'ENOENT' ? 'does not exist' : errno === 'ENOTDIR' ? 'is no directory' : `gives ${errno}`;
  throw new StackError('volume.bind-source', {
    message: `volume ${name}: the device ${device} ${what}`,
    hint: 'Make the directory, or correct `driver_opts.device`; a volume never makes it.',
    resource: `volume ${name}`,
    errno,
  });
}

/** The kernel resolves no names: `addr=server` becomes its address. */
function addressed(type: string, options: string[]): Promise<string[]> {
  return Promise.all(
    options.map(async (option) => {
      const name = /^addr=(.+)$/s.exec(option)?.[1];
      if (!remoteTypes.has(type) || name === undefined || isIP(name)) return option;
      return `addr=${(await lookup(name)).address}`;
    }),
  );
}

function mountError({ name }: VolumeRecord, local: Extract<LocalVolume, { kind: 'filesystem' }>, error: KernelError) {
  const resource = `volume ${name}`;
  const at = (code: ErrorCode, message: string, hint: string) =>
    new StackError(code, { message: `${resource}: ${message}`, hint, resource, errno: error.code, cause: error });
  const { type, device } = local;
  if (error.step === 'fsopen' && error.code === 'ENODEV') {
    return at(
      'host.kernel-feature',
      `this kernel has no file system ${type}`,
      `Load its module (\`modprobe ${type}\`) or correct \`driver_opts.type\`; /proc/filesystems lists what there is.`,
    );
  }
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') {
    return at('volume.mount', `no address is known for the server of ${device}`, 'Correct `addr=` in `driver_opts.o`.');
  }
  const said = error.subject && error.subject !== device ? `: ${error.subject}` : '';
  return at(
    'volume.mount',
    `${device} cannot be mounted as ${type}: ${error.code}${said}`,
    'Correct `device` and `o` of its `driver_opts`; the same options given to mount(8) say whether the device is to blame.',
  );
}
