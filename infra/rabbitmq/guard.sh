#!/bin/bash
# guard.sh <command> [arguments…]
#
# Runs RabbitMQ in its container, and stops the container when RabbitMQ must not continue. Docker's restart policy starts it
# again; Docker does not restart unhealthy containers.
#
# 1. Disk space. RabbitMQ must never reach a full disk. The log of its quorum queues then fails and restarts within the running
#    node, which has lost the last writes of each queue: messages that are confirmed after such a gap are lost at the next
#    start. Killing RabbitMQ loses nothing. So it is killed at the floor, far below disk_free_limit, at which publishers are
#    blocked, and started when there is space again.
# 2. Queues without a leader. Only a restart of the node recovers them. The health check reports them with a file.

data=/var/lib/rabbitmq
leaderless=/tmp/leaderless

# Bytes. The space between disk_free_limit (2 GB) and the floor is for what is still written while publishers are blocked:
# clicks in flight (32 MiB for each ingest), acknowledgements, and log files with their segments (64 MiB each).
floor=$((512 * 1024 * 1024))
# Starting writes segments as well, which must not reach the floor.
start=$((floor + 256 * 1024 * 1024))
# Seconds. A queue elects a leader within one or two. Without a leader since the start it may be recovering gigabytes, and a
# kill would restart the recovery. The health check creates this file when all queues have leaders.
led=/tmp/checked
leaderless_for=20
leaderless_from_start_for=300

pause_ms=1000

say() { echo "guard: $*"; }

# Sets `free`, in bytes. Fails if the size cannot be read.
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
      # When a container's first process exits, all its other processes receive SIGKILL.
      exit 1
    fi
    # The time in which a disk that fills at 1 GB/s gets halfway to the floor: 0.1 to 5 s.
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
