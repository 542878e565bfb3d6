/** What a stack may leave behind, looked for in the kernel and on disk, never in the product's own words. */
import { type Dirent, existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Namespaces } from './namespaces.ts';
import { must } from './process.ts';

export interface World {
  links: string[];
  routes: string[];
  tables: string[];
  mounts: string[];
  forwarding: string[];
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** Every process of the host's pid namespace that is not the harness's own: `pid command`. */
export function processes(namespaces: Namespaces): string[] {
  const own = new Set(namespaces.own());
  const world = link(`/proc/${namespaces.pid}/ns/pid`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && !own.has(Number(name)))
    .filter((pid) => link(`/proc/${pid}/ns/pid`) === world || descends(Number(pid), namespaces.pid))
    .filter((pid) => !own.has(Number(pid)))
    .map((pid) => `${pid} ${commandLine(pid)}`);
}

/** A container's processes have pid namespaces of their own: their line of parents tells whose they are. */
function descends(pid: number, ancestor: number): boolean {
  for (let each = pid; each > 1; ) {
    if (each === ancestor) return true;
    const status = readStatus(each);
    const parent = /^PPid:\s+(\d+)/m.exec(status)?.[1];
    if (!parent) return false;
    each = Number(parent);
  }
  return false;
}

function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() || '[no command line]';
  } catch {
    return '[gone]';
  }
}

/** @throws where `ip` or `nft` fail. */
export async function lookAround({ inside }: Namespaces): Promise<World> {
  const separator = '--- next ---';
  const commands = [
    'ip -br link',
    // Without link-local ones: the kernel adds those of a new link when its address has passed a check.
    '(ip route show table all; ip -6 route show table all) | sort -u | grep -v -e fe80: -e "anycast ff00" -e "multicast ff00"',
    'nft list ruleset',
    'cat /proc/self/mounts',
    'cd /proc/sys/net; grep -H . ipv4/ip_forward ipv4/conf/*/route_localnet ipv6/conf/all/forwarding ipv6/conf/default/forwarding 2>/dev/null; true',
  ];
  const script = commands.join(`; echo '${separator}'; `);
  const out = await must(inside, ['sh', '-c', script], { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
  const parts = out.split(`${separator}\n`).map((part) => part.split('\n').filter((line) => line.trim() !== ''));
  const [links = [], routes = [], tables = [], mounts = [], forwarding = []] = parts;
  return { links: links.map((line) => line.split(/[\s@]/)[0]!), routes, tables, mounts, forwarding };
}

/** Lines of `after` that `before` has not, and the other way round. */
function difference(what: string, before: string[], after: string[]): string[] {
  const added = after.filter((line) => !before.includes(line)).map((line) => `${what} left: ${line}`);
  return [...added, ...before.filter((line) => !after.includes(line)).map((line) => `${what} lost: ${line}`)];
}

function files(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry: Dirent) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** Directories of our parent cgroup in any hierarchy that hold anything. */
function cgroups(parent: string): string[] {
  const root = '/sys/fs/cgroup';
  const hierarchies = ['', ...readdirSync(root)].map((name) => join(root, name, parent));
  return [...new Set(hierarchies)].filter(existsSync).flatMap((folder) =>
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name)),
  );
}

export interface Places {
  root: string;
  run: string;
  temporary: string;
  cgroupParent: string;
}

/** @returns one line for each thing left; volumes only where they should be gone too. */
export async function findLeaks(
  namespaces: Namespaces,
  at: Places,
  before: World,
  options: { volumes: boolean },
): Promise<string[]> {
  const after = await lookAround(namespaces);
  const stored = (folder: string) => files(join(at.root, folder)).map((file) => `${folder}/${file}`);
  const left = [...stored('stacks'), ...stored('networks'), ...(options.volumes ? stored('volumes') : [])];
  const volatile = files(at.run).filter(
    (file) => !file.startsWith('locks/') && !['settings.json', 'apparmor-default'].includes(file),
  );
  return [
    ...processes(namespaces).map((line) => `process left: ${line}`),
    ...difference('link', before.links, after.links),
    ...difference('route', before.routes, after.routes),
    ...difference('nftables', before.tables, after.tables),
    ...difference('mount', before.mounts, after.mounts),
    ...difference('sysctl', before.forwarding, after.forwarding),
    ...cgroups(at.cgroupParent).map((path) => `cgroup left: ${path}`),
    ...left.map((file) => `file left: ${file}`),
    ...volatile.map((file) => `file left in the run directory: ${file}`),
    ...files(at.temporary).map((file) => `temporary file left: ${file}`),
  ];
}
