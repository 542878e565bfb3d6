/** The config.json that the tests of the runtime change. */
import type { Linux, Mount, Process, RuntimeSpec } from '../../schemas/oci-runtime.ts';

/** Without the question marks of what is there. */
export interface Document extends RuntimeSpec {
  process: Process;
  root: { path: string; readonly?: boolean };
  mounts: Mount[];
  linux: Linux & Required<Pick<Linux, 'namespaces'>>;
}

export function document(id: string): Document {
  const capabilities = ['CAP_CHOWN', 'CAP_KILL', 'CAP_MKNOD', 'CAP_SETGID', 'CAP_SETUID', 'CAP_DAC_OVERRIDE'];
  return {
    ociVersion: '1.3.0',
    process: {
      args: ['sleep', '1000'],
      cwd: '/',
      env: ['PATH=/bin'],
      user: { uid: 0, gid: 0 },
      capabilities: { bounding: capabilities, permitted: capabilities, effective: capabilities },
    },
    root: { path: 'rootfs' },
    hostname: 'box',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
      },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    ],
    annotations: { 'org.example.test': id },
    linux: {
      namespaces: (['mount', 'uts', 'ipc', 'pid', 'network'] as const).map((type) => ({ type })),
    },
  };
}
