import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Click } from '@clicktally/contract/click.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { expect, it, onTestFinished } from 'vitest'
import { copyColumns, writeCopyFile } from '../copy-file.ts'
import { withClient } from '../own-database.ts'
import { CopyIn } from '../peers/copy-in.ts'
import { makeClicks, messagesOf } from '../queue-messages.ts'

it('a copy file brings the same rows into the table as its messages say', async () => {
  const { ownerUrl } = await createTestDatabase()
  const dir = await mkdtemp(join(tmpdir(), 'clicktally-bench-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const path = join(dir, 'clicks.copy')
  const toMs = Date.now()
  const [first, ...rest] = makeClicks({ clicks: 1_000, seed: 1, fromMs: toMs - 1_000, toMs })
  const clicks = [
    { ...(first as Click), url: 'https://example.com/ä', props: { plan: 'pro' }, bot: true as const },
    ...rest,
  ]
  await writeCopyFile(path, messagesOf(clicks))

  const rows = await withClient(ownerUrl, async (client) => {
    for (const timeMs of [toMs - 1_000, toMs])
      await client.query('select create_click_partition($1::date)', [new Date(timeMs).toISOString().slice(0, 10)])
    await CopyIn.run(client, `copy clicks (${copyColumns}) from stdin (format binary)`, await readFile(path))
    return (await client.query(`select ${copyColumns} from clicks order by id`)).rows
  })

  const expected = clicks
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map((click) => ({
      id: click.id,
      project_id: click.projectId,
      occurred_at: new Date(click.occurredAtMs),
      received_at: new Date(click.receivedAtMs),
      bot: click.bot === true,
      target: click.target,
      visitor_id: click.visitorId ?? null,
      url: click.url ?? null,
      referrer: click.referrer ?? null,
      props: click.props ?? null,
    }))
  expect(rows).toEqual(expected)
})

it('a COPY that the server refuses says why', async () => {
  const { ownerUrl } = await createTestDatabase()
  await withClient(ownerUrl, async (client) => {
    await expect(CopyIn.run(client, 'copy clicks from stdin (format binary)', Buffer.from('nonsense'))).rejects.toThrow(
      'COPY file signature not recognized',
    )
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })
})
