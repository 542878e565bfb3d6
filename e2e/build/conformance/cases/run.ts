/** RUN: what a step finds, and what of it becomes the layer. Source: Dockerfile reference, "RUN". */
import type { Cases } from '../case.ts';

const run = (...lines: string[]) => ({
  dockerfile: `FROM busybox:1\n${lines.map((line) => `RUN ${line}\n`).join('')}`,
});

export const runCases: Cases = {
  'run-writes': run('echo 1 > /x'),
  'run-exec-form': run('["/bin/sh", "-c", "echo $0 > /x"]'),
  'run-exec-form-without-shell': run('["touch", "/$HOME"]'),
  'run-fails': run('exit 3'),
  'run-unknown-command': run('["nothing-here"]'),
  'run-removes': run('rm /etc/shadow && rm -r /var'),
  'run-removes-and-makes-again': run('rm -r /var && mkdir /var && echo 1 > /var/x'),
  'run-removes-earlier': run('mkdir -p /d/e && echo 1 > /d/e/x', 'rm -r /d'),
  'run-replaces-file-by-directory': run('echo 1 > /x', 'rm /x && mkdir /x && echo 2 > /x/y'),
  'run-replaces-directory-by-file': run('mkdir /x && echo 2 > /x/y', 'rm -r /x && echo 1 > /x'),
  'run-replaces-directory-by-link': run('mkdir /x && echo 2 > /x/y', 'rm -r /x && ln -s /etc /x'),
  'run-changes-mode': run('chmod 600 /etc/passwd'),
  'run-changes-owner': run('chown 5:6 /etc/passwd'),
  'run-changes-directory-mode': run('chmod 711 /root'),
  'run-changes-time': run('touch -d "2019-05-05 05:05:05" /etc/passwd /new'),
  'run-moves-directory': run('mkdir /d && echo 1 > /d/x', 'mv /d /e'),
  'run-hard-links': run('echo 1 > /a && ln /a /b && mkdir /d && ln /a /d/c'),
  'run-hard-link-of-earlier': run('echo 1 > /a', 'ln /a /b'),
  'run-special-files': run('mkfifo /pipe && mknod /null c 1 3 && ln -s /nowhere /dangling'),
  'run-special-modes': run('touch /a /b && chmod 4755 /a && chmod 2755 /b && mkdir -m 1777 /t'),
  'run-without-change': run('true'),
  'run-temporary-file': run('echo 1 > /tmp/x && rm /tmp/x'),
  'run-touches-run': run('echo 1 > /run-it && mkdir -p /run /var/run && echo 1 > /run/x'),
  'run-in-dev': run('echo 1 > /dev/shm/x; touch /dev/made; ls /dev | grep -c . > /dev/null'),
  'run-resolv-conf-stays-out': run('echo "# mine" >> /etc/resolv.conf; true', 'test -e /etc/hosts'),
  'run-environment': run('env | sort > /env'),
  'run-environment-set': {
    dockerfile: 'FROM busybox:1\nENV A=1 HOME=/elsewhere PATH=/bin\nARG B=2\nRUN env | sort > /env\n',
  },
  'run-working-directory': { dockerfile: 'FROM busybox:1\nRUN pwd > /1\nWORKDIR /w\nRUN pwd > /2; echo 3 > here\n' },
  'run-host-name': run('hostname > /name; cat /etc/hostname > /file; true'),
  'run-umask': run('umask > /umask; touch /f; mkdir /d'),
  'run-identity': run('id > /id; grep -E "^(Cap|NoNewPrivs|Groups)" /proc/self/status | grep -v CapAmb > /status'),
  'run-identity-user': {
    dockerfile: 'FROM busybox:1\nUSER www-data\nRUN id > /tmp/id; echo $HOME > /tmp/home; umask > /tmp/umask\n',
  },
  'run-standard-input': run('cat > /in; tty > /tty; true'),
  'run-background-process': run('(sleep 100; echo late > /late) & echo 1 > /x'),
  'run-network-none': { dockerfile: 'FROM busybox:1\nRUN --network=none ls /sys/class/net > /links; true\n' },
  'run-network-unknown': { dockerfile: 'FROM busybox:1\nRUN --network=other true\n' },
  'run-security-insecure-refused': { dockerfile: 'FROM busybox:1\nRUN --security=insecure true\n' },
  'run-shell': { dockerfile: 'FROM busybox:1\nSHELL ["/bin/sh", "-exc"]\nRUN echo $- | tr -d sc > /x\n' },
  'run-continued': { dockerfile: 'FROM busybox:1\nRUN echo one \\\n  # a comment\n  two \\\n\n  three > /x\n' },
  'run-on-scratch': { dockerfile: 'FROM scratch\nRUN true\n' },
  'run-empty': { dockerfile: 'FROM busybox:1\nRUN\n' },
  'run-kill': run('kill -9 $$'),
  'run-limits': { dockerfile: 'FROM busybox:1\nRUN ulimit -n > /n\n', build: { ulimits: { nofile: 512 } } },
  'run-shm-size': {
    dockerfile: 'FROM busybox:1\nRUN df /dev/shm | tail -1 | awk "{print \\$2}" > /shm\n',
    build: { shm_size: '8mb' },
  },
  'run-extra-hosts': {
    dockerfile: 'FROM busybox:1\nRUN grep made.up /etc/hosts > /hosts\n',
    build: { extra_hosts: ['made.up=10.1.2.3'] },
  },
};
