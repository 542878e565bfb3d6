#!/bin/sh
# Lets `command: --maxmemory 10mb` and `command: my.conf` mean the server, and gives up root before it starts.
set -eu
case "${1:-}" in
  -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
  # A container's own network is the boundary here, so the server answers other hosts without a password.
  case " $* " in
    *.conf\ *) ;;
    *) set -- "$@" --protected-mode no ;;
  esac
  if [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis:redis {} +
    exec setpriv --reuid=redis --regid=redis --clear-groups -- "$@"
  fi
fi
exec "$@"
