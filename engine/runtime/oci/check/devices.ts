/** Device nodes and network devices. Source: config-linux.md "Devices", "Network Devices", mknod(2), net/core/dev.c. */
import { pathOf, shown } from './findings.ts';
import { invalidId, namespaceOf, type Rule } from './rule.ts';
import { isOwn } from './sysctl.ts';

/** linux/kdev_t.h: 12 and 20 bits. A larger number would be cut and name another device. */
const largest = { major: 0xfff, minor: 0xfffff };

const nodes: Rule = {
  reads: ['linux.devices'],
  check({ linux }, findings) {
    for (const [at, device] of (linux?.devices ?? []).entries()) {
      const path = `linux.devices[${at}]`;
      if (!device.path.startsWith('/'))
        findings.refuse(`${path}.path`, `must be an absolute path: ${shown(device.path)}`);
      for (const name of ['major', 'minor'] as const) {
        const number = device[name];
        if (device.type === 'p') continue;
        if (number === undefined) findings.refuse(`${path}.${name}`, `is missing: only a fifo (type p) has none`);
        else if (number < 0 || number > largest[name]) {
          findings.refuse(`${path}.${name}`, `must be from 0 to ${largest[name]}: ${number}`);
        }
      }
      for (const name of ['uid', 'gid'] as const) {
        if (device[name] === invalidId) findings.refuse(`${path}.${name}`, 'must not be 4294967295, which is no id');
      }
    }
  },
};

/** As the kernel judges names: at most 15 bytes, no slash, colon or white space. */
const isName = (name: string) => Buffer.byteLength(name) <= 15 && !/[/:\s]/.test(name) && !/^\.{0,2}$/.test(name);

const network: Rule = {
  reads: ['linux.netDevices', 'linux.namespaces'],
  check(spec, findings) {
    const moved = Object.entries(spec.linux?.netDevices ?? {});
    if (moved.length === 0) return;
    const namespace = namespaceOf(spec, 'network');
    if (!namespace || (namespace.path !== undefined && isOwn(namespace.path, 'network'))) {
      findings.refuse('linux.netDevices', "needs a network namespace in linux.namespaces that is not the host's");
    }
    const taken = new Set<string>();
    for (const [device, { name }] of moved) {
      const at = pathOf(['linux', 'netDevices', device]);
      if (!isName(device) || device.includes('%')) findings.refuse(at, 'is not the name of a network device');
      const target = name || device;
      // The kernel puts the first free number in place of %d.
      const isTemplate = /^[^%]*%d[^%]*$/.test(target);
      if (name && (!isName(target) || (target.includes('%') && !isTemplate))) {
        findings.refuse(`${at}.name`, `is not a name for a network device: ${shown(target)}`);
      }
      if (taken.has(target) && !isTemplate) findings.refuse(`${at}.name`, `repeats ${shown(target)}`);
      taken.add(target);
    }
  },
};

export const deviceRules: Rule[] = [nodes, network];
