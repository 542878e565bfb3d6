#include "shim/resolver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/fd.h"
#include "shim/resolver_server.h"

namespace stack {

namespace {

constexpr size_t buffers_offset = 4096 + 65536;

#if defined(__x86_64__)
constexpr uint32_t own_arch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t own_arch = AUDIT_ARCH_AARCH64;
#else
#error "the resolver's seccomp filter knows x86_64 and aarch64"
#endif

#define ALLOW(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

// No call in it makes a descriptor but accept4 (the container's own connections) and recvmsg (what the shim hands
// over).
constexpr sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, own_arch, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    ALLOW(SYS_ppoll),
    ALLOW(SYS_recvfrom),
    ALLOW(SYS_sendto),
    ALLOW(SYS_recvmsg),
    ALLOW(SYS_accept4),
    ALLOW(SYS_close),
    ALLOW(SYS_getrandom),
    ALLOW(SYS_clock_gettime),
    ALLOW(SYS_restart_syscall),
    ALLOW(SYS_rt_sigreturn),
    ALLOW(SYS_exit_group),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};
#undef ALLOW

// A user nobody else is; 65534 where a user namespace does not map that far.
constexpr unsigned own_id = 2147461053, nobody = 65534;

bool become(unsigned id) { return syscall(SYS_setresgid, id, id, id) == 0 && syscall(SYS_setresuid, id, id, id) == 0; }

bool give_up_rights(pid_t parent) {
  for (int resource : {RLIMIT_FSIZE, RLIMIT_CORE, RLIMIT_NPROC, RLIMIT_MEMLOCK}) {
    rlimit none{0, 0};
    setrlimit(static_cast<__rlimit_resource>(resource), &none);
  }
  for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (syscall(SYS_setgroups, 0, nullptr) != 0) return false;
  if (!become(own_id) && !become(nobody)) return false;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct empty[2] = {};
  if (syscall(SYS_capset, &header, empty) != 0) return false;
  // capabilities(7): a change of the effective ids clears the parent death signal, so it is set after it.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent) return false;
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  sock_fprog program{sizeof filter / sizeof *filter, const_cast<sock_filter*>(filter)};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

// Keeps the three descriptors, as 3, 4 and 5. /dev/null on 0–2: what libc says in dying must not reach a socket.
bool keep_only(int& udp, int& tcp, int& broker) {
  int* kept[] = {&udp, &tcp, &broker};
  for (int*& fd : kept)
    if ((*fd = fcntl(*fd, F_DUPFD_CLOEXEC, 64)) < 0) return false;
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd)
    if (null >= 0 && null != fd) dup2(null, fd);
  for (int i = 0; i < 3; ++i) {
    if (dup3(*kept[i], 3 + i, O_CLOEXEC) < 0) return false;
    *kept[i] = 3 + i;
  }
  return syscall(SYS_close_range, 6u, ~0u, 0) == 0;
}

int bound_socket(int type) {
  Fd fd(socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return -1;
  // The address is local once the loopback link is up. IP_FREEBIND is no way around: in a namespace without any address
  // yet Linux (6.18) binds the receiving side only, and answers leave from 127.0.0.1.
  ifreq link{.ifr_ifrn = {"lo"}, .ifr_ifru = {.ifru_flags = IFF_UP | IFF_RUNNING}};
  if (ioctl(fd.get(), SIOCSIFFLAGS, &link) != 0) return -1;
  sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(resolver_port), .sin_addr = {htonl(resolver_address)}};
  if (type == SOCK_STREAM) {
    // Taken over by accepted sockets: a whole answer fits, so that none is ever written in two goes.
    int room = 2 * 65536;
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    int one = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  }
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
  if (type == SOCK_STREAM && listen(fd.get(), 16) != 0) return -1;
  return fd.release();
}

}  // namespace

