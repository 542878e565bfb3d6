# Sourced by every build.sh. The script runs on the building machine, in a mount namespace of its own, with
#   ROOT     the image's tree: an overlay on the base image, so that what changes is the new layer
#   HERE     the recipe's folder
#   SUITE    Debian's code name, MIRROR its address
#   NODE     the Node binary that runs this build

run() { chroot "$ROOT" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }

# Installs packages without starting what they bring, and without leaving lists and archives in the layer.
install_packages() {
  printf '#!/bin/sh\nexit 101\n' > "$ROOT/usr/sbin/policy-rc.d"
  chmod 755 "$ROOT/usr/sbin/policy-rc.d"
  [ -n "$(ls "$ROOT/var/lib/apt/lists" | grep Packages)" ] || run apt-get -q update
  run apt-get -q install -y --no-install-recommends "$@"
  rm -f "$ROOT/usr/sbin/policy-rc.d" "$ROOT"/var/cache/debconf/*-old "$ROOT"/var/lib/dpkg/*-old
  rm -rf "$ROOT"/var/log/apt "$ROOT"/var/log/dpkg.log "$ROOT"/var/log/alternatives.log "$ROOT"/var/cache/apt/*.bin
}
