/** Packages of an image, as its package managers know them. The image is a stranger's: what it says is text, of a bounded size. */
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import type { Fd, FilesystemVerbs } from '../../../schemas/kernel.ts';
import { purl } from './purl.ts';

export interface Package {
  name: string;
  version: string;
  purl: string;
  supplier?: string;
  homepage?: string;
  license?: string;
}

export interface Found {
  packages: Package[];
  /** Name and version of the distribution, as os-release has them. */
  system: string | undefined;
  /** Databases that are there and were not read. */
  unread: string[];
}

const O_PATH = 0o10000000;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
/** Bytes of a file; the status of the largest distributions is a tenth of it. */
const fileLimit = 64 * 1024 * 1024;
const packageLimit = 100_000;
const valueLimit = 1000;

/** Databases of rpm, whichever form: they cannot be read here. */
const unreadable = ['var/lib/rpm', 'usr/lib/sysimage/rpm'];

/** @param root of the image. */
export function packagesIn(verbs: FilesystemVerbs, root: Fd): Found {
  const read = (path: string) => readWithin(verbs, root, path);
  const release = fieldsOf(read('etc/os-release') ?? read('usr/lib/os-release') ?? '', '=');
  const unquoted = (key: string) => release.get(key)?.replace(/^(["'])(.*)\1$/, '$2') ?? '';
  const [id, version] = [unquoted('ID'), unquoted('VERSION_ID')];
  const distro = id && version ? `${id}-${version}` : id;
  const debian = [read('var/lib/dpkg/status') ?? '', ...directory(verbs, root, 'var/lib/dpkg/status.d').map(read)];
  const packages = [
    ...debian.flatMap((text) => stanzas(text ?? '', ': ').flatMap((fields) => deb(fields, id || 'debian', distro))),
    ...stanzas(read('lib/apk/db/installed') ?? '', ':').flatMap((fields) => apk(fields, id || 'alpine', distro)),
    ...stanzas(read('usr/lib/apk/db/installed') ?? '', ':').flatMap((fields) => apk(fields, id || 'alpine', distro)),
  ];
  const byPurl = new Map(packages.slice(0, packageLimit).map((one) => [one.purl, one]));
  return {
    packages: [...byPurl.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1)),
    system: distro || undefined,
    unread: unreadable.filter((path) => directory(verbs, root, path).length > 0),
  };
}

/** Source: deb-control(5), dpkg-query(1). */
function deb(fields: Map<string, string>, id: string, distro: string): Package[] {
  const [name, version, arch = ''] = ['Package', 'Version', 'Architecture'].map((key) => fields.get(key));
  const state = fields.get('Status');
  // Distroless images have files without a state.
  if (!name || !version || (state !== undefined && !/ installed$/.test(state))) return [];
  return [
    {
      name,
      version,
      purl: purl('deb', [id, name], version, { arch: arch, distro }),
      ...given('supplier', fields.get('Maintainer')),
      ...given('homepage', fields.get('Homepage')),
    },
  ];
}

/** Source: apk's installed database, apk-package(5). */
function apk(fields: Map<string, string>, id: string, distro: string): Package[] {
  const [name, version, arch = ''] = ['P', 'V', 'A'].map((key) => fields.get(key));
  if (!name || !version) return [];
  return [
    {
      name,
      version,
      purl: purl('apk', [id, name], version, { arch, distro }),
      ...given('supplier', fields.get('m')),
      ...given('homepage', fields.get('U')),
      ...given('license', fields.get('L')),
    },
  ];
}

const given = <K extends string>(key: K, value: string | undefined) =>
  (value ? { [key]: value } : {}) as Partial<Record<K, string>>;

function stanzas(text: string, separator: string): Map<string, string>[] {
  return text
    .split(/\n[ \t]*\n/)
    .slice(0, packageLimit)
    .map((stanza) => fieldsOf(stanza, separator));
}

/** First lines of fields; what goes on over several is a description. */
function fieldsOf(text: string, separator: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf(separator);
    if (at < 1 || /^[ \t#]/.test(line) || fields.has(line.slice(0, at))) continue;
    const value = line.slice(at + separator.length).replace(/[\u0000-\u001f\u007f]/g, '');
    fields.set(line.slice(0, at), value.trim().slice(0, valueLimit));
  }
  return fields;
}

/** Links are followed inside the image. Devices and pipes are not opened: O_PATH does not, and only files are after it. */
function openWithin(
  verbs: FilesystemVerbs,
  root: Fd,
  path: string,
  isWanted: 'isFile' | 'isDirectory',
): Fd | undefined {
  let found: Fd | undefined;
  try {
    found = verbs.openat2(root, path, { flags: O_PATH, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS });
    return fstatSync(found)[isWanted]() ? openSync(`/proc/self/fd/${found}`, constants.O_RDONLY) : undefined;
  } catch (thrown) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((thrown as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw thrown;
  } finally {
    if (found !== undefined) closeSync(found);
  }
}

function readWithin(verbs: FilesystemVerbs, root: Fd, path: string): string | undefined {
  const fd = openWithin(verbs, root, path, 'isFile');
  if (fd === undefined) return undefined;
  try {
    return fstatSync(fd).size > fileLimit ? undefined : readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/** Paths of what a directory holds; none where it is none. */
function directory(verbs: FilesystemVerbs, root: Fd, path: string): string[] {
  const fd = openWithin(verbs, root, path, 'isDirectory');
  if (fd === undefined) return [];
  try {
    const names = readdirSync(`/proc/self/fd/${fd}`).filter((name) => !name.endsWith('.md5sums'));
    return names.slice(0, packageLimit).map((name) => `${path}/${name}`);
  } finally {
    closeSync(fd);
  }
}
