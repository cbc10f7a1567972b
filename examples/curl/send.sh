#!/usr/bin/env bash
# Sends a click. curl retries with the same id, so that the click counts once.
# CLICKTALLY_URL=https://counts.example CLICKTALLY_KEY=ct_s_… ./send.sh backup-finished
set -euo pipefail

# A UUIDv7: the time in milliseconds, and random bits. Needs GNU date.
time=$(printf '%012x' "$(date +%s%3N)")
random=$(od -An -N10 -tx1 /dev/urandom | tr -d ' \n')
id="${time:0:8}-${time:8:4}-7${random:0:3}-8${random:3:3}-${random:6:12}"

curl --silent --show-error --fail-with-body --retry 8 --retry-connrefused --max-time 10 \
  -H "authorization: Bearer $CLICKTALLY_KEY" -H 'content-type: application/json' \
  -d "{\"id\":\"$id\",\"target\":\"$1\"}" "$CLICKTALLY_URL/v1/events"
