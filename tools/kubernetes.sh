#!/usr/bin/env bash
# kubernetes.sh: makes a genuine kube-apiserver and etcd, once, for the tests. They are put into the cache of paths.sh; nothing
# is installed, root is not needed, and what the build takes (2.2 GB, minutes) is removed when it ends, however it ends.
#
# Debian 12 has the whole source of Kubernetes with all that it depends on, and a Go that builds it, so that neither a container
# nor a registry is asked; etcd it has as a program. Any machine that reads a Debian archive can do this. Says why it cannot.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/paths.sh
. tools/debian.sh

suite=bookworm types="deb deb-src" version=1.20.2
out=$GTHULHU_KUBERNETES
[ ! -e "$out/complete" ] || exit 0
say() { echo "kubernetes: $*" >&2; }
for tool in apt-get dpkg-deb tar xz; do
    command -v $tool >/dev/null || { say "no $tool here"; exit 1; }
done

mkdir -p "$out"
exec 9>"$out/lock"
flock 9
[ ! -e "$out/complete" ] || exit 0
work=$out/work
trap 'rm -rf "$work"' EXIT
rm -rf "$work"
mkdir -p "$work/fetched" "$work/tree" "$work/go/src/k8s.io/kubernetes"
cache=$work
read_lists $suite || { tail -n 3 "$work/apt/$suite/log" >&2 2>/dev/null || true; exit 1; }

say "fetching the source of $version, Go and etcd from Debian's $suite"
(cd "$work/fetched" &&
    in_suite $suite apt-get -qq source --download-only kubernetes &&
    in_suite $suite apt-get -qq download golang-1.19-go golang-1.19-src etcd-server) >"$work/log" 2>&1 ||
    { tail -n 3 "$work/log" >&2; exit 1; }
for package in "$work"/fetched/*.deb; do dpkg-deb -x "$package" "$work/tree"; done
source=$work/go/src/k8s.io/kubernetes
tar -xzf "$work"/fetched/kubernetes_*.orig.tar.gz -C "$source" --strip-components=1

export GOROOT=$work/tree/usr/lib/go-1.19 GOPATH=$work/go GOCACHE=$work/go-cache GOTMPDIR=$work
export GO111MODULE=off GOFLAGS='' GOPROXY=off CGO_ENABLED=0
go=$GOROOT/bin/go
cd "$source"

say "building kube-apiserver $version: minutes"
# One file of the API server is generated and not kept in its source: what its types look like to OpenAPI.
"$go" build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
marked=$(grep -Rl --include='*.go' '+k8s:openapi-gen=' pkg cmd plugin vendor/k8s.io | xargs -n 1 dirname | sort -u |
    grep -Ev '/(code-generator|sample-[a-z-]*|kube-openapi|gengo|testdata)(/|$)' | sed 's,^,k8s.io/kubernetes/,' | paste -sd ,)
"$work/openapi-gen" --input-dirs "$marked" --output-package k8s.io/kubernetes/pkg/generated/openapi \
    --output-file-base zz_generated.openapi --report-filename "$work/openapi.report" \
    --go-header-file vendor/k8s.io/code-generator/hack/boilerplate.go.txt
# It tells its version to clients, and goes by it itself.
stamp=
for package in component-base/version client-go/pkg/version; do
    for word in gitVersion=v$version gitMajor=1 gitMinor=20; do
        stamp+=" -X k8s.io/kubernetes/vendor/k8s.io/$package.$word"
    done
done
"$go" build -ldflags "-s -w$stamp" -o "$work/kube-apiserver" ./cmd/kube-apiserver
[ "$("$work/kube-apiserver" --version)" = "Kubernetes v$version" ] || { say "what was built is not v$version"; exit 1; }

mv "$work/kube-apiserver" "$work/tree/usr/bin/etcd" "$out/"
touch "$out/complete"
