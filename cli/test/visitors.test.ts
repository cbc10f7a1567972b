import type { Click } from '@clicktally/event/click.ts'
import { encodeClick } from '@clicktally/message/clicks-message.ts'
import { encodeShort } from '@clicktally/message/short-line.ts'
import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { Client } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { withDatabase } from '../system/database.ts'
import { forgetVisitor } from '../visitors/forget-visitor.ts'
import { withoutVisitor } from '../visitors/letter-scrub.ts'
import { type CliBench, createCliBench } from './cli-under-test.ts'

const dayMs = 86_400_000
const ann = 'ann "the first" @example.org'
const by = (visitorId: string, changes: Partial<Click> = {}) => createClick({ visitorId, ...changes })

interface Outcome {
  clicks: number
  clicksBeforeHorizon: number
  counters: number
  letters: number
  unreadableLetters: number[]
  isInterrupted: boolean
}

async function forget({ json }: CliBench, ...args: string[]): Promise<Outcome> {
  const [outcome] = await json<Outcome>('visitors', 'forget', '--yes', ...args)
  if (outcome === undefined) throw new Error('the command printed nothing')
  return outcome
}

const visitorsOf = ({ ask }: CliBench) =>
  ask(`select target, total, cardinality(visitors) as visitors from minute_counters order by target`)

