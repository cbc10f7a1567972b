import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureAccountSecrets } from './account-secrets.ts'

const [namespace, ...rest] = process.argv.slice(2)
if (namespace === undefined || rest.length > 0) {
  console.error('Usage: node main.ts NAMESPACE')
  process.exit(2)
}

const dir = mkdtempSync(join(tmpdir(), 'clicktally-secrets-'))
process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

try {
  const made = await ensureAccountSecrets(dir, (args, input = '') => {
    const { status, stdout, error } = spawnSync('kubectl', ['--namespace', namespace, ...args], {
      ...{ input, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, stdio: ['pipe', 'pipe', 'inherit'] },
    })
    if (error !== undefined) throw error
    if (status !== 0) throw new Error(`kubectl ${args[0]} failed`)
    return stdout
  })
  console.log(made.length > 0 ? `Made ${made.join(', ')}.` : 'Every Secret was there already.')
  console.log('The definitions of the broker are new: import them, as docs/kubernetes.md says.')
} catch (error) {
  console.error(`Could not make the Secrets in ${namespace}: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
