/** AppArmor, which the build machine's kernel has not, on Debian's own: the profile, loaded both ways, and its denials. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { appArmorPackage } from '../../scripts/base-images/tools.ts';
import { copyProgram, runGuest } from './guest.ts';

const kernelArguments = ['lsm=landlock,lockdown,yama,integrity,apparmor', 'apparmor=1', 'security=apparmor'];

const scenario = `
S="/opt/stack/bin/stack --ansi never --progress quiet"
A=/sys/kernel/security/apparmor
mount -t securityfs securityfs /sys/kernel/security
mkdir -p /tmp/demo; cd /tmp/demo
cat > compose.yaml <<'Y'
services:
  web: {image: "localhost/stack-bench:busybox", command: [sleep, "1000"], stop_signal: SIGKILL}
  free: {image: "localhost/stack-bench:busybox", command: [sleep, "1000"], stop_signal: SIGKILL, security_opt: [apparmor=unconfined]}
Y
cat > unknown.yaml <<'Y'
services:
  web: {image: "localhost/stack-bench:busybox", command: [sleep, "1000"], security_opt: [apparmor=nobody-has-it]}
Y
$S image load -i /busybox.tar > /dev/null
echo "before: $(/bin/busybox grep -c . $A/profiles)"
$S up -d; echo "up $?"
echo "loaded: $(/bin/busybox grep stack $A/profiles)"
for name in web free; do
  echo "profile of $name: $(/bin/busybox sed -n 's/.*"apparmorProfile": *"\\([^"]*\\)".*/\\1/p' /var/lib/stack/stacks/demo/*/config.json | /bin/busybox head -1)"
done
$S exec -T web cat /proc/1/attr/current
$S down; echo "down $?"
$S -f unknown.yaml up -d; echo "unknown $?"
`;

test.skipIf(process.arch !== 'x64')('the default profile', { timeout: 400_000 }, async () => {
  const at = appArmorPackage((line) => console.log(`e2e/vm: ${line}`));
  const shown = await runGuest(scenario, 300_000, {
    kernelArguments,
    prepare: (root) => copyProgram(join(at, 'sbin/apparmor_parser'), root, 'sbin/apparmor_parser'),
  });
  console.log(shown);
  expect(shown).toContain('loaded: stack-default (enforce)');
});