bool name_table_map(int fd, NameTable& table) {
  struct stat info;
  if (fstat(fd, &info) != 0) return false;
  errno = EINVAL;
  if (info.st_size < static_cast<off_t>(buffers_offset + 32)) return false;
  void* bytes = mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) return false;
  uint32_t version, buffer;
  memcpy(&version, static_cast<char*>(bytes) + 8, 4);
  memcpy(&buffer, static_cast<char*>(bytes) + 12, 4);
  if (memcmp(bytes, "STKNAMES", 8) != 0 || version != 1 || buffer % 8 != 0 || buffer > 64u << 20 ||
      static_cast<uint64_t>(info.st_size) != buffers_offset + 2ull * buffer) {
    munmap(bytes, static_cast<size_t>(info.st_size));
    errno = EINVAL;
    return false;
  }
  table = NameTable{static_cast<uint8_t*>(bytes), static_cast<size_t>(info.st_size)};
  return true;
}

void name_table_unmap(NameTable& table) {
  if (table.bytes) munmap(const_cast<uint8_t*>(table.bytes), table.size);
  table = {};
}

bool name_table_set_live(int fd, uint16_t slot, bool is_live) {
  char byte = is_live ? 1 : 0;
  return pwrite(fd, &byte, 1, 4096 + slot) == 1;
}

bool upstream_parse(const char* text, uint16_t port, Upstream& upstream) {
  memset(&upstream, 0, sizeof upstream);
  if (inet_pton(AF_INET, text, &upstream.v4.sin_addr) == 1) {
    upstream.v4.sin_family = AF_INET;
    upstream.v4.sin_port = htons(port);
    return true;
  }
  if (inet_pton(AF_INET6, text, &upstream.v6.sin6_addr) != 1) return false;
  upstream.v6.sin6_family = AF_INET6;
  upstream.v6.sin6_port = htons(port);
  return true;
}

bool resolver_listen(int netns_fd, int& udp_fd, int& tcp_fd) {
  Fd own(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!own || setns(netns_fd, CLONE_NEWNET) != 0) return false;
  Fd udp(bound_socket(SOCK_DGRAM));
  Fd tcp(udp ? bound_socket(SOCK_STREAM) : -1);
  int number = errno;
  // Going on in the wrong namespace would be worse than not going on.
  if (setns(own.get(), CLONE_NEWNET) != 0) _exit(125);
  errno = number;
  if (!udp || !tcp) return false;
  udp_fd = udp.release();
  tcp_fd = tcp.release();
  return true;
}

pid_t resolver_spawn(const ResolverConfig& config, int& broker_fd) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return -1;
  Fd ours(ends[0]), theirs(ends[1]);
  pid_t parent = getpid();
  pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    prctl(PR_SET_NAME, "stack-dns", 0, 0, 0);
    int udp = config.udp_fd, tcp = config.tcp_fd, broker = theirs.get();
    if (!keep_only(udp, tcp, broker) || chdir("/") != 0 || !give_up_rights(parent)) _exit(125);
    ResolverServer::run(config, udp, tcp, broker);
  }
  broker_fd = ours.release();
  return child;
}

bool resolver_broker(int broker_fd, const ResolverConfig& config) {
  for (int budget = 0; budget < 16; ++budget) {
    BrokerMessage message;
    ssize_t got = recv(broker_fd, &message, sizeof message, MSG_DONTWAIT);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got != sizeof message) continue;
    Fd upstream;
    if (message.upstream < config.upstream_count) {
      const Upstream& to = config.upstreams[message.upstream];
      int type = message.is_tcp ? SOCK_STREAM : SOCK_DGRAM;
      upstream = Fd(socket(to.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      socklen_t length = to.any.sa_family == AF_INET6 ? sizeof to.v6 : sizeof to.v4;
      if (upstream && connect(upstream.get(), &to.any, length) != 0 && errno != EINPROGRESS) upstream.reset();
    }
    iovec data{&message, sizeof message};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr reply{.msg_iov = &data, .msg_iovlen = 1};
    if (upstream) {
      reply.msg_control = control;
      reply.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&reply);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      int fd = upstream.get();
      memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    sendmsg(broker_fd, &reply, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  return true;
}

}  // namespace stack
