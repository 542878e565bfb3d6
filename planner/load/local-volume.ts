/** Options of a volume of the driver `local`, docker's: a directory, a bind, or a file system of its own. Source: mount(8). */

/** What the volume's content lies in. */
export type LocalVolume =
  /** With the bytes it may hold, as `64m`. */
  | { kind: 'directory'; size?: string }
  /** A directory of the machine; options are those of a bind mount. */
  | { kind: 'bind'; device: string; options: string[] }
  /** Mounted while containers have the volume; options are mount's and the file system's own, `key` or `key=value`. */
  | { kind: 'filesystem'; type: string; device: string; options: string[] };

export interface LocalProblem {
  /** Of `driver_opts`; undefined for all of it. */
  option?: 'type' | 'o' | 'device' | 'size' | string;
  why: string;
  hint: string;
}

/** What a bind mount can be told: attributes of a mount (mount_setattr(2)) and its propagation. */
const bindOptions =
  /^(?:r?bind|ro|rw|(?:no)?(?:suid|dev|exec|atime|diratime|symfollow)|relatime|strictatime|defaults|r?(?:private|slave|shared))$/;
/** File systems whose server is named by `addr=`. */
export const remoteTypes = new Set(['nfs', 'nfs4', 'cifs', 'smb3']);

/** @param options `driver_opts`, which may be absent. */
export function localVolume(options: Record<string, string> = {}): LocalVolume | LocalProblem {
  const { type = '', o = '', device = '', size, ...unknown } = options;
  const [option] = Object.keys(unknown);
  if (option !== undefined) return problem('is no option of the driver local', 'It knows type, o and device.', option);
  if (size !== undefined && (type || o || device)) {
    const hint = 'Leave it out; a tmpfs takes `size=` in `o`.';
    return problem('it is for the directory of a volume, and this one is a mount', hint, 'size');
  }
  if (size !== undefined && !/^\d+(?:\.\d+)?\s*[kmgt]?i?b?$/i.test(size)) {
    return problem(`${JSON.stringify(size)} is no size`, 'Write it as 64m or 10g.', 'size');
  }
  if (size !== undefined) return { kind: 'directory', size };
  if (Object.keys(options).length === 0) return { kind: 'directory' };
  const words = o.split(',').filter(Boolean);
  const isBind = words.some((word) => word === 'bind' || word === 'rbind');
  if (device === '') {
    const hint = isBind ? 'Name the directory: `device: /srv/data`.' : 'Name it; for a tmpfs write `device: tmpfs`.';
    return problem('there is no device to mount', hint, 'device');
  }
  return isBind ? bind(type, device, words) : filesystem(type, device, words);
}

const problem = (why: string, hint: string, option?: string): LocalProblem => ({
  ...(option === undefined ? {} : { option }),
  why,
  hint,
});

export const isProblem = (one: LocalVolume | LocalProblem): one is LocalProblem => 'why' in one;

function bind(type: string, device: string, words: string[]): LocalVolume | LocalProblem {
  if (!['', 'none', 'bind'].includes(type)) {
    return problem(`a bind has no file system, and this one says ${type}`, 'Write `type: none`.', 'type');
  }
  if (!device.startsWith('/')) {
    return problem(
      `${JSON.stringify(device)} is no absolute path`,
      'Write the whole path; `driver: local` and `o: bind` alone let a stack file begin it with ./.',
      'device',
    );
  }
  const wrong = words.find((word) => !bindOptions.test(word));
  if (wrong !== undefined) {
    return problem(
      `${JSON.stringify(wrong)} is no option of a bind mount`,
      'It takes ro, nosuid, nodev, noexec, …',
      'o',
    );
  }
  return { kind: 'bind', device, options: words };
}

function filesystem(type: string, device: string, words: string[]): LocalVolume | LocalProblem {
  if (type === '' || type === 'none') {
    return problem(
      'it is not said which file system the device has',
      'Write `type`, or `o: bind` for a directory.',
      'type',
    );
  }
  if (!/^[\w.-]+$/.test(type))
    return problem(`${JSON.stringify(type)} is no file system`, 'See filesystems(5).', 'type');
  if (words.includes('remount')) return problem('remount changes what is there already', 'Leave it out.', 'o');
  return { kind: 'filesystem', type, device, options: words };
}
