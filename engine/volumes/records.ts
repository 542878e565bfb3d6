/** volume.json of each volume: written last when one is made, gone first when one is removed. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerRecord, VolumeRecord } from '../../schemas/container.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Layout } from '../state/layout.ts';

/** Names that may become directories: docker's rule. */
const validName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Null where there is no such volume. @throws state.damaged */
export function readVolume(layout: Layout, name: string): VolumeRecord | null {
  if (!validName.test(name)) return null;
  const file = join(layout.volumeDir(name), 'volume.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw asStackError(thrown, 'state.damaged', { resource: `volume ${name}` });
  }
  try {
    // Where the roots were moved since, the content lies beside the record.
    return { ...(JSON.parse(text) as VolumeRecord), path: join(layout.volumeDir(name), '_data') };
  } catch (cause) {
    throw new StackError('state.damaged', {
      message: `the record of volume ${name} cannot be read: ${file}`,
      hint: `The content in ${layout.volumeDir(name)}/_data is untouched; remove the file, and the next up writes it anew.`,
      resource: `volume ${name}`,
      cause,
    });
  }
}

/** Makes directory and record; an existing volume is answered as it is. */
export function writeVolume(layout: Layout, record: Omit<VolumeRecord, 'path' | 'createdAt'>): VolumeRecord {
  if (!validName.test(record.name)) {
    throw new StackError('config.value', {
      message: `"${record.name}" cannot be the name of a volume`,
      hint: 'Names begin with a letter or digit and go on with letters, digits, `_`, `.` and `-`.',
      resource: `volumes.${record.key}`,
    });
  }
  const existing = readVolume(layout, record.name);
  if (existing) return existing;
  const directory = layout.volumeDir(record.name);
  const path = join(directory, '_data');
  const whole: VolumeRecord = { ...record, path, createdAt: new Date().toISOString() };
  // Made whole beside its place, and entered by one rename. Content without a record is taken up as it is.
  const making = existsSync(directory) ? directory : join(layout.volumes, unfinishedName());
  try {
    // Closed: a set-user-id program that a container makes must not be within reach of the host's users.
    mkdirSync(layout.volumes, { recursive: true, mode: 0o700 });
    mkdirSync(making, { recursive: true, mode: 0o711 });
    // The mode again, for the umask of whoever calls is not the container's.
    if (mkdirSync(join(making, '_data'), { recursive: true })) chmodSync(join(making, '_data'), 0o755);
    const temporary = join(making, `.volume.json.${randomBytes(4).toString('hex')}`);
    writeFileSync(temporary, `${JSON.stringify(whole, null, 2)}\n`, { flush: true });
    renameSync(temporary, join(making, 'volume.json'));
    if (making !== directory) renameSync(making, directory);
  } catch (thrown) {
    throw ioError(thrown, `volume ${record.name}`);
  }
  return whole;
}

/** The record anew, entered by rename. */
export function rewriteVolume(layout: Layout, record: VolumeRecord): VolumeRecord {
  const directory = layout.volumeDir(record.name);
  const temporary = join(directory, `.volume.json.${randomBytes(4).toString('hex')}`);
  try {
    writeFileSync(temporary, `${JSON.stringify(record, null, 2)}\n`, { flush: true });
    renameSync(temporary, join(directory, 'volume.json'));
  } catch (thrown) {
    throw ioError(thrown, `volume ${record.name}`);
  }
  return record;
}

/** Whether the folder of the content is there: somebody may have removed it and left the record. */
export const hasContent = ({ path }: VolumeRecord): boolean => existsSync(path);

/** The same volume, with an empty folder where its own is gone. */
export function withContent(record: VolumeRecord): VolumeRecord {
  try {
    // The mode again, for the umask of whoever calls is not the container's.
    if (mkdirSync(record.path, { recursive: true })) chmodSync(record.path, 0o755);
  } catch (thrown) {
    throw ioError(thrown, `volume ${record.name}`);
  }
  return record;
}

/** A directory that a volume is being made in says by whom: the process is asked before it is taken for left over. */
const unfinishedName = () => `.making-${process.pid}-${randomBytes(4).toString('hex')}`;

/** Every volume, by name. */
export function listVolumes(layout: Layout): VolumeRecord[] {
  return names(layout.volumes)
    .sort()
    .flatMap((name) => readVolume(layout, name) ?? []);
}

/** Out of sight in one step, then deleted; what an interrupted removal left is deleted with it. */
export async function deleteVolume(layout: Layout, name: string): Promise<void> {
  const trash = `.removed-${process.pid}-${randomBytes(8).toString('hex')}`;
  try {
    renameSync(layout.volumeDir(name), join(layout.volumes, trash));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw ioError(thrown, `volume ${name}`);
  }
  for (const left of names(layout.volumes).filter((one) => one.startsWith('.removed-'))) {
    await rm(join(layout.volumes, left), { recursive: true, force: true });
  }
}

/** Names of the containers of any stack that mount the volume. */
export function usersOf(layout: Layout, name: string): string[] {
  return names(layout.stacks).flatMap((stack) =>
    names(layout.stackDir(stack)).flatMap((id) => {
      try {
        const text = readFileSync(join(layout.containerDir(stack, id), 'container.json'), 'utf8');
        if (!text.includes(name)) return [];
        const record = JSON.parse(text) as ContainerRecord;
        return record.mounts.some((mount) => mount.type === 'volume' && mount.name === name) ? [record.name] : [];
      } catch {
        return [];
      }
    }),
  );
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** A failed write, with a full disk told apart. @param device what the volume lies on, where that is not the state's own. */
export function ioError(thrown: unknown, resource: string, device?: string): StackError {
  const errno = (thrown as NodeJS.ErrnoException).code;
  const isFull = errno === 'ENOSPC' || errno === 'EDQUOT';
  const hint = device
    ? `Free some space on ${device}, or make it larger (a tmpfs by \`size=\` in \`driver_opts.o\`), and run the command again.`
    : 'Free some space where volumes lie (STACK_ROOT, by default /var/lib/stack) and run the command again.';
  return asStackError(thrown, isFull ? 'host.disk-full' : 'internal', {
    ...(isFull && device ? { message: `${resource}: ${device} is full` } : {}),
    resource,
    errno,
    hint: isFull ? hint : undefined,
  });
}
