#!/bin/bash
# guard.sh <command> [arguments…]
#
# Runs RabbitMQ in its container, and ends the container when RabbitMQ must not go on. Docker's restart policy starts it
# again: Docker itself does nothing about a container that its health check calls unhealthy.
#
# 1. The disk. RabbitMQ must never meet a full one. The log of its quorum queues fails there and is restarted within the
#    running node, which has then forgotten what each queue wrote last: what is confirmed after such a gap is gone at the
#    next start. A killed RabbitMQ loses nothing. So it is killed at the floor, far below disk_free_limit, where publishers
#    have long been told to wait, and started when there is room again.
# 2. Queues without a leader. Nothing but a restart of the node brings them back. The health check says so by a file.

data=/var/lib/rabbitmq
leaderless=/tmp/leaderless

# Bytes. Between disk_free_limit (2 GB) and the floor there is room for what is written though publishers wait: clicks on
# their way (32 MiB of each ingest), acknowledgements, files of the log and the segments that they become (64 MiB each).
floor=$((512 * 1024 * 1024))
# A start writes segments itself, and must not come to the floor by that.
start=$((floor + 256 * 1024 * 1024))
# Seconds. A queue elects its leader within one or two; but one that has had none since the start may have gigabytes to
# recover, and a kill would begin that anew. The health check makes this file when all queues have leaders.
led=/tmp/checked
leaderless_for=20
leaderless_from_start_for=300

pause_ms=1000

say() { echo "guard: $*"; }

# Sets `free`, in bytes; fails where the disk does not tell.
look() {
  local blocks size
  read -r blocks size < <(stat -f -c '%a %S' "$data") && free=$((blocks * size))
}

trap 'exit 143' TERM INT
if look && ((free < start)); then
  say "waits for $((start >> 20)) MiB of free disk, there are $((free >> 20))"
  while look && ((free < start)); do sleep 1 & wait $!; done
fi

rm -f "$leaderless"
"$@" &
server=$!
trap 'kill -TERM "$server"' TERM INT

while kill -0 "$server" 2>/dev/null; do
  if look; then
    if ((free < floor)); then
      say "kills RabbitMQ: $((free >> 20)) MiB are free on its disk"
      # The end of a container's first process is the end of all its processes, by SIGKILL.
      exit 1
    fi
    # As long as a disk that is filled at 1 GB/s needs to come half way to the floor: 0.1 to 5 s.
    pause_ms=$(((free - floor) / 2000000))
    ((pause_ms < 100)) && pause_ms=100
    ((pause_ms > 5000)) && pause_ms=5000
  fi
  patience=$leaderless_from_start_for
  [ -e "$led" ] && patience=$leaderless_for
  if [ -e "$leaderless" ] && (($(date +%s) - $(stat -c %Y "$leaderless") >= patience)); then
    say 'kills RabbitMQ: queues have had no leader for too long'
    exit 1
  fi
  sleep "$((pause_ms / 1000)).$(printf %03d $((pause_ms % 1000)))" &
  wait -n "$server" $!
done
wait "$server"
