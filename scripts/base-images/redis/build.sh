install_packages redis-server redis-tools
mkdir -p "$ROOT/data"
run chown redis:redis /data
install -m 755 "$HERE/docker-entrypoint.sh" "$ROOT/usr/local/bin/docker-entrypoint.sh"
