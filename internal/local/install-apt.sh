# Installs the named packages with apt, as root. Debian starts a service as soon as its package is unpacked, and Postgres makes a
# default cluster; both are held back for the length of this script, and only where nobody has decided on it before.
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.d
made_policy= made_cluster=
tidy() {
  [ -z "$made_policy" ] || rm -f "$policy"
  [ -z "$made_cluster" ] || { rm -f "$made_cluster"; rmdir --ignore-fail-on-non-empty "$clusters"; }
}
trap tidy EXIT
trap 'exit 143' INT TERM HUP
if [ ! -e "$policy" ]; then
  made_policy=yes
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
fi
if [ ! -e "$clusters/countersign.conf" ]; then
  mkdir -p "$clusters"
  made_cluster="$clusters/countersign.conf"
  echo 'create_main_cluster = false' > "$made_cluster"
fi
apt-get update -q -o DPkg::Lock::Timeout=300
packages=
for name; do
  # Ubuntu has the browser under another name.
  if [ "$name" = chromium ] && [ -z "$(apt-cache show chromium 2>/dev/null)" ]; then name=chromium-browser; fi
  packages="$packages $name"
done
# shellcheck disable=SC2086 # the names are words without spaces
apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 $packages
