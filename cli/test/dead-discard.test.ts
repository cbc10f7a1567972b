import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { describe, expect, test } from 'vitest'
import { createCliBench } from './cli-under-test.ts'

describe('dead discard', () => {
  test('shows what it would discard, but changes nothing without a terminal', async () => {
    const { run, buryClicks, json } = await createCliBench()
    await buryClicks(createClick({ target: 'signup-button' }), createClick())
    const { code, stdout, stderr } = await run('dead', 'discard', '--all')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('signup-button')
    expect(stderr).toContain(
      'Discard 2 letters (2 clicks): refused_by_database 2? There is no terminal to confirm: use --yes.',
    )
    expect(await json('dead', 'list')).toHaveLength(2)
  })

  test('deletes the content with --yes, but keeps the rest', async () => {
    const { run, bury, ask } = await createCliBench()
    const [first, second, third] = await bury({ reason: 'undecodable' }, { reason: 'undecodable', clicks: 4 }, {})
    const { code, stdout } = await run('dead', 'discard', '--reason', 'undecodable', '--yes')
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Discarded 2 letters (5 clicks).\n' })
    const letters = await ask(
      'select id, resolution, octet_length(content) as bytes, clicks, resolved_at is not null as dated from dead_letters order by id',
    )
    expect(letters).toEqual([
      { id: first, resolution: 'discarded', bytes: 0, clicks: 1, dated: true },
      { id: second, resolution: 'discarded', bytes: 0, clicks: 4, dated: true },
      { id: third, resolution: null, bytes: 9, clicks: 1, dated: false },
    ])
    const again = await run('dead', 'discard', String(first), '--yes')
    expect(again).toMatchObject({ code: 0, stdout: 'Nothing to discard.\n' })
    expect(again.stderr).toContain(`Letter ${first} is discarded already`)
  })

  test('is final: discarded letters cannot be replayed', async () => {
    const { run, buryClicks, broker } = await createCliBench()
    const [id] = await buryClicks(createClick())
    await run('dead', 'discard', String(id), '--yes')
    expect(await run('dead', 'replay', '--all')).toMatchObject({ code: 0, stdout: 'Nothing to replay.\n' })
    expect(await broker.depth()).toBe(0)
  })

  test('discards nothing if any letter does not exist', async () => {
    const { run, bury, json } = await createCliBench()
    const [id] = await bury({})
    expect((await run('dead', 'discard', String(id), '4711', '--yes')).code).toBe(2)
    expect(await json('dead', 'list')).toHaveLength(1)
  })
})
