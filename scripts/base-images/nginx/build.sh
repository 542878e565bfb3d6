install_packages nginx
cp "$HERE/nginx.conf" "$ROOT/etc/nginx/nginx.conf"
cp "$HERE/default.conf" "$ROOT/etc/nginx/conf.d/default.conf"
rm -rf "$ROOT/etc/nginx/sites-enabled" "$ROOT/etc/nginx/sites-available" "$ROOT/var/www"
mkdir -p "$ROOT/usr/share/nginx/html"
cp "$HERE/index.html" "$ROOT/usr/share/nginx/html/index.html"
ln -sf /dev/stdout "$ROOT/var/log/nginx/access.log"
ln -sf /dev/stderr "$ROOT/var/log/nginx/error.log"
