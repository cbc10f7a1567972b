#!/bin/bash
# grow.sh <node>…
#
# Waits for the nodes, and gives each queue and each stream a member on each of them. The queues were made by the first node, before
# the others had joined, so they have one member: https://www.rabbitmq.com/docs/quorum-queues#member-management
# Runs at each start of the cluster; what has its members already is left alone.
set -euo pipefail

install -m 400 /run/secrets/erlang-cookie /var/lib/rabbitmq/.erlang.cookie
first=$1
streams=(keys live)

rabbitmqctl --quiet --node "$first" await_online_nodes $# --timeout 240
for node in "$@"; do
  rabbitmq-queues --quiet --node "$first" grow "$node" all
done
for stream in "${streams[@]}"; do
  members=$(rabbitmqctl --quiet --node "$first" list_queues --no-table-headers name members | sed -n "s/^$stream\t//p")
  for node in "$@"; do
    grep -Eq "$node([^-]|$)" <<<"$members" || rabbitmq-streams --quiet --node "$first" add_replica "$stream" "$node"
  done
done
