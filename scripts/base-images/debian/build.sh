proxy=$(apt-config dump 2>/dev/null | grep -E '^Acquire::https?::Proxy' || true)
mmdebstrap --mode=root --variant=minbase --include=ca-certificates,netbase \
  ${proxy:+--aptopt="$proxy"} \
  --dpkgopt=force-unsafe-io \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/info/*' \
  --customize-hook='rm -rf "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old "$1"/var/log/*.log "$1"/var/log/apt' \
  --format=directory "$SUITE" "$ROOT" "$MIRROR"
: > "$ROOT/etc/resolv.conf"
: > "$ROOT/etc/hosts"
rm -f "$ROOT/etc/hostname"
