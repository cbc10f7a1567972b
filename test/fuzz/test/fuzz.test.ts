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
  // Each operation was reached, and let some requests through its checks; those that need no id of something, and no session, did their work.
  const session = ['setPassword', 'signIn', 'getSession', 'signOut']
  const succeeds = (id: string) => [...(statuses.get(id)?.keys() ?? [])].some((status) => status < 300)
  const isReached = (id: string) => [...(statuses.get(id)?.keys() ?? [])].some((status) => status !== 404)
  expect(operations.filter(({ id }) => !isReached(id))).toEqual([])
  for (const { id, path } of operations)
    if (!path.includes('{') && !session.includes(id)) expect([id, succeeds(id)]).toEqual([id, true])
  // An order of magnitude: figures are for the full run.
  for (const { service, lateMb } of memory) expect([service, lateMb < 600]).toEqual([service, true])
})
