#!/usr/bin/env bash
# local_teardown.sh: removes the cluster that local_setup.sh has made, and all that is in it.
set -euo pipefail

cluster=gthulhu-api-local
if kind get clusters 2>/dev/null | grep -qx "$cluster"; then
    kind delete cluster --name "$cluster"
else
    echo "there is no cluster $cluster"
fi
