mkdir -p "$ROOT/etc/postgresql-common"
echo 'create_main_cluster = false' > "$ROOT/etc/postgresql-common/createcluster.conf"
install_packages postgresql-15
# The compiler for expressions is half of the image's size, and the server works without it.
rm -rf "$ROOT"/usr/lib/*/libLLVM* "$ROOT"/usr/lib/llvm* "$ROOT"/usr/lib/postgresql/15/lib/llvmjit* \
  "$ROOT"/usr/lib/postgresql/15/lib/bitcode
mkdir -p "$ROOT/var/lib/postgresql/data" "$ROOT/docker-entrypoint-initdb.d" "$ROOT/var/run/postgresql"
run chown postgres:postgres /var/lib/postgresql/data /var/run/postgresql
chmod 1777 "$ROOT/var/lib/postgresql/data"
chmod 3777 "$ROOT/var/run/postgresql"
sed -i "s/^#\?listen_addresses.*/listen_addresses = '*'/" "$ROOT/usr/share/postgresql/15/postgresql.conf.sample"
install -m 755 "$HERE/docker-entrypoint.sh" "$ROOT/usr/local/bin/docker-entrypoint.sh"
