import { createBench, drain, keys } from '@clicktally/ingest/test/ingest-under-test.ts'
import { expect, test } from 'vitest'
import { runCli } from './cli-under-test.ts'

test('send sends a click, and prints its id', async () => {
  const { app, broker } = await createBench()
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const run = (...args: string[]) =>
    runCli(['send', ...args], { CLICKTALLY_URL: url, CLICKTALLY_KEY: keys.secret.text })
  const { code, stdout, stderr } = await run('signup', '--visitor', 'ann', '--prop', 'plan=a=b', '--prop', 'n=1')
  expect([code, stderr]).toEqual([0, ''])
  const id = stdout.trimEnd()
  expect((await drain(broker)).clicks).toMatchObject([
    { id, target: 'signup', visitorId: 'ann', props: { plan: 'a=b', n: '1' } },
  ])
  const again = await run('signup', '--id', id, '--page', 'https://shop.example/', '--bot', '--json')
  expect(JSON.parse(again.stdout)).toEqual({ id, status: 'accepted' })
  expect((await drain(broker)).clicks).toMatchObject([{ id, url: 'https://shop.example/', bot: true }])
  const refused = await run('', '--id', id)
  expect([refused.code, refused.stdout]).toEqual([2, ''])
  expect(refused.stderr).toContain(`To send the same click again, use --id ${id}.`)
})
