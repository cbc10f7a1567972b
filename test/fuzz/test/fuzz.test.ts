import { rm } from 'node:fs/promises'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { nginxForLoadTests } from '@clicktally/local/servers/nginx-settings.ts'
import { startSystem } from '@clicktally/local/system.ts'
import { expect, onTestFinished, test } from 'vitest'
import { fuzz } from '../fuzzing.ts'
import { readOperations } from '../openapi.ts'

test('every operation answers generated requests as documented: no 5xx but 503, errors as problem details', async () => {
  const dir = await makeScratchFolder('fuzz-test')
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const system = await startSystem({
    dir,
    port: 0,
    ingests: 1,
    processors: 1,
    nginx: nginxForLoadTests,
    onLine: () => {},
  })
  onTestFinished(() => system.stop())
  const operations = await readOperations(system.baseUrl)
  const { faults, faultCount, restarted, statuses, memory } = await fuzz({
    ...{ system, requests: operations.length * 500, seed: 1 },
  })
  expect(faults.join('\n\n')).toBe('')
  expect([faultCount, restarted]).toEqual([0, []])
  // Each operation was reached, and let some requests through its checks.
  for (const { id } of operations) {
    const answered = statuses.get(id)
    expect([id, (answered?.get(404) ?? 0) < 500 && answered !== undefined]).toEqual([id, true])
  }
  const succeeded = operations.filter(({ id }) => [...(statuses.get(id)?.keys() ?? [])].some((status) => status < 300))
  expect(succeeded.map(({ id }) => id)).toEqual(
    expect.arrayContaining(['postEvent', 'postBatch', 'getCounts', 'listKeys']),
  )
  // An order of magnitude: figures are for the full run.
  for (const { service, lateMb } of memory) expect([service, lateMb < 600]).toEqual([service, true])
})
