/**
 * A second kernel: Debian's stock cloud kernel in an emulated machine (QEMU, TCG), with our build, Node and busybox as
 * its whole file system. It has what the build machine may lack: unified cgroup v2.
 */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { busyboxLayer, writeArchive } from '../../bench/image.ts';
import { places } from '../../scripts/base-images/places.ts';
import { ensurePackages, must, unpackPackage } from '../../scripts/base-images/tools.ts';
import { repository } from '../harness/harness.ts';

/** Modules the product's features ask for; what they depend on comes along. */
const modules = [
  ...['overlay', 'bridge', 'veth', 'ipv6', 'nfnetlink', 'nf_tables', 'nft_compat', 'nft_ct', 'nft_nat', 'nft_masq'],
  ...['nft_chain_nat', 'nft_redir', 'nft_fib_inet', 'nft_fib_ipv4', 'nft_fib_ipv6'],
];
const applets = [
  'sh',
  'mount',
  'umount',
  'mkdir',
  'cat',
  'ls',
  'poweroff',
  'ip',
  'ps',
  'sleep',
  'wget',
  'find',
  'readlink',
  'chroot',
  'unshare',
];

const say = (line: string) => console.log(`e2e/vm: ${line}`);

/** Where the kernel lies; fetched once. */
function kernel(): { image: string; modules: string; release: string } {
  const at = places().kernel;
  const releases = () => (existsSync(join(at, 'lib/modules')) ? readdirSync(join(at, 'lib/modules')) : []);
  if (releases().length === 0) {
    say('fetching Debian’s cloud kernel');
    const depends = must('apt-cache', ['depends', 'linux-image-cloud-amd64']);
    const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
    if (!name) throw new Error(`apt-cache depends linux-image-cloud-amd64 names no kernel:\n${depends}`);
    unpackPackage(name, at);
  }
  const [release] = releases();
  if (!existsSync(join(at, 'lib/modules', release!, 'modules.dep'))) must('/usr/sbin/depmod', ['-b', at, release!]);
  return { image: join(at, `boot/vmlinuz-${release}`), modules: join(at, 'lib/modules', release!), release: release! };
}

function copyModules(from: string, to: string, wanted: string[]): void {
  mkdirSync(to, { recursive: true });
  for (const file of readdirSync(from).filter((name) => name.startsWith('modules.'))) {
    copyFileSync(join(from, file), join(to, file));
  }
  const dependencies = new Map(
    readFileSync(join(from, 'modules.dep'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [file, rest = ''] = line.split(':');
        return [file!, rest.split(' ').filter(Boolean)];
      }),
  );
  for (const [file, needs] of dependencies) {
    if (!wanted.some((name) => file.endsWith(`/${name}.ko`))) continue;
    for (const one of [file, ...needs]) {
      mkdirSync(dirname(join(to, one)), { recursive: true });
      copyFileSync(join(from, one), join(to, one));
    }
  }
}

/** A program and the libraries it is linked with, at the paths it looks for them. */
export function copyProgram(path: string, root: string, target: string): void {
  copyFileSync(path, join(root, target));
  chmodSync(join(root, target), 0o755);
  for (const [, library] of must('ldd', [path]).matchAll(/(?:=> )?(\/\S+) \(0x/g)) {
    mkdirSync(dirname(join(root, library!)), { recursive: true });
    copyFileSync(library!, join(root, library!));
  }
}

const init = `#!/bin/sh
export PATH=/bin:/sbin HOME=/
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for d in /run /tmp /var; do mount -t tmpfs tmpfs $d; done
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm /next
ip link set lo up
# pivot_root(2) refuses the first of all roots.
mount --rbind / /next; cd /next; mount --move . /
chroot . /bin/sh /scenario.sh > /dev/ttyS0 2>&1
poweroff -f
`;

/** Root file system of the guest: everything `stack` needs, `/busybox.tar`, and the scenario. */
async function makeRoot(
  root: string,
  scenario: string,
  release: string,
  from: string,
  more: GuestExtras,
): Promise<void> {
  for (const name of ['bin', 'sbin', 'dev', 'proc', 'run', 'sys', 'tmp', 'var', 'etc', 'opt/stack/build/Release']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of applets) symlinkSync('busybox', join(root, 'bin', applet));
  symlinkSync('../bin/busybox', join(root, 'sbin/modprobe'));
  copyModules(from, join(root, 'lib/modules', release), [...modules, ...(more.modules ?? [])]);
  copyProgram(process.execPath, root, 'bin/node');
  must('strip', [join(root, 'bin/node')]);
  for (const name of ['bin', 'dist', 'binding.gyp']) {
    cpSync(join(repository, name), join(root, 'opt/stack', name), { recursive: true });
  }
  for (const name of ['stack_native.node', 'stack_shim']) {
    copyFileSync(join(repository, 'build/Release', name), join(root, 'opt/stack/build/Release', name));
  }
  await writeArchive(join(root, 'busybox.tar'), await busyboxLayer());
  writeFileSync(join(root, 'init'), init, { mode: 0o755 });
  writeFileSync(join(root, 'scenario.sh'), scenario);
  for (const [path, text] of Object.entries(more.files ?? {})) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  more.prepare?.(root);
}

/** What one scenario needs besides: kernel modules by name, files by their path in the guest. */
export interface GuestExtras {
  modules?: string[];
  files?: Record<string, string>;
  /** Words for the kernel's command line. */
  kernelArguments?: string[];
  /** Puts more into the root file system before it is packed. */
  prepare?(root: string): void;
}

/** Runs a shell scenario in the guest and answers what its console showed. `stack` is /opt/stack/bin/stack. */
export async function runGuest(scenario: string, timeoutMs: number, more: GuestExtras = {}): Promise<string> {
  const packages = { 'qemu-system-x86_64': 'qemu-system-x86', depmod: 'kmod', cpio: 'cpio', strip: 'binutils' };
  ensurePackages({ ...packages, busybox: 'busybox-static' }, say);
  const { image, modules: from, release } = kernel();
  const folder = mkdtempSync(join(tmpdir(), 'stack-vm-'));
  try {
    await makeRoot(join(folder, 'root'), scenario, release, from, more);
    must('sh', ['-c', 'cd root && find . | cpio -o -H newc --quiet > ../initrd'], { cwd: folder });
    const { stdout } = await promisify(execFile)(
      'qemu-system-x86_64',
      [
        ...['-accel', 'tcg', '-m', '2048', '-smp', '2', '-nic', 'none', '-nographic', '-no-reboot'],
        ...['-kernel', image, '-initrd', join(folder, 'initrd')],
        ...['-append', ['console=ttyS0 loglevel=1 panic=-1', ...(more.kernelArguments ?? [])].join(' ')],
      ],
      { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 1 << 26 },
    );
    return stdout.replaceAll('\r', '');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
