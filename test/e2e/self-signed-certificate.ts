import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cloneDir } from '@clicktally/local/files/local-folder.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { runCommand } from '@clicktally/local/processes/run-command.ts'
import { expect, onTestFinished } from 'vitest'

/** Makes a certificate for the loopback names and these hosts, until the test ends. Returns the paths of the PEM files. */
export async function makeCertificate(...hosts: string[]): Promise<{ dir: string; certificate: string; key: string }> {
  const dir = await makeScratchFolder('certificate')
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const script = join(cloneDir, 'infra/nginx/self-signed.sh')
  const { code, output } = await runCommand('sh', [script, dir, ...hosts], { withinMs: 600_000 })
  expect(code, output).toBe(0)
  return { dir, certificate: join(dir, 'certificate.pem'), key: join(dir, 'key.pem') }
}
