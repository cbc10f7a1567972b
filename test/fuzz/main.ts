import { rm } from 'node:fs/promises'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { nginxForLoadTests } from '@clicktally/local/servers/nginx-settings.ts'
import { startSystem } from '@clicktally/local/system.ts'
import { wholeNumber } from '@clicktally/terminal/option-values.ts'
import { type Output, withProgress } from '@clicktally/terminal/progress.ts'
import { Command } from 'commander'
import { fuzz } from './fuzzing.ts'

interface Options {
  readonly requests: number
  readonly seed: number
}

const { requests, seed } = new Command('npm run test:fuzz --')
  .description(
    'Sends generated requests for every operation of the OpenAPI document to a system of its own. Every answer must be documented: no 5xx but 503, errors as problem details, no service that ends.',
  )
  .option('--requests <number>', 'number of requests', wholeNumber(1, 100_000_000), 1_000_000)
  .option('--seed <number>', 'seed of the generated requests', wholeNumber(0, 2_147_483_647), 1)
  .parse()
  .opts<Options>()

const abort = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => abort.abort(new Error(signal)))
const output: Output = {
  line: (text) => process.stdout.write(`${text}\n`),
  terminal: process.stderr.isTTY ? process.stderr : undefined,
}
const dir = await makeScratchFolder('fuzz')
const system = await startSystem({
  ...{ dir, port: 0, ingests: 1, processors: 1, nginx: nginxForLoadTests, onLine: () => {} },
  signal: abort.signal,
})
try {
  const shown = { label: 'Fuzzing', unit: 'requests', total: requests, withSpeed: true }
  const result = await withProgress(output, shown, (onProgress) =>
    fuzz({ system, requests, seed, onProgress, signal: abort.signal }),
  )
  for (const [operation, statuses] of result.statuses) {
    const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status} ×${count}`)
    output.line(`${operation.padEnd(20)} ${counts.join(', ')}`)
  }
  for (const { service, earlyMb, lateMb } of result.memory) {
    output.line(`${service.padEnd(20)} ${earlyMb.toFixed(0)} MB after a tenth, ${lateMb.toFixed(0)} MB at the end`)
  }
  for (const name of result.restarted) output.line(`${name} ended and was started again`)
  for (const fault of result.faults) output.line(`\n${fault}`)
  output.line(`\n${result.faultCount} answers were wrong.`)
  process.exitCode = result.faultCount > 0 || result.restarted.length > 0 ? 1 : 0
} finally {
  await system.stop()
  await rm(dir, { recursive: true, force: true })
}
