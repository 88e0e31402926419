#!/usr/bin/env bash
# local_setup.sh: a cluster of kind with everything in it, from nothing or on top of what is there. Builds the images, makes the
# Secrets (a Job in the cluster does), applies the three folders and a pod to try things on, and forwards the manager's port to
# this machine. With --scheduler the nodes' scheduler is switched on, which takes a kernel with sched_ext.
set -euo pipefail
cd "$(dirname "$0")/../.."

cluster=gthulhu-api-local namespace=gthulhu-api-local url=http://localhost:8080
scheduler=false
case "${1:-}" in
    '') ;;
    --scheduler) scheduler=true ;;
    *) echo "usage: local_setup.sh [--scheduler]" >&2; exit 64 ;;
esac
for tool in kind docker kubectl curl; do
    command -v "$tool" >/dev/null || { echo "missing: $tool" >&2; exit 69; }
done
# Never the cluster that somebody works with at the moment.
context=kind-$cluster
kubectl() { command kubectl --context "$context" "$@"; }
# Of a decision maker, which may be what listens there, nothing has this path.
answers() { curl -fsS "$url/openapi.json" >/dev/null 2>&1; }

existed=false
if kind get clusters 2>/dev/null | grep -qx "$cluster"; then existed=true; else kind create cluster --name "$cluster"; fi
tools/image.sh api scheduler
for image in gthulhu-api:local gthulhu-scx:local; do kind load docker-image "$image" --name "$cluster"; done

kubectl apply -f deployment/kind/mongo
kubectl -n "$namespace" wait --for=condition=complete --timeout=5m job/gthulhu-secrets
kubectl -n "$namespace" rollout status --timeout=10m statefulset/mongo
kubectl apply -f deployment/kind/manager
kubectl apply -f deployment/kind/decisonmaker
kubectl -n kube-system set env daemonset/decisionmaker -c scheduler "SCX_SCHEDULER_ENABLE=$scheduler"
kubectl apply -f deployment/kind/pod/busybox.yaml
if [ "$existed" = true ]; then
    # The images have the same names as before, so nothing would be started anew.
    kubectl -n kube-system rollout restart daemonset/decisionmaker
    kubectl -n "$namespace" rollout restart deployment/manager
fi
kubectl -n kube-system rollout status --timeout=5m daemonset/decisionmaker
kubectl -n "$namespace" rollout status --timeout=5m deployment/manager

# The port may still be forwarded by an earlier run; if what it leads to is gone, asking ends it.
if ! answers; then
    kubectl -n "$namespace" port-forward svc/manager 8080:8080 >/dev/null 2>&1 &
    forward=$!
    for attempt in {1..30}; do
        ! answers || break
        if [ "$attempt" -eq 30 ] || ! kill -0 "$forward" 2>/dev/null; then
            echo "the manager does not answer at $url; why its port is not forwarded, this says:" >&2
            echo "  kubectl --context $context -n $namespace port-forward svc/manager 8080:8080" >&2
            exit 1
        fi
        sleep 1
    done
fi
cat <<END
The manager answers at $url, its description is at $url/swagger/index.html.
Log in as admin@localhost with the password that this prints:
  kubectl --context $context -n $namespace get secret gthulhu-admin -o jsonpath={.data.password} | base64 -d
deployment/kind/local_test.sh tries it, deployment/kind/local_teardown.sh removes everything.
END
