// A descriptor beside the bytes of a message: SCM_RIGHTS of unix(7).
#pragma once

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/fd.h"

namespace stack::shim {

// Sends `parts` as one message, with `fd` where there is one (-1: none). Answers as sendmsg(2); no SIGPIPE.
inline ssize_t send_with(int socket, iovec* parts, size_t count, int fd, int flags = 0) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message{.msg_iov = parts, .msg_iovlen = count};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  return sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

// Receives up to `size` bytes, and into `fd` the descriptor that came with them. Answers as recvmsg(2).
inline ssize_t receive_with(int socket, void* into, size_t size, Fd& fd, int flags = 0) {
  iovec part{.iov_base = into, .iov_len = size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t got = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  if (got < 0) return got;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    int number;
    memcpy(&number, CMSG_DATA(header), sizeof number);
    fd = Fd(number);
  }
  return got;
}

}  // namespace stack::shim
