#!/usr/bin/env bash
# State from before the slots: the earlier compose file kept each replica in an anonymous volume, which the next `down` lost
# from sight. This lists such volumes, and copies them into slots of the volume that all replicas share now.
#
# A copy takes nothing away: the sources stay, and what is in a slot stays. One identity never comes into two slots. The newest
# source gets the lowest free slot.
set -euo pipefail

readonly EXIT_FAILED=1 EXIT_USAGE=2 EXIT_RUNNING=3
ROOT=$(cd "$(dirname "$0")/.." && pwd)
IMAGE=aethel/node:${AETHEL_TAG:-dev}

usage() {
  cat <<TEXT
usage: ${0##*/} [--project NAME] [--all | VOLUME…]

  without volumes   lists the anonymous volumes that hold a node's state, newest first
  --all             copies all of them
  VOLUME…           copies these
  --project NAME    of the cluster to go on with (default: what docker compose calls this directory)
  --help            this text

The replicas of the project must be down. The earlier compose file called every project \`aethel\`: to go on with its key, set
COMPOSE_PROJECT_NAME=aethel in .env first.

environment
  AETHEL_TAG        tag of aethel/node, whose image does the copying (now ${AETHEL_TAG:-dev})

exit codes
  0 done   $EXIT_FAILED something failed   $EXIT_USAGE wrong usage   $EXIT_RUNNING replicas are running
TEXT
}

main() {
  local project='' all=no volumes=()
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --all) all=yes ;;
      --project) [ $# -ge 2 ] || wrong '--project needs a name'; project=$2; shift ;;
      -*) wrong "unknown option $1" ;;
      *) volumes+=("$1") ;;
    esac
    shift
  done
  [ "$all" = no ] || [ ${#volumes[@]} -eq 0 ] || wrong '--all or volumes, not both'
  [ -n "$project" ] || project=$(project_here)
  [[ $project =~ ^[a-z0-9][a-z0-9_-]*$ ]] || wrong "'$project' is no name of a project"
  docker image inspect "$IMAGE" >/dev/null 2>&1 || die $EXIT_FAILED "the image $IMAGE is missing: docker compose build"

  local found
  found=$(sources)
  if [ "$all" = no ] && [ ${#volumes[@]} -eq 0 ]; then
    list "$project" "$found"
    return
  fi
  [ "$all" = no ] || mapfile -t volumes < <(awk 'NF { print $3 }' <<<"$found")
  [ ${#volumes[@]} -gt 0 ] || { echo 'no anonymous volume holds a node'\''s state'; return; }
  take_over "$project" "${volumes[@]}"
}

project_here() {
  (cd "$ROOT" && docker compose config 2>/dev/null | sed -n 's/^name: //p')
}

# One line for each anonymous volume that holds a node's state, newest first: time of the last write, bytes, name.
sources() {
  local names=() mounts=() name
  mapfile -t names < <(docker volume ls --quiet | grep -xE '[0-9a-f]{64}' || true)
  [ ${#names[@]} -gt 0 ] || return 0
  for name in "${names[@]}"; do mounts+=(-v "$name:/from/$name:ro"); done
  inside "${mounts[@]}" "$IMAGE" -c '
    for dir in /from/*; do
      [ -s "$dir/identity.key" ] && [ -s "$dir/store/data.mdb" ] || continue
      echo "$(stat -c %y "$dir"/store/data.mdb "$dir"/store/journal 2>/dev/null | sort | tail -n 1 | cut -c1-19 | tr " " T)" \
        "$(stat -c %s "$dir/store/data.mdb")" "${dir##*/}"
    done' | sort -r
}

list() {
  local project=$1 found=$2
  if [ -z "$found" ]; then
    echo 'no anonymous volume holds a node'\''s state'
    return
  fi
  printf '%-20s %12s  %s\n' 'written last (UTC)' bytes volume
  while read -r at bytes name; do printf '%-20s %12s  %s\n' "$at" "$bytes" "$name"; done <<<"$found"
  printf '\nto copy them into slots of %s_state:  %s --project %s --all     (or the names of some)\n' "$project" "$0" "$project"
  key_of_before "$project"
}

take_over() {
  local project=$1 name mounts=()
  shift
  local running
  running=$(docker ps --quiet --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.service=node)
  [ -z "$running" ] || die $EXIT_RUNNING "replicas of the project $project are running: docker compose -p $project down"
  for name in "$@"; do
    docker volume inspect "$name" >/dev/null 2>&1 || die $EXIT_USAGE "there is no volume $name"
    [ -z "$(docker ps --quiet --filter "volume=$name")" ] || die $EXIT_RUNNING "a running container uses the volume $name"
    mounts+=(-v "$name:/from/$name:ro")
  done
  # As compose labels it, so that it counts as its own.
  docker volume inspect "${project}_state" >/dev/null 2>&1 ||
    docker volume create --label "com.docker.compose.project=$project" --label com.docker.compose.volume=state "${project}_state" >/dev/null
  inside "${mounts[@]}" -v "${project}_state:/var/lib/aethel" "$IMAGE" -c '
    set -eu
    cd /var/lib/aethel
    for name in "$@"; do
      from=/from/$name
      [ -s "$from/identity.key" ] || { echo "$name holds no state of a node" >&2; exit 1; }
      for slot in slot-*; do
        if cmp -s "$from/identity.key" "$slot/identity.key"; then echo "$name: its node is in $slot already"; continue 2; fi
      done
      n=0
      while [ -e "slot-$n/identity.key" ] || [ -e "slot-$n/store" ] || [ -e "slot-$n/store.made" ]; do n=$((n + 1)); done
      rm -rf taking-over
      cp -a "$from" taking-over
      rm -f taking-over/store/own-*.sock taking-over/store/lock.mdb
      chmod 700 taking-over
      sync
      rm -rf "slot-$n"
      mv -T taking-over "slot-$n"
      sync
      echo "$name: copied into slot-$n"
    done
    set -- slot-*/identity.key
    echo "$# slots hold state: docker compose up -d --scale node=$#    (fewer leave the highest slots unserved)"' taking-over "$@"
  key_of_before "$project"
}

# A cluster goes on only with its own key.
key_of_before() {
  [ "$1" != aethel ] && docker volume inspect aethel_cluster-key >/dev/null 2>&1 || return 0
  echo "note: there is also a volume aethel_cluster-key, of the earlier compose file's fixed project name. To go on with that key and"
  echo "      whatever shares it, set COMPOSE_PROJECT_NAME=aethel in .env and run this with --project aethel."
}

inside() {
  docker run --rm --pull never --network none --user 1000:1000 --cap-drop ALL --security-opt no-new-privileges:true \
    --entrypoint bash "$@"
}

wrong() {
  echo "${0##*/}: $1" >&2
  usage >&2
  exit $EXIT_USAGE
}

die() {
  echo "${0##*/}: $2" >&2
  exit "$1"
}

main "$@"