describe('visitors forget', () => {
  test('keeps the counts, removes the visitor, and can be repeated', async () => {
    const bench = await createCliBench()
    await bench.startProcessor()
    const occurredAtMs = Date.now()
    await bench.send(by(ann, { occurredAtMs }), by('bob', { occurredAtMs }), by(ann, { occurredAtMs, target: 'other' }))
    await bench.untilProcessed()
    await bench.ask('select fold_counters()')
    expect(await bench.run('visitors', 'forget', ann)).toMatchObject({
      code: 2,
      stderr:
        'Forget this visitor in every project? This cannot be undone. There is no terminal to confirm: use --yes.\n',
    })
    const { code, stdout, stderr } = await bench.run('visitors', 'forget', '--yes', ann)
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'The visitor was removed from 2 clicks and 0 dead letters. 3 counters changed.\n',
    })
    expect(stdout + stderr).not.toContain('ann')
    expect(await visitorsOf(bench)).toEqual([
      { target: '', total: 3, visitors: 1 },
      { target: 'button', total: 2, visitors: 1 },
      { target: 'other', total: 1, visitors: 0 },
    ])
    expect((await bench.run('verify')).code).toBe(0)
    expect(await bench.ask('select visitor_id from clicks order by 1')).toEqual([
      { visitor_id: 'bob' },
      { visitor_id: null },
      { visitor_id: null },
    ])
    expect((await bench.run('visitors', 'forget', '--yes', ann)).stdout).toBe(
      'No click and no dead letter has this visitor.\n',
    )
  })

  test('records who did it in the audit log, with a hash in place of the id', async () => {
    const bench = await createCliBench()
    await forget(bench, ann)
    await forget(bench, ann, '--project', 'default')
    await forget(bench, 'bob')
    const entries = await bench.ask<{ subject: string; actor_name: string }>('select * from audit_log order by id')
    expect(entries).toMatchObject([
      { actor: 'operator', action: 'visitor.forget', detail: {} },
      { actor: 'operator', action: 'visitor.forget', detail: { projectId: 1 } },
      { actor: 'operator', action: 'visitor.forget', detail: {} },
    ])
    const [first, second, third] = entries.map(({ subject }) => subject)
    expect(first).toMatch(/^visitor:[0-9a-f]{8}$/)
    expect([second, third === first]).toEqual([first, false])
    expect(entries[0]?.actor_name).toMatch(/./)
    expect(JSON.stringify(entries)).not.toMatch(/ann|bob/)
  })

  test('is confined to a project, and names those that exist', async () => {
    const bench = await createCliBench()
    await bench.ask(`insert into projects (name) values ('shop')`)
    await bench.startProcessor()
    await bench.send(by(ann), by(ann, { projectId: 2 }))
    await bench.untilProcessed()
    expect(await forget(bench, ann, '--project', 'shop')).toMatchObject({ clicks: 1, isInterrupted: false })
    expect(await bench.ask('select project_id from clicks where visitor_id is not null')).toEqual([{ project_id: 1 }])
    expect(await bench.run('visitors', 'forget', ann, '--project', 'none', '--yes')).toMatchObject({
      code: 2,
      stderr: 'There is no project "none". Projects: default, shop.\n',
    })
  })

  test('removes the visitor from dead letters, which can be replayed afterwards', async () => {
    const bench = await createCliBench()
    const clicks = [by(ann, { props: { size: 1.5 } }), by('bob')]
    const [readable, escaped, broken, foreign, resolved] = await bench.bury(
      { content: clicks.map(encodeClick).join('\n'), clicks: 2, clickIds: clicks.map(({ id }) => id) },
      {
        content: encodeClick(by('?', { target: 'escaped' })).replace('"?"', '"\\u0061nn \\"the first\\" @example.org"'),
      },
      { content: `{"visitorId": ${JSON.stringify(ann)}, "target": "cut o` },
      { content: `not JSON: ${ann}` },
      { content: encodeClick(by(ann)) },
    )
    await bench.ask(`update dead_letters set resolution = 'replayed' where id = $1`, [resolved])
    expect(await forget(bench, ann)).toMatchObject({ letters: 4, unreadableLetters: [foreign] })
    const { code, stdout } = await bench.run('visitors', 'forget', '--yes', ann)
    expect(code).toBe(1)
    expect(stdout).toContain(`Dead letters that cannot be read still contain the text of the id: ${foreign}.`)
    const contents = new Map(
      (await bench.ask<{ id: number; content: Buffer }>('select id, content from dead_letters')).map((letter) => [
        letter.id,
        letter.content.toString(),
      ]),
    )
    expect(contents.get(broken ?? 0)).toBe('{"visitorId": null, "target": "cut o')
    for (const id of [readable, escaped, broken, resolved]) expect(contents.get(id ?? 0)).not.toMatch(/ann|0061/)
    expect(contents.get(readable ?? 0)).toContain('"visitorId":"bob"')

    await bench.startProcessor()
    expect((await bench.run('dead', 'replay', String(readable))).code).toBe(0)
    await bench.untilProcessed()
    expect(await bench.ask('select visitor_id, props from clicks order by 1')).toEqual([
      { visitor_id: 'bob', props: null },
      { visitor_id: null, props: { size: 1.5 } },
    ])
  })

  test('says which clicks keep a hash in their counters, because raw clicks of their minutes were dropped', async () => {
    const bench = await createCliBench()
    await bench.startProcessor()
    await bench.send(by(ann, { occurredAtMs: Date.now() - 2 * dayMs }), by(ann))
    await bench.untilProcessed()
    await bench.ask('select fold_counters()')
    await bench.ask(`update raw_clicks set complete_since = now() - interval '1 day'`)
    const { code, stdout } = await bench.run('visitors', 'forget', '--yes', ann)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^The visitor was removed from 2 clicks .*\nThe counters of 1 of them cannot be recomputed/)
    expect(await bench.ask('select count(visitor_id)::int as named from clicks')).toEqual([{ named: 0 }])
    const sketches = await bench.ask(
      `select cardinality(visitors) as visitors from minute_counters where target <> '' order by minute`,
    )
    expect(sketches).toEqual([{ visitors: 1 }, { visitors: 0 }])
  })

  test('continues where it was interrupted', async () => {
    const bench = await createCliBench()
    await bench.startProcessor()
    const clicks = Array.from({ length: 10 }, (_, hour) => by(ann, { occurredAtMs: Date.now() - hour * 3_600_000 }))
    await bench.send(...clicks, by(ann, { bot: true }))
    await bench.untilProcessed()
    await withDatabase(bench.variables.CLICKTALLY_DATABASE_URL ?? '', async (db) => {
      const interruption = new AbortController()
      // The second transaction of ten that change counters is the last.
      let held = 0
      const { isInterrupted, clicks: done } = await forgetVisitor(
        db.withPlugin({
          transformQuery: ({ node }) => {
            if (JSON.stringify(node).includes('hold_counters') && ++held === 2) interruption.abort()
            return node
          },
          transformResult: async ({ result }) => result,
        }),
        {
          ...{ visitorId: ann, projectId: undefined, operatorName: 'test' },
          interruption: interruption.signal,
          onProgress: () => {},
        },
      )
      expect({ isInterrupted, done }).toEqual({ isInterrupted: true, done: 3 })
      expect((await bench.run('verify')).code).toBe(0)
      expect(await forget(bench, ann)).toMatchObject({ clicks: 8, isInterrupted: false })
      expect((await bench.run('verify')).code).toBe(0)
    })
  })

  test('lets the database remove the old versions of the rows soon', async () => {
    const bench = await createCliBench()
    await bench.startProcessor()
    await bench.send(by(ann), by('bob'))
    await bench.untilProcessed()
    const eager = () =>
      bench.ask(`select 1 from pg_class where relname ~ '^clicks_' and reloptions @> '{autovacuum_vacuum_threshold=0}'`)
    await forget(bench, 'nobody')
    expect(await eager()).toHaveLength(0)
    await forget(bench, ann)
    expect(await eager()).toHaveLength(1)
    await forget(bench, 'bob')
    expect(await eager()).toHaveLength(1)
  })
})

