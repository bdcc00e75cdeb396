#!/usr/bin/env bash
# A working Docker engine, Compose 2 and buildx on a Debian machine that has none.
#
# Bookworm ships Docker 20.10 and Compose 1, too old for this repository's compose files. Trixie's packages ask for
# nothing newer than libc 2.34, so they install on bookworm. They come from an apt source that is pinned to exactly those
# four packages: nothing else of trixie can be installed or upgraded by accident. What they depend on (containerd, runc,
# tini, iptables) is the machine's own release.
#
# Everything is checked by asking (does `docker info` answer?), never by looking for a package, so running the script
# again changes nothing, and a machine that has Docker already is left alone.
set -euo pipefail

readonly EXIT_FAILED=1 EXIT_USAGE=2 EXIT_UNSUITABLE=3

# The release whose packages are good enough, and the oldest versions that are. Docker 23 made BuildKit the default.
readonly DONOR=trixie ENGINE_MIN=23 COMPOSE_MIN=2 LIBC_MIN=2.34
readonly APT_SOURCE=/etc/apt/sources.list.d/aethel-docker.sources
readonly APT_PIN=/etc/apt/preferences.d/aethel-docker

PIDFILE=${AETHEL_DOCKERD_PIDFILE:-/run/aethel-dockerd.pid}
LOGFILE=${AETHEL_DOCKERD_LOG:-/var/log/aethel-dockerd.log}
WAIT_S=${AETHEL_DOCKERD_WAIT_S:-60} # measured: the socket answers after 1–5 s; the rest is for slow disks

