#!/usr/bin/env bash
# local_test.sh: what local_setup.sh has set up works: logs in, creates a strategy for the busybox pod, waits until its node has
# it, and deletes it again. MANAGER_URL is where the manager answers (http://localhost:8080).
set -euo pipefail

namespace=gthulhu-api-local url=${MANAGER_URL:-http://localhost:8080}
for tool in kubectl curl jq base64; do
    command -v "$tool" >/dev/null || { echo "missing: $tool" >&2; exit 69; }
done

# call METHOD PATH: sends what it reads, prints the answer. No secret is in an argument: those are everybody's to read.
call() {
    local body
    body=$(cat)
    curl -fsS -X "$1" "$url$2" -H 'content-type: application/json' \
        -H @<(echo "authorization: Bearer ${token:-none}") --data @- <<<"$body"
}
secret() { kubectl --context kind-gthulhu-api-local -n "$namespace" get secret gthulhu-admin -o "jsonpath={.data.$1}" | base64 -d; }

login=$(jq -n --arg username "$(secret email)" --rawfile password <(secret password) '{$username, $password}')
token=$(call POST /api/v1/auth/login <<<"$login" | jq -r .data.token)
echo "logged in"

call POST /api/v1/strategies >/dev/null <<'JSON'
{"labelSelectors": [{"key": "app", "value": "busybox"}], "priority": 1}
JSON
strategy=$(call GET /api/v1/strategies/self <<<'' | jq -r '.data.strategies[-1].ID')
echo "strategy $strategy created"

# State 2: the node has said that it holds it.
for _ in {1..30}; do
    intents=$(call GET /api/v1/intents/self <<<'')
    held=$(jq --arg id "$strategy" '[.data.intents[] | select(.StrategyID == $id)] | any(.State == 2)' <<<"$intents")
    [ "$held" != true ] || break
    sleep 1
done
call DELETE /api/v1/strategies >/dev/null <<<"{\"strategyId\": \"$strategy\"}"
[ "$held" = true ] || { echo "no node took it: $intents" >&2; exit 1; }
echo "its node holds it; deleted again"
