#!/usr/bin/env bash
# image.sh [TARGET...]: builds the images of deployment/docker/Dockerfile, all four or those named: api, manager, decisionmaker,
# scheduler. They are called gthulhu-api:local and so on. With TAGS they are tagged for the registry as well, once for each tag
# (TAGS="1.4.0 1.4 1 latest"), and pushed there if PUSH is 1. With REF, a git reference, the tags are those of a release:
# `main` for the branch main, `1.4.0 1.4 1 latest` for the tag v1.4.0, `1.4.0-rc.1` alone for v1.4.0-rc.1. Of `1.4`, `1` and
# `latest` only those that name nothing newer.
set -euo pipefail
cd "$(dirname "$0")/.."

engine=${ENGINE:-$(command -v docker || command -v podman || true)}
registry=${REGISTRY:-ghcr.io/gthulhu}
[ -n "$engine" ] || { echo "neither docker nor podman is here; make rootfs assembles the same file systems without" >&2; exit 69; }

# newest START: whether of the versions that start so none is newer than $version.
newest() {
    local greatest
    greatest=$({ git tag --list "v$1*"; echo "v$version"; } | grep -xE 'v[0-9]+\.[0-9]+\.[0-9]+' | sort -V | tail -n 1)
    [ "$greatest" = "v$version" ]
}

# The image tags of a git reference.
tags() {
    local version=${1#refs/tags/v}
    if [ "$1" = refs/heads/main ]; then
        echo main
    elif [[ "$1" =~ ^refs/tags/v[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
        echo "$version"
        ! newest "${version%.*}." || echo "${version%.*}"
        ! newest "${version%%.*}." || echo "${version%%.*}"
        ! newest '' || echo latest
    elif [[ "$1" =~ ^refs/tags/v[0-9]+\.[0-9]+\.[0-9]+-[0-9A-Za-z.-]+$ ]]; then
        echo "$version"
    else
        echo "$1 is neither main nor a version: nothing is published of it" >&2
        return 65
    fi
}
[ -z "${REF:-}" ] || TAGS=$(tags "$REF")
[ "${PUSH:-}" != 1 ] || [ -n "${TAGS:-}" ] || { echo "PUSH=1 needs TAGS or REF: under which name?" >&2; exit 64; }

# What a target is called on this machine and in the registry.
names() {
    case $1 in
        api) echo "gthulhu-api:local api" ;;
        manager) echo "gthulhu-manager:local manager" ;;
        decisionmaker) echo "gthulhu-decisionmaker:local decisionmaker" ;;
        scheduler) echo "gthulhu-scx:local gthulhu" ;;
        *) echo "no such image: $1" >&2; exit 64 ;;
    esac
}

[ $# -gt 0 ] || set -- api manager decisionmaker scheduler
for target in "$@"; do
    found=$(names "$target")
    read -r here there <<<"$found"
    "$engine" build --file deployment/docker/Dockerfile --target "$target" --tag "$here" .
    for tag in ${TAGS:-}; do
        "$engine" tag "$here" "$registry/$there:$tag"
        [ "${PUSH:-}" != 1 ] || "$engine" push "$registry/$there:$tag"
    done
done
