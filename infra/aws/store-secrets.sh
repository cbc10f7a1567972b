#!/usr/bin/env bash
# store-secrets.sh: makes all passwords and keys of an installation and stores them in Secrets Manager, one secret for each account, where
# the stack expects them. Run it once, after the first deployment of the stack, from the root of a clone; needs the AWS CLI.
#
# Run again, it replaces all of them. Then start the pipeline, which passes them on to broker, database and services.
set -euo pipefail
cd "$(dirname "$0")/../.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
node scripts/run.mjs infra/secrets/main.ts "$dir"
for folder in "$dir"/*/; do
  account=$(basename "$folder")
  # PostgreSQL's own is made by AWS.
  [ "$account" = postgres ] && continue
  node -e '
    const { readdirSync, readFileSync, writeFileSync } = require("node:fs")
    const [folder, file] = process.argv.slice(1)
    const read = (name) => [name, readFileSync(`${folder}/${name}`, "utf8")]
    writeFileSync(file, JSON.stringify(Object.fromEntries(readdirSync(folder).map(read))), { mode: 0o600 })
  ' "$folder" "$dir/$account.json"
  # From a file: arguments of a process can be seen by every user of the machine.
  aws secretsmanager put-secret-value --secret-id "clicktally/$account" --secret-string "file://$dir/$account.json" >/dev/null
  echo "stored clicktally/$account"
done
echo 'The key and the password of the first owner are in clicktally/operator.'
