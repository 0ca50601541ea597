#!/usr/bin/env bash
# Calls a running meshflow through its public port and checks what comes back: envoy/verify.sh [URL]. Needs curl and a server
# with a model (MESHFLOW_MOCK=1 is enough).
set -euo pipefail
url="${1:-http://127.0.0.1:8765}"
body="$(mktemp)" large="$(mktemp)"
trap 'rm -f "$body" "$large"' EXIT
{ printf '{"task":"'; head --bytes 10000000 /dev/zero | tr '\0' 'x'; printf '"}'; } >"$large"
failures=0

# check NAME STATUS TEXT CURL-ARGUMENTS...: the answer has this status and its body contains the text.
check() {
  local name="$1" status="$2" text="$3" got
  shift 3
  got="$(curl --silent --show-error --max-time 60 --output "$body" --write-out '%{http_code}' "$@")" || got="no answer"
  if [[ "$got" == "$status" ]] && grep --quiet --fixed-strings -- "$text" "$body"; then
    echo "ok    $name"
  else
    echo "FAIL  $name: wanted $status with '$text', got $got: $(head --bytes 300 "$body")"
    failures=$((failures + 1))
  fi
}

json=(--header 'content-type: application/json')
check 'health' 200 '"ok":true' "$url/health"
check 'a run' 200 '"run_id":"run_' "${json[@]}" --data '{"task":"Say hello."}' "$url/run"
check 'events of a run' 200 'data: {"event_type":"run_started"' --no-buffer "${json[@]}" --data '{"task":"Say hello."}' "$url/stream"
check 'no task' 400 '"INVALID_REQUEST"' "${json[@]}" --data '{}' "$url/run"
check 'not JSON' 400 'not valid JSON' "${json[@]}" --data '{"task":"x",}' "$url/run"
check 'wrong content type' 415 'application/json' --header 'content-type: text/plain' --data '{"task":"x"}' "$url/run"
check 'wrong method' 405 'this path takes POST' "$url/run"
check 'unknown path' 404 '"code":5' "$url/nope"
check 'unknown query parameter' 400 'page_sise' "$url/v1/runs?page_sise=3"
check 'ten megabytes' 413 '"REQUEST_TOO_LARGE"' "${json[@]}" --header 'expect:' --data-binary @"$large" "$url/run"

((failures == 0)) || { echo "$failures checks failed" >&2; exit 1; }
