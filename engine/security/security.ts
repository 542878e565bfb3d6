/** What Linux security modules do for a container: its AppArmor profile, its SELinux labels. */
import { StackError } from '../../schemas/errors.ts';
import type { Host } from '../host.ts';
import { type AppArmorPlaces, appArmorPlaces, ensureAppArmor } from './apparmor.ts';
import { takeCategories } from './categories.ts';
import { containerLabels, isValidLabel, type LabelOptions, type Labels, selinuxState } from './selinux.ts';

export { appArmorPlaces, ensureAppArmor } from './apparmor.ts';
export { releaseCategories } from './categories.ts';
export type { LabelOptions, Labels } from './selinux.ts';

/** What the spec asks for while it is made (engine/runtime/spec): the answers depend on the machine. */
export interface SecurityModules {
  /** @param profile `apparmor=`, undefined for the default. @throws config.undefined-reference */
  apparmor(profile: string | undefined, resource: string): string | undefined;
  selinux(options: LabelOptions, resource: string): Labels | undefined;
}

export interface SecurityRequest {
  stack: string;
  id: string;
  onWarning?: ((warning: StackError) => void) | undefined;
}

/** The machine's answers for one container. Costs two failed reads of /sys where there is neither module. */
export function securityModules(host: Pick<Host, 'layout' | 'settings'>, request: SecurityRequest): SecurityModules {
  const warn = (message: string, resource: string) =>
    request.onWarning?.(new StackError('runtime.degraded', { message, resource }));
  return {
    apparmor(profile, resource) {
      const places = appArmorPlaces(host.layout.appArmorMark);
      const { profile: chosen, warning } = ensureAppArmor(profile, { places, resource });
      if (warning) warn(warning, resource);
      return chosen;
    },
    selinux(options, resource) {
      // As docker's daemon: labels are the machine's owner's to turn on. A stack file that asks for one gets it.
      const isAsked = Object.keys(options).length > 0;
      if ((!host.settings.selinux && !isAsked) || options.isDisabled || !selinuxState().isEnabled) return undefined;
      const level = options.level ?? takeCategories(host.layout.labels, request.stack, request.id);
      const labels = containerLabels(options, level);
      if (!labels || (isValidLabel(labels.process) && isValidLabel(labels.mount))) return labels;
      if (isAsked) {
        throw new StackError('config.value', {
          message: `${resource}: the SELinux policy of this machine knows no label ${labels.process}`,
          hint: 'container_t and container_file_t come with the package container-selinux.',
          resource,
        });
      }
      warn(
        `The SELinux policy of this machine knows no ${labels.process}: containers run without a label. Install the package container-selinux.`,
        resource,
      );
      return undefined;
    },
  };
}

/** For a container that starts again: after a boot nothing is loaded any more. @throws config.undefined-reference, host.kernel-feature */
export function reloadAppArmor(profile: string | undefined, resource: string, places: AppArmorPlaces): void {
  if (profile === undefined || ensureAppArmor(profile, { places, resource }).profile !== undefined) return;
  throw new StackError('host.kernel-feature', {
    message: `${resource} was made to run under the AppArmor profile ${profile}, which cannot be had any more.`,
    hint: '`stack doctor` tells why; `stack up --force-recreate` makes the container for the machine as it is now.',
    resource,
  });
}
