/** AppArmor, which the build machine's kernel has not, on Debian's own: the profile, loaded both ways, and its denials. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { appArmorPackage } from '../../scripts/base-images/tools.ts';
import { copyProgram, runGuest } from './guest.ts';

const kernelArguments = ['lsm=landlock,lockdown,yama,integrity,apparmor', 'apparmor=1', 'security=apparmor'];

/** Capabilities, filter and read-only paths allow all of it: what fails fails by the profile. */
const trial = [
  'cat /proc/self/attr/current',
  'echo h > /proc/sysrq-trigger && echo sysrq',
  'mkdir -p /m; mount -t tmpfs x /m && echo mount && umount /m',
  'echo 60 > /proc/sys/vm/swappiness && echo sysctl',
  'head -c 1 /proc/kcore > /dev/null && echo kcore',
  'cat /proc/sys/kernel/shmmax > /s && cat /s > /proc/sys/kernel/shmmax && echo shm',
  'sleep 100 & kill $! && echo signal',
].join('\n');

const scenario = `
S="/opt/stack/bin/stack --ansi never --progress quiet"
A=/sys/kernel/security/apparmor
mount -t securityfs securityfs /sys/kernel/security
mkdir -p /tmp/demo; cd /tmp/demo
cat > compose.yaml <<'Y'
x-open: &open
  image: localhost/stack-bench:busybox
  command: [sleep, "1000"]
  stop_signal: SIGKILL
  cap_add: [SYS_ADMIN, SYS_RAWIO]
services:
  web: {<<: *open, security_opt: [seccomp=unconfined, systempaths=unconfined]}
  free: {<<: *open, security_opt: [seccomp=unconfined, systempaths=unconfined, apparmor=unconfined]}
Y
cat > unknown.yaml <<'Y'
services:
  web: {image: "localhost/stack-bench:busybox", command: [sleep, "1000"], security_opt: [apparmor=nobody-has-it]}
Y
cat > /trial <<'T'
${trial}
T
doctor() { $S doctor --json > /doctor.json; echo "doctor $?"; /bin/busybox grep -A3 security.apparmor /doctor.json; /bin/busybox grep -A2 -B2 '"fail"' /doctor.json; }
trial() { echo "trial of $1:"; $S exec -T $1 sh -c "$(cat /trial)" 2> /dev/null; echo "end"; }
$S image load -i /busybox.tar > /dev/null
doctor
$S up -d; echo "up $?"
echo "loaded: $(/bin/busybox grep stack $A/profiles)"
/bin/busybox grep -o apparmorProfile /var/lib/stack/stacks/demo/*/config.json | cat | /bin/busybox wc -l
echo "main process: $($S exec -T web cat /proc/1/attr/current)"
trial web
trial free
$S down; echo "down $?"
$S -f unknown.yaml up -d; echo "unknown $?"
echo "without the tool"
/bin/busybox rm /sbin/apparmor_parser
printf stack-default > $A/.remove; echo "loaded: $(/bin/busybox grep stack $A/profiles)"
doctor
$S up -d; echo "up $?"
echo "loaded: $(/bin/busybox grep stack $A/profiles)"
trial web
$S down; echo "down $?"
`;

const isX64 = process.arch === 'x64';

test.skipIf(!isX64)(
  `AppArmor on Debian’s own kernel: the default profile is loaded, and denies${isX64 ? '' : ' (skipped: the guest is x86-64)'}`,
  { timeout: 200_000 },
  async () => {
    const at = appArmorPackage((line) => globalThis.console.log(`e2e/vm: ${line}`));
    const console = await runGuest(scenario, 120_000, {
      kernelArguments,
      prepare: (root) => copyProgram(join(at, 'sbin/apparmor_parser'), root, 'sbin/apparmor_parser'),
    });
    // Without what the kernel says meanwhile: it answers sysrq.
    const shown = console.replaceAll(/^\[ *\d+\.\d+\].*\n/gm, '');
    const [withTool, without] = shown.split('without the tool\n') as [string, string];
    const confined = 'trial of web:\nstack-default (enforce)\nshm\nsignal\nend\n';

    expect(withTool).toContain('doctor 0\n');
    expect(withTool).toContain('"found": "enabled, stack-default is loaded with the first container"');
    expect(withTool).toMatch(/"security.apparmor-parser",\s+"title": "apparmor_parser",\s+"status": "ok"/);
    expect(withTool).toContain('up 0\nloaded: stack-default (enforce)\n1\n');
    expect(withTool).toContain('main process: stack-default (enforce)\n');
    expect(withTool).toContain(confined);
    expect(withTool).toContain('trial of free:\nunconfined\nsysrq\nmount\nsysctl\nkcore\nshm\nsignal\nend\n');
    expect(withTool).toContain('down 0\n');
    expect(withTool).toContain(
      'error: services.web.security_opt: the AppArmor profile "nobody-has-it" is not loaded\n  Load it with `apparmor_parser -r FILE`',
    );
    expect(withTool).toContain('unknown 1\n');

    expect(without).toMatch(/^loaded: \n/);
    expect(without).toMatch(/"security.apparmor-parser",\s+"title": "apparmor_parser",\s+"status": "warn"/);
    expect(without).toContain('up 0\nloaded: stack-default (enforce)\n');
    expect(without).toContain(confined);
    expect(without).toContain('down 0\n');
  },
);
