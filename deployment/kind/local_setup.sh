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
images=(gthulhu-api:local gthulhu-scx:local mongo:8.2.2 busybox:1.37.0)

kind get clusters 2>/dev/null | grep -qx "$cluster" || kind create cluster --name "$cluster"
tools/image.sh api scheduler
for image in "${images[@]:2}"; do docker pull "$image"; done
for image in "${images[@]}"; do kind load docker-image "$image" --name "$cluster"; done

kubectl apply -f deployment/kind/mongo
kubectl -n "$namespace" wait --for=condition=complete --timeout=5m job/gthulhu-secrets
kubectl -n "$namespace" rollout status --timeout=5m statefulset/mongo
kubectl apply -f deployment/kind/manager
kubectl apply -f deployment/kind/decisonmaker
kubectl -n kube-system set env daemonset/decisionmaker -c scheduler "SCX_SCHEDULER_ENABLE=$scheduler"
kubectl apply -f deployment/kind/pod/busybox.yaml
kubectl -n kube-system rollout status --timeout=5m daemonset/decisionmaker
kubectl -n "$namespace" rollout status --timeout=5m deployment/manager

kubectl -n "$namespace" port-forward svc/manager 8080:8080 >/dev/null 2>&1 &
for _ in {1..30}; do
    ! curl -fsS "$url/health" >/dev/null 2>&1 || break
    sleep 1
done
cat <<END
The manager answers at $url, its description is at $url/swagger/index.html.
Log in as admin@localhost with the password that this prints:
  kubectl -n $namespace get secret gthulhu-admin -o jsonpath={.data.password} | base64 -d
deployment/kind/local_test.sh tries it, deployment/kind/local_teardown.sh removes everything.
END
