/** Linux security modules. */
import {
  type AppArmorPlaces,
  appArmorPlaces,
  appArmorState,
  defaultProfileName,
  findParser,
} from '../security/apparmor.ts';
import { selinuxState } from '../security/selinux.ts';
import { type Check, check } from './check.ts';

export interface SecurityPlaces {
  apparmor: AppArmorPlaces;
  sys: string;
  /** The setting `selinux`. */
  labels: boolean;
}

export const securityPlaces = (labels: boolean): SecurityPlaces => ({
  apparmor: appArmorPlaces(),
  sys: '/sys',
  labels,
});

export function securityChecks(places: SecurityPlaces): Check[] {
  return [...appArmor(places.apparmor), selinux(places)];
}

function appArmor(places: AppArmorPlaces): Check[] {
  const { ok, warn } = check('security.apparmor', 'AppArmor');
  const { isEnabled, hasFiles, profiles } = appArmorState(places);
  if (!isEnabled) return [ok('not in this kernel: containers run without a profile')];
  if (!hasFiles) {
    return [
      warn(
        'enabled, its files cannot be read: containers run without a profile',
        'Mount securityfs: `mount -t securityfs securityfs /sys/kernel/security`; reading it needs root rights.',
      ),
    ];
  }
  const mode = profiles.get(defaultProfileName);
  const tool = check('security.apparmor-parser', 'apparmor_parser');
  const parser = findParser(places);
  return [
    mode === undefined || mode === 'enforce'
      ? ok(
          mode
            ? `enabled, ${defaultProfileName} is loaded`
            : `enabled, ${defaultProfileName} is loaded with the first container`,
        )
      : warn(
          `enabled, ${defaultProfileName} is in ${mode} mode`,
          `\`aa-enforce ${defaultProfileName}\` lets it deny again.`,
        ),
    parser
      ? tool.ok(parser)
      : tool.warn(
          'not installed',
          'The profile Stack brings compiled is used. For profiles of your own install the package apparmor.',
        ),
  ];
}

function selinux({ sys, labels }: SecurityPlaces): Check {
  const { ok, warn } = check('security.selinux', 'SELinux');
  const { isEnabled, mode } = selinuxState(sys);
  if (!isEnabled) return ok('not in this kernel: containers run without a label');
  if (labels) return ok(`${mode}, containers are labelled`);
  return warn(
    `${mode}, containers are not labelled`,
    '`selinux: true` in /etc/stack/settings.yaml gives each a label of its own.',
  );
}
