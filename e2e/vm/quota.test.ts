import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runGuest } from './guest.ts';

const scenario = `
modprobe overlay; modprobe loop; modprobe quota_v2
mkdir -p /disk /tmp/demo; mount -t ext4 -o loop,prjquota /disk.img /disk; echo "mount $?"
export STACK_ROOT=/disk
S="/opt/stack/bin/stack --ansi never --progress quiet"
cd /tmp/demo
cat > compose.yaml <<'Y'
services:
  one:
    image: localhost/stack-bench:busybox
    command: [sleep, "1000000"]
    stop_signal: SIGKILL
    storage_opt: {size: 4m}
    volumes: ["data:/data", "free:/free"]
volumes:
  data: {driver_opts: {size: 2m}}
  free:
Y
$S image load -i /busybox.tar > /dev/null; echo "load $?"
$S up -d; echo "up $?"
write() { $S exec -T one sh -c "dd if=/dev/zero of=$1 bs=1M count=$2 2>&1 | /bin/grep -o 'No space left.*\\|quota exceeded'; stat -c '$1 %s' $1; rm $1"; }
write /small 3; write /big 6; write /data/big 3; write /free/big 6
$S down -v; echo "down $?"
$S up -d; write /small 3; $S down -v
echo "left: $(find /disk/stacks /disk/volumes -mindepth 1)"
umount /disk; echo "umount $?"
`;

test.skipIf(process.arch !== 'x64')(
  `project quotas on Debian’s own kernel hold the layer of a container and a volume${process.arch === 'x64' ? '' : ' (skipped: the guest is x86-64)'}`,
  { timeout: 400_000 },
  async () => {
    const shown = await runGuest(scenario, 350_000, {
      modules: ['loop', 'quota_v2'],
      prepare(root) {
        const disk = join(root, 'disk.img');
        execFileSync('truncate', ['-s', '48M', disk]);
        execFileSync('/usr/sbin/mke2fs', ['-q', '-t', 'ext4', '-O', 'quota,project', '-E', 'quotatype=prjquota', disk]);
      },
    });
    expect(shown).toContain('mount 0\nload 0\nup 0\n/small 3145728\n');
    const size = (path: string) => Number(new RegExp(`^${path} (\\d+)$`, 'm').exec(shown)?.[1]);
    expect(size('/big')).toBeGreaterThan(3 << 20);
    expect(size('/big')).toBeLessThanOrEqual(4 << 20);
    expect(size('/data/big')).toBeLessThanOrEqual(2 << 20);
    expect(size('/free/big')).toBe(6 << 20);
    expect(shown).toMatch(/(No space left on device|quota exceeded)\n\/big/);
    expect(shown).toMatch(/down 0\n\/small 3145728\nleft: \numount 0\n/);
  },
);