test('an operator can remove a recorded visitor from clicks, and change nothing else of them; other roles cannot', async () => {
  const bench = await createCliBench()
  await bench.startProcessor()
  await bench.send(by(ann), by('bob'))
  await bench.untilProcessed()
  const as = async (url: string) => {
    const client = new Client({ connectionString: url })
    await client.connect()
    onTestFinished(() => client.end())
    return client
  }
  const { operatorUrl, processorUrl, apiUrl, authUrl } = bench.database
  const operator = await as(operatorUrl)
  const denied = { code: '42501' }
  for (const statement of [
    'update clicks set visitor_id = null',
    `update clicks set target = 'x'`,
    'delete from clicks',
    'delete from counter_deltas',
    `insert into audit_log (actor, actor_name, action, subject) values ('operator', '', 'visitor.forget', '')`,
    'delete from audit_log',
  ])
    await expect(operator.query(statement), statement).rejects.toMatchObject(denied)
  const { rows } = await operator.query(`select record_forgetting('bob', null, 'test')::int as entry`)
  const [{ id }] = await bench
    .ask<{ id: string }>('select id from clicks where visitor_id = $1', [ann])
    .then((all) => all as [{ id: string }])
  const change = (entry: number, visitor: string) =>
    operator.query('select forget_visitor_clicks($1, $2, $3, $4)::int as changed', [entry, visitor, [id], [1]])
  await expect(change(rows[0].entry, ann)).rejects.toThrow('The audit log has no entry')
  await expect(change(rows[0].entry + 1, 'bob')).rejects.toThrow('The audit log has no entry')
  expect((await change(rows[0].entry, 'bob')).rows).toEqual([{ changed: 0 }])
  await expect(operator.query(`select visitor_clicks('users', 0, 1, 'x', null)`)).rejects.toThrow('is not a partition')
  for (const url of [processorUrl, apiUrl, authUrl]) {
    const other = await as(url)
    for (const call of [
      `record_forgetting('bob', null, 'test')`,
      `forget_visitor_clicks(1, 'bob', '{}', '{}')`,
      `visitor_clicks('clicks', 0, 1, 'bob', null)`,
    ])
      await expect(other.query(`select ${call}`), call).rejects.toMatchObject(denied)
  }
})

test('short lines are of the project of the line before them', () => {
  const click = by('ann', { projectId: 7 })
  const content = Buffer.from(
    [encodeClick(click), encodeShort(click), encodeClick({ ...click, projectId: 8 })].join('\n'),
  )
  const scrubbed = (projectId: number) =>
    withoutVisitor(content, 'ann', projectId)
      .content.toString()
      .split('\n')
      .map((line) => JSON.parse(line).visitorId)
  expect(scrubbed(7)).toEqual([undefined, undefined, 'ann'])
  expect(scrubbed(8)).toEqual(['ann', 'ann', undefined])
})

test('what is not the visitor stays byte for byte', () => {
  const bytes = Buffer.concat([
    Buffer.from([0xff, 0xfe, 0x0a]),
    Buffer.from('{"visitorId":"bob","x":1e3}\n[]\n{"a":"ann"}\n'),
  ])
  const { content, isLeft } = withoutVisitor(bytes, 'ann', undefined)
  expect(content.equals(bytes)).toBe(true)
  expect(isLeft).toBe(false)
  expect(withoutVisitor(encoded(7), 'ann', 8)).toEqual({ content: encoded(7), isLeft: false })
  expect(JSON.parse(withoutVisitor(encoded(8), 'ann', 8).content.toString()).visitorId).toBeUndefined()
})

function encoded(projectId: number): Buffer {
  return Buffer.from(
    encodeClick(by('ann', { id: '019aa3f0-5c00-7abc-8def-0123456789ab', projectId, occurredAtMs: 1, receivedAtMs: 1 })),
  )
}
