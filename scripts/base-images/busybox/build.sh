mkdir -p "$ROOT"/bin "$ROOT"/dev "$ROOT"/etc "$ROOT"/home "$ROOT"/root "$ROOT"/tmp "$ROOT"/usr/bin "$ROOT"/usr/sbin "$ROOT"/var/www
chmod 1777 "$ROOT/tmp"
chmod 700 "$ROOT/root"
cp "$(command -v busybox)" "$ROOT/bin/busybox"
for applet in $("$ROOT/bin/busybox" --list); do
  [ "$applet" = busybox ] || ln -f "$ROOT/bin/busybox" "$ROOT/bin/$applet"
done
ln -sf ../../bin/env "$ROOT/usr/bin/env"
cat > "$ROOT/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
operator:x:37:37:operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
END
cat > "$ROOT/etc/group" <<'END'
root:x:0:
daemon:x:1:
adm:x:4:operator
tty:x:5:
www-data:x:33:
operator:x:37:
users:x:100:
nogroup:x:65534:
END
printf 'root:*:19000:0:::::\n' > "$ROOT/etc/shadow"
chmod 640 "$ROOT/etc/shadow"
