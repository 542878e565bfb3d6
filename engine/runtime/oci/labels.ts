/** process.apparmorProfile and process.selinuxLabel as what the shim writes. Source: runtime-spec config.md "Linux Process", apparmor(7). */
import { existsSync, readFileSync } from 'node:fs';
import { StackError } from '../../../schemas/errors.ts';
import type { Process } from '../../../schemas/oci-runtime.ts';
import type { ExecLabel } from '../program/process.ts';

/** @throws host.kernel-feature where the kernel has not the module that the label is for. */
export function execLabels({ apparmorProfile, selinuxLabel }: Process): ExecLabel[] {
  const labels: ExecLabel[] = [];
  if (apparmorProfile) {
    if (!hasAppArmor()) throw lacks('AppArmor', 'process.apparmorProfile');
    // With several modules stacked the common file belongs to the first of them.
    const own = existsSync('/proc/self/attr/apparmor/exec');
    labels.push({ file: `thread-self/attr/${own ? 'apparmor/' : ''}exec`, text: `exec ${apparmorProfile}` });
  }
  if (selinuxLabel) {
    if (!existsSync('/sys/fs/selinux/enforce')) throw lacks('SELinux', 'process.selinuxLabel');
    labels.push({ file: 'thread-self/attr/exec', text: selinuxLabel });
  }
  return labels;
}

function hasAppArmor(): boolean {
  try {
    return readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y');
  } catch {
    return false;
  }
}

const lacks = (module: string, property: string) =>
  new StackError('host.kernel-feature', {
    message: `${property} is set, and ${module} is not enabled in this kernel.`,
    hint: `Boot with ${module} enabled, or remove ${property} from config.json.`,
    operation: module,
  });
