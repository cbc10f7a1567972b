#!/bin/bash
# with-secrets.sh <command> [arguments…]
#
# Runs Patroni or patronictl with the passwords of /run/secrets, which patroni.yml does not contain:
#   docker compose exec postgres with-secrets.sh patronictl list
set -euo pipefail

PATRONI_SUPERUSER_PASSWORD=$(cat /run/secrets/owner-password)
PATRONI_REPLICATION_PASSWORD=$(cat /run/secrets/replication-password)
PATRONI_RESTAPI_PASSWORD=$(cat /run/secrets/patroni-password)
export PATRONI_SUPERUSER_PASSWORD PATRONI_REPLICATION_PASSWORD PATRONI_RESTAPI_PASSWORD

# Patroni creates the role for replication only in a database that it makes. In that of a single server, which it takes over as it
# is, nothing has created it. The password has no character that needs escaping.
if [ "$1" = patroni ] && [ -s "$PGDATA/PG_VERSION" ] && [ ! -e "$PGDATA/patroni.dynamic.json" ] && [ ! -e "$PGDATA/standby.signal" ]; then
  postgres --single -D "$PGDATA" -c exit_on_error=on postgres >/dev/null <<SQL
do \$\$ begin if not exists (select from pg_roles where rolname = 'clicktally_replication') then create role clicktally_replication replication login password '$PATRONI_REPLICATION_PASSWORD'; end if; end \$\$
SQL
fi

# Only the first makes a new database, or brings that of a single server. The others copy it from the primary.
has_primary() {
  local host status
  for host in postgres postgres-2 postgres-3; do
    read -r -t 2 _ status _ < <(exec 3<>"/dev/tcp/$host/8008" && printf 'GET /primary HTTP/1.0\r\n\r\n' >&3 && cat <&3) || continue
    [ "$status" != 200 ] || return 0
  done
  return 1
}
if [ "$1" = patroni ] && [ ! -s "$PGDATA/PG_VERSION" ] && [ "$PATRONI_NAME" != postgres ]; then
  echo 'waits for a primary'
  until has_primary 2>/dev/null; do sleep 1; done
fi
exec "$@"
