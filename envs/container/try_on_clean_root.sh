#!/bin/sh
# The steps of the image on a clean Debian root, for machines without a container engine; needs root and debootstrap.
# Usage: try_on_clean_root.sh FOLDER [HOST_FOLDER ...]
# FOLDER must not exist; every HOST_FOLDER (a local wheel index, say) is seen inside, read-only, under its own name.
# pip's configuration and certificates are those of this machine; they stay in FOLDER and are no part of an image.
set -eu

root=$1
shift
repository=$(cd "$(dirname "$0")/../.." && pwd)
mirror=$(sed -n 's/^URIs: *//p; s/^deb \([^ ]*\) .*/\1/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list \
  2>/dev/null | head -n 1)
[ -n "$mirror" ] || { echo "no Debian mirror stands in the sources of apt of this machine" >&2; exit 2; }
say() { printf '%s  %s\n' "$(date +%T)" "$*"; }

[ ! -e "$root" ] || { echo "$root exists already" >&2; exit 2; }
mkdir -p "$root"
root=$(cd "$root" && pwd)
trap 'for place in $(awk -v root="$root/" "index(\$2, root) == 1 {print \$2}" /proc/mounts | sort -r); do
  umount "$place"; done' EXIT

say "a minimal Debian with Python, as python:3.11-slim-bookworm has it"
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" \
  "$mirror" >"$root.debootstrap.log" 2>&1

say "the files that the Dockerfile copies"
sed -n 's/^COPY //p' "$repository/envs/container/Dockerfile" | while read -r line; do
  target=$root${line##* }
  for source in ${line% *}; do
    mkdir -p "$target"
    if [ -d "$repository/$source" ]; then cp -R "$repository/$source/." "$target"; else cp "$repository/$source" "$target"; fi
  done
done
find "$root/opt/spongiosa" -name __pycache__ -prune -exec rm -rf {} +

for configuration in /etc/pip.conf /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
  if [ -e "$configuration" ]; then cp -L "$configuration" "$root$configuration"; fi
done
for folder in "$@"; do
  mkdir -p "$root$folder"
  mount --bind -o ro "$folder" "$root$folder"
done
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
inside() { # inside USER HOME FOLDER COMMAND ...: with a clean environment, but for pip's settings and a proxy
  user=$1 home=$2
  shift 2
  env -i $(env | grep -E '^(PIP_[A-Z_]+|https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY)=' || true) \
    PATH=/opt/spongiosa/.venv/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin HOME="$home" LANG=C.UTF-8 \
    chroot --userspec="$user" "$root" sh -c 'cd "$0" && exec "$@"' "$@"
}

say "install.sh"
inside 0:0 /root / sh /opt/spongiosa/envs/container/install.sh /opt/spongiosa

say "the demo as an ordinary user, with the image read-only"
mount --bind -o ro "$root/opt/spongiosa" "$root/opt/spongiosa"
mkdir -m 0777 "$root/study"
inside 65534:65534 /tmp /study python -m spongiosa.synthetic demo --output demo/input --patients 4 --seed 2026 --matrix small
inside 65534:65534 /tmp /study snakemake --snakefile /opt/spongiosa/Snakefile \
  --workflow-profile /opt/spongiosa/profiles/default --configfile /opt/spongiosa/config/demo.yaml --cores 2
ls -l "$root/study/demo/results/report/index.html"
say "done"