usage() {
  cat <<TEXT
usage: ${0##*/} [--stop | --help]

Makes \`docker\`, \`docker compose\` (v2) and \`docker buildx\` work, and sees to it that an engine runs.
Does nothing where they already do. Needs root, and Debian (bookworm or newer) when something must be installed.

  --stop    end the engine that this script started, and no other
  --help    this text

environment
  AETHEL_DEBIAN_MIRROR     where $DONOR is fetched (default: the mirror apt already uses)
  AETHEL_DOCKERD_ARGS      further arguments for dockerd, separated by spaces
  AETHEL_DOCKERD_WAIT_S    how long to wait for the engine, in seconds (now $WAIT_S)
  AETHEL_DOCKERD_LOG       now $LOGFILE
  AETHEL_DOCKERD_PIDFILE   now $PIDFILE

exit codes
  0 works   $EXIT_FAILED something failed   $EXIT_USAGE wrong usage   $EXIT_UNSUITABLE not for this machine or user

To undo: --stop, then apt-get purge docker.io docker-cli docker-compose docker-buildx, and remove
$APT_SOURCE and $APT_PIN.
TEXT
}

main() {
  local action=${1:-ensure}
  if [ $# -gt 1 ] || [[ ! $action =~ ^(ensure|--stop|--help|-h)$ ]]; then
    usage >&2
    exit "$EXIT_USAGE"
  fi
  [[ $WAIT_S =~ ^[0-9]+$ ]] || die "$EXIT_USAGE" "AETHEL_DOCKERD_WAIT_S must be whole seconds, not '$WAIT_S'"

  case $action in
    -h | --help) usage ;;
    --stop) stop_engine ;;
    ensure) ensure_engine ;;
  esac
}

ensure_engine() {
  if ! { engine_answers && compose_works && buildx_works; }; then
    require_root
    lock
    install_missing
    engine_answers || start_engine
  fi
  report
}

# ---- questions ---------------------------------------------------------------------------------------------------

engine_answers() { have docker && timeout 20 docker info >/dev/null 2>&1; }
compose_works() { have docker && at_least "$(docker compose version --short 2>/dev/null)" "$COMPOSE_MIN"; }
buildx_works() { have docker && docker buildx version >/dev/null 2>&1; }
engine_installed() { have dockerd && at_least "$(dockerd --version | sed -n 's/^Docker version \([0-9.]*\).*/\1/p')" "$ENGINE_MIN"; }
have() { command -v "$1" >/dev/null 2>&1; }

# at_least HAVE WANT: compares versions; no version at all is never enough.
at_least() {
  local version=${1#v}
  [[ $version =~ ^[0-9] ]] && [ "$(printf '%s\n' "$2" "$version" | sort -V | head -n 1)" = "$2" ]
}

# ---- installing --------------------------------------------------------------------------------------------------

install_missing() {
  local packages=()
  # An engine that answers may be elsewhere (DOCKER_HOST, a socket of the host): then only the plugins are missing.
  if ! engine_answers && ! engine_installed; then packages+=(docker.io docker-cli); fi
  if ! have docker && [[ " ${packages[*]-} " != *' docker-cli '* ]]; then packages+=(docker-cli); fi
  compose_works || packages+=(docker-compose)
  buildx_works || packages+=(docker-buildx)
  [ ${#packages[@]} -gt 0 ] || return 0

  require_debian
  # The engine pulls over TLS. Where the kernel has AppArmor on, no container starts without its parser.
  packages+=(ca-certificates)
  if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; then packages+=(apparmor); fi

  export DEBIAN_FRONTEND=noninteractive
  say 'refreshing the package lists'
  apt update
  offers_enough || add_donor
  say "installing ${packages[*]}"
  # --no-remove: a rival (docker-ce, podman-docker) makes this fail instead of vanishing.
  apt install --yes --no-install-recommends --no-remove "${packages[@]}"
  hash -r

  if ! { compose_works && buildx_works; }; then link_plugins; fi
  compose_works || die "$EXIT_FAILED" "$(command -v docker) does not find Compose 2; let /usr/bin/docker come first in PATH"
  buildx_works || die "$EXIT_FAILED" "$(command -v docker) does not find buildx; let /usr/bin/docker come first in PATH"
}

# Quiet unless it fails, deaf to stdin, patient while another apt holds the lock.
apt() {
  local output
  if ! output=$(apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null 2>&1); then
    printf '%s\n' "$output" | tail -n 30 >&2
    die "$EXIT_FAILED" "apt-get $1 failed, see above"
  fi
}

offers_enough() {
  at_least "$(candidate docker.io)" "$ENGINE_MIN" && at_least "$(candidate docker-compose)" "$COMPOSE_MIN" &&
    at_least "$(candidate docker-buildx)" 0 && at_least "$(candidate docker-cli)" "$ENGINE_MIN"
}

candidate() { LC_ALL=C apt-cache policy "$1" | sed -n 's/^  Candidate: \([0-9]*:\)\{0,1\}//p'; }

add_donor() {
  local mirror=${AETHEL_DEBIAN_MIRROR:-$(current_mirror)}
  say "adding $DONOR from $mirror, pinned to docker.io docker-cli docker-compose docker-buildx"
  # Debian's releases run over each other's boundaries only through these two files; the pin comes first, so that no
  # other apt on this machine ever sees the source without it.
  cat >"$APT_PIN" <<TEXT
# Written by scripts/docker-engine.sh: of $DONOR, these four packages and nothing else.
Package: *
Pin: release o=Debian, n=$DONOR
Pin-Priority: -1

Package: docker.io docker-cli docker-compose docker-buildx
Pin: release o=Debian, n=$DONOR
Pin-Priority: 990
TEXT
  cat >"$APT_SOURCE" <<TEXT
# Written by scripts/docker-engine.sh; see $APT_PIN for what may come from here.
Types: deb
URIs: $mirror
Suites: $DONOR
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
TEXT
  apt update
  offers_enough || die "$EXIT_FAILED" "$mirror offers no recent Docker packages; name another with AETHEL_DEBIAN_MIRROR"
}

# The mirror that apt uses for Debian itself, as opposed to its security archive.
current_mirror() {
  local mirror
  mirror=$(apt-get indextargets --format "\$(ORIGIN)|\$(LABEL)|\$(REPO_URI)" 'Created-By: Packages' 2>/dev/null |
    sed -n 's/^Debian|Debian|//p' | head -n 1)
  printf '%s\n' "${mirror:-http://deb.debian.org/debian}"
}

# A client from elsewhere may not look where Debian puts plugins. All clients look into /usr/local/lib/docker.
link_plugins() {
  local plugin target
  for plugin in docker-compose docker-buildx; do
    for target in /usr/libexec/docker/cli-plugins /usr/lib/docker/cli-plugins; do
      [ -x "$target/$plugin" ] || continue
      say "linking $plugin for $(command -v docker)"
      mkdir -p /usr/local/lib/docker/cli-plugins
      ln -sfn "$target/$plugin" "/usr/local/lib/docker/cli-plugins/$plugin"
      break
    done
  done
}

# ---- running -----------------------------------------------------------------------------------------------------

start_engine() {
  if [ -n "${DOCKER_HOST-}" ]; then
    die "$EXIT_FAILED" "no engine answers at DOCKER_HOST=$DOCKER_HOST; start that one, or unset DOCKER_HOST to have one here"
  fi
  have dockerd || die "$EXIT_FAILED" 'dockerd is not in PATH'
  if [ -d /run/systemd/system ] && systemctl cat docker.service >/dev/null 2>&1; then
    say 'starting docker.service (end it with: systemctl stop docker)'
    systemctl start docker.service
    wait_for_engine ''
    return
  fi

  local extra=()
  read -ra extra <<<"${AETHEL_DOCKERD_ARGS-}"
  say "starting dockerd in the background, log in $LOGFILE"
  mkdir -p "$(dirname "$LOGFILE")"
  # As docker.service does: containers inherit the limit, and a node with many sockets needs a high one.
  ulimit -n 1048576 2>/dev/null || true
  # Its own session, so that the caller's Ctrl-C does not reach it; and without our lock (descriptor 9).
  setsid dockerd ${extra[@]+"${extra[@]}"} >"$LOGFILE" 2>&1 </dev/null 9>&- &
  echo $! >"$PIDFILE"
  wait_for_engine $!
}

# wait_for_engine PID: polls within the budget; with a PID, gives up as soon as that process is gone.
wait_for_engine() {
  local deadline=$((SECONDS + WAIT_S))
  until engine_answers; do
    if [ -n "$1" ] && ! kill -0 "$1" 2>/dev/null; then
      rm -f "$PIDFILE"
      tail -n 20 "$LOGFILE" >&2
      die "$EXIT_FAILED" "dockerd ended at once; the end of $LOGFILE is above"
    fi
    if [ $SECONDS -ge $deadline ]; then
      [ -z "$1" ] || tail -n 20 "$LOGFILE" >&2
      die "$EXIT_FAILED" "no engine answered within $WAIT_S s"
    fi
    sleep 0.2
  done
}

stop_engine() {
  require_root
  local pid
  pid=$(cat "$PIDFILE" 2>/dev/null || true)
  # A process id alone may have been given to someone else since.
  if [ -z "$pid" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dockerd ]; then
    rm -f "$PIDFILE"
    say 'no engine of ours is running'
    return
  fi
  say "stopping dockerd ($pid)"
  kill -TERM "$pid"
  local deadline=$((SECONDS + WAIT_S))
  while kill -0 "$pid" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || die "$EXIT_FAILED" "dockerd ($pid) has not ended within $WAIT_S s; see $LOGFILE"
    sleep 0.2
  done
  rm -f "$PIDFILE"
  say 'stopped'
}

report() {
  say "engine $(docker version --format '{{.Server.Version}}'), client $(docker version --format '{{.Client.Version}}') ($(command -v docker))"
  say "compose $(docker compose version --short), $(docker buildx version)"
}

# ---- small things ------------------------------------------------------------------------------------------------

# Two sessions on one machine must not install or start at the same time: the second waits, then finds it done.
lock() {
  mkdir -p "$(dirname "$PIDFILE")"
  exec 9>"${PIDFILE%.pid}.lock"
  flock 9
}

require_root() {
  [ "$(id -u)" -eq 0 ] || die "$EXIT_UNSUITABLE" "needs root: sudo $0"
}

require_debian() {
  # shellcheck source=/dev/null
  if ! have apt-get || [ "$(. /etc/os-release && echo "$ID")" != debian ]; then
    die "$EXIT_UNSUITABLE" 'installs only on Debian; elsewhere follow https://docs.docker.com/engine/install/ (engine, compose and buildx plugins), then run this again'
  fi
  at_least "$(dpkg-query -W -f '${Version}' libc6)" "$LIBC_MIN" ||
    die "$EXIT_UNSUITABLE" 'needs Debian 12 (bookworm) or newer; on an older one follow https://docs.docker.com/engine/install/debian/'
}

say() { printf 'docker-engine: %s\n' "$*"; }
die() {
  printf 'docker-engine: %s\n' "$2" >&2
  exit "$1"
}

main "$@"
