import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

// Asks the registry for known vulnerabilities of our dependencies. Exit code: 1 if there are any or the audit failed; 0 if there
// are none, or if the registry gives no answer to audits, which is then said.
const pnpm = join(import.meta.dirname, '../.local/tools/pnpm/node_modules/pnpm/bin/pnpm.mjs')
const { status, stdout, stderr } = spawnSync(process.execPath, [pnpm, 'audit', ...process.argv.slice(2)], {
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
})
process.stdout.write(stdout)
process.stderr.write(stderr)
process.exitCode = status ?? 1
if (stderr.includes('ERR_PNPM_AUDIT_BAD_RESPONSE')) {
  console.log('Nothing was checked: this registry cannot be reached or does not offer audits.')
  process.exitCode = 0
}
