#!/bin/bash
# Runs once, when the machine is made. @DEVICE@, @DOMAIN@, @REPOSITORY@ and @VERSION@ are replaced by single-server-stack.ts.
set -euxo pipefail

dnf install --assumeyes docker git
# Docker's plugins are no packages of Amazon Linux. Their versions are pinned here.
plugins=/usr/local/lib/docker/cli-plugins
mkdir -p "$plugins"
arch=$(uname -m)
curl -fsSLo "$plugins/docker-compose" "https://github.com/docker/compose/releases/download/v2.40.3/docker-compose-linux-$arch"
curl -fsSLo "$plugins/docker-buildx" \
  "https://github.com/docker/buildx/releases/download/v0.30.1/buildx-v0.30.1.linux-${arch/aarch64/arm64}"
chmod +x "$plugins"/*

# Docker's volumes are on a disk of their own, which is attached once the machine runs. A machine that replaces another finds its data there.
for _ in {1..120}; do
  [ -b '@DEVICE@' ] && break
  sleep 5
done
[ -b '@DEVICE@' ]
# A new disk. mkfs.xfs itself refuses one that has anything on it.
blkid '@DEVICE@' || mkfs.xfs -L clicktally '@DEVICE@'
mkdir -p /var/lib/docker/volumes /etc/systemd/system/docker.service.d
echo 'LABEL=clicktally /var/lib/docker/volumes xfs defaults,nofail 0 2' >> /etc/fstab
# Without the disk Docker does not start: it would make an empty system.
printf '[Unit]\nRequiresMountsFor=/var/lib/docker/volumes\n' > /etc/systemd/system/docker.service.d/data.conf
systemctl daemon-reload
mount /var/lib/docker/volumes
systemctl enable --now docker

git clone --depth 1 --branch '@VERSION@' '@REPOSITORY@' /opt/clicktally
cat > /opt/clicktally/.env <<'SETTINGS'
CLICKTALLY_LISTEN=0.0.0.0:80
CLICKTALLY_LISTEN_TLS=0.0.0.0:443
CLICKTALLY_HOSTS=@DOMAIN@
CLICKTALLY_TLS=acme
SETTINGS
cd /opt/clicktally
# Restarted by Docker after a reboot. Certificates come when the domain points here.
docker compose up --detach --build
