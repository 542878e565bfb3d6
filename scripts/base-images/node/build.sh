install_packages libstdc++6
install -D -m 755 "$NODE" "$ROOT/usr/local/bin/node"
run groupadd --gid 1000 node
run useradd --uid 1000 --gid node --shell /bin/bash --create-home node
