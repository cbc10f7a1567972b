#!/usr/bin/env bash
# store-secrets.sh [--rotate ACCOUNT]…: makes the passwords and keys of an installation that are missing, and stores them in Secrets Manager,
# one secret for each account, where the stack expects them. Run it from the root of a clone, after the first deployment of the stack; needs
# the AWS CLI.
#
# What is stored already is kept. --rotate replaces the passwords that an account has at the broker and the database. Then start the pipeline
# at once: it tells broker and database, and replaces the tasks. Until it ends, a task that starts or connects again may be refused.
set -euo pipefail
cd "$(dirname "$0")/../.."
umask 077

rotated=()
while [ $# -gt 0 ]; do
  if [ "$1" != --rotate ] || [ $# -lt 2 ]; then
    echo 'Usage: store-secrets.sh [--rotate ACCOUNT]…' >&2
    exit 2
  fi
  rotated+=("$2")
  shift 2
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dir=$work/secrets

# A new installation tells which accounts there are. The files of the servers are not stored: AWS, or whoever runs them, has their own.
node scripts/run.mjs infra/secrets/main.ts "$work/new" >/dev/null
rm -r "$work/new/postgres" "$work/new/rabbitmq"
accounts=$(ls "$work/new")

for account in $accounts; do
  aws secretsmanager get-secret-value --secret-id "clicktally/$account" --query SecretString --output text >"$work/$account.json"
  node -e '
    const { mkdirSync, readFileSync, writeFileSync } = require("node:fs")
    const [file, folder] = process.argv.slice(1)
    const { initial, ...files } = JSON.parse(readFileSync(file, "utf8"))
    mkdirSync(folder, { recursive: true })
    for (const [name, content] of Object.entries(files)) writeFileSync(`${folder}/${name}`, content)
  ' "$work/$account.json" "$dir/$account"
done

for account in "${rotated[@]}"; do
  if [ ! -d "$dir/$account" ]; then
    echo "There is no account $account. There are:" $accounts >&2
    exit 2
  fi
  rm -f "$dir/$account/broker-password" "$dir/$account/database-password" "$dir/migrate/$account-password"
done
node scripts/run.mjs infra/secrets/main.ts "$dir"

for account in $accounts; do
  node -e '
    const { readdirSync, readFileSync, writeFileSync } = require("node:fs")
    const [folder, file] = process.argv.slice(1)
    const read = (name) => [name, readFileSync(`${folder}/${name}`, "utf8")]
    writeFileSync(file, JSON.stringify(Object.fromEntries(readdirSync(folder).map(read))))
  ' "$dir/$account" "$work/$account.json"
  # From a file: arguments of a process can be seen by every user of the machine.
  aws secretsmanager put-secret-value --secret-id "clicktally/$account" --secret-string "file://$work/$account.json" >/dev/null
  echo "stored clicktally/$account"
done
echo 'The key and the password of the first owner are in clicktally/operator.'
