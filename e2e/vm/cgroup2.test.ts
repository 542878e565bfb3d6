import { expect, test } from 'vitest';
import { runGuest } from './guest.ts';

const scenario = `
S="/opt/stack/bin/stack --ansi never --progress quiet"
mkdir -p /tmp/demo; cd /tmp/demo
cat > compose.yaml <<'Y'
services:
  web:
    image: localhost/stack-bench:busybox
    command: [sh, -c, 'mkdir -p /www; echo hello > /www/index.html; exec httpd -f -p 80 -h /www']
    ports: ["8080:80"]
    stop_signal: SIGKILL
    mem_limit: 64m
    cpus: 0.5
    pids_limit: 50
    oom_score_adj: 7
  greedy:
    image: localhost/stack-bench:busybox
    command: [sh, -c, 'x=0123456789abcdef; while :; do x=$$x$$x; done']
    mem_limit: 16m
    memswap_limit: 16m
Y
# busybox's modprobe, asked twice at once, may answer before the module is there.
modprobe overlay
$S image load -i /busybox.tar > /dev/null; echo "load $?"
$S up -d; echo "up $?"
wget -qO- http://127.0.0.1:8080/
$S exec -T web cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max /proc/self/cgroup
while $S ps -a --format json | cat | /bin/busybox grep -q '"greedy".*"running"'; do sleep 1; done
$S ps -a --format json
$S down; echo "down $?"
echo "left: $(find /sys/fs/cgroup -name '*stack*') $(find /run/stack/containers /var/lib/stack/stacks -mindepth 1)"
`;

test.skipIf(process.arch !== 'x64')(
  `unified cgroup v2 on Debian’s own kernel: limits hold, OOM is told, nothing stays${process.arch === 'x64' ? '' : ' (skipped: the guest is x86-64)'}`,
  { timeout: 400_000 },
  async () => {
    const shown = await runGuest(scenario, 300_000);
    expect(shown).toContain('load 0\nup 0\nhello\n67108864\n50000 100000\n50\n0::/\n');
    const greedy = shown.split('\n').find((line) => line.includes('"greedy"'));
    expect(greedy).toMatch(/"ExitCode":137/);
    expect(shown).toMatch(/down 0\nleft: \s*\n/);
  },
);
