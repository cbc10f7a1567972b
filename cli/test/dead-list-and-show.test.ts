import { encodeClick } from '@clicktally/message/clicks-message.ts'
import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { describe, expect, test } from 'vitest'
import { createCliBench } from './cli-under-test.ts'

describe('dead list', () => {
  test('shows the newest first, with their content and the totals by reason', async () => {
    const { run, bury } = await createCliBench()
    const click = createClick({ target: 'signup-button' })
    const [first, second, third] = await bury(
      { content: encodeClick(click), clickIds: [click.id], detail: 'a check failed' },
      { reason: 'undecodable', content: 'not a click at all', detail: 'not JSON' },
      { reason: 'undecodable', content: 'neither is this', clicks: 3 },
    )
    const { code, stdout } = await run('dead', 'list')
    const lines = stdout.split('\n')
    expect(code).toBe(0)
    expect(lines[1]).toMatch(new RegExp(`^ *${third} .* undecodable .* 3 +neither is this`))
    expect(lines[2]).toMatch(new RegExp(`^ *${second} .* undecodable .* 1 +not a click at all +not JSON`))
    expect(lines[3]).toMatch(new RegExp(`^ *${first} .* refused_by_database .* 1 +signup-button +a check failed`))
    expect(stdout).toContain('3 letters (5 clicks): undecodable 2, refused_by_database 1')
  })

  test('filters by reason, time and number, and shows how many it omits', async () => {
    const { run, json, bury } = await createCliBench()
    const ids = await bury(
      { reason: 'undecodable', diedAt: new Date('2026-01-01T10:00:00Z') },
      { reason: 'unknown_version', diedAt: new Date('2026-01-02T10:00:00Z') },
      { reason: 'delivery_limit', diedAt: new Date('2026-01-03T10:00:00Z') },
    )
    const idsOf = async (...args: string[]) => (await json<{ id: number }>('dead', 'list', ...args)).map(({ id }) => id)
    const [undecodable, unknown, limit] = ids
    expect(await idsOf()).toEqual([limit, unknown, undecodable])
    expect(await idsOf('--reason', 'undecodable', '--reason', 'delivery_limit')).toEqual([limit, undecodable])
    expect(await idsOf('--since', '2026-01-02')).toEqual([limit, unknown])
    expect(await idsOf('--since', '2026-01-02', '--until', '2026-01-03T10:00:00Z')).toEqual([unknown])
    expect(await idsOf('--until', '1s')).toEqual([limit, unknown, undecodable])
    expect(await idsOf('--limit', '2')).toEqual([limit, unknown])
    expect((await run('dead', 'list', '--limit', '2')).stdout).toContain('The newest 2 of 3 (--limit).')
  })

  test('omits resolved letters without --all', async () => {
    const { json, run, bury, ask } = await createCliBench()
    const [waiting, replayed] = await bury({}, {})
    await ask(`update dead_letters set resolution = 'replayed', resolved_at = now() where id = $1`, [replayed])
    expect(await json('dead', 'list')).toMatchObject([{ id: waiting, resolution: null }])
    expect(await json('dead', 'list', '--all')).toMatchObject([
      { id: replayed, resolution: 'replayed' },
      { id: waiting },
    ])
    expect((await run('dead', 'list', '--all')).stdout).toMatch(/since then.*replayed.*waits/s)
  })

  test('lists more letters than it reads at a time', async () => {
    const { json, ask } = await createCliBench()
    await ask(`
      insert into dead_letters (producer, sequence, reason, detail, content, clicks)
      select gen_random_uuid(), 1, 'undecodable', '', 'x', 1 from generate_series(1, 350)`)
    const ids = (await json<{ id: number }>('dead', 'list', '--limit', '320')).map(({ id }) => id)
    expect(ids).toHaveLength(320)
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => b - a))
  })

  test('says if there are none', async () => {
    const { run } = await createCliBench()
    expect(await run('dead', 'list')).toMatchObject({
      code: 0,
      stdout: 'There are no matching unresolved dead letters.\n',
    })
  })

  test('prints nothing that a terminal would interpret', async () => {
    const { run, bury } = await createCliBench()
    const [id] = await bury({
      content: 'red \u001b[31m and \u202e back \u{e0041}',
      detail: 'bell \u0007',
      reason: 'odd\u001b[2J',
    })
    for (const command of [['list'], ['show', String(id)]]) {
      for (const form of [[], ['--json']]) {
        const { stdout } = await run('dead', ...command, ...form)
        expect(stdout).toContain('bell')
        expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      }
    }
  })
})

describe('dead show', () => {
  test('shows a letter in full, with its content as text', async () => {
    const { run, json, bury } = await createCliBench()
    const click = createClick({ target: 'signup-button' })
    const [id] = await bury({ content: encodeClick(click), clickIds: [click.id], reason: 'refused_by_database' })
    const { code, stdout } = await run('dead', 'show', String(id))
    expect(code).toBe(0)
    for (const part of [
      `Dead letter ${id}`,
      'refused_by_database',
      'unresolved',
      click.id,
      'of producer 11111111-1111-4111-8111-111111111111, type clicks.v2',
      'request-1',
      encodeClick(click),
    ])
      expect(stdout).toContain(part)
    expect(await json('dead', 'show', String(id))).toMatchObject([
      { id, clickIds: [click.id], target: 'signup-button', content: encodeClick(click), sequence: 1 },
    ])
  })

  test('shows binary content in hexadecimal', async () => {
    const { run, json, bury } = await createCliBench()
    const content = Buffer.concat([Buffer.from([0, 1, 0xff]), Buffer.alloc(300, 'a')])
    const [id] = await bury({ content, type: null })
    const { stdout } = await run('dead', 'show', String(id))
    expect(stdout).toContain('303 bytes, not text')
    expect(stdout).toContain('00000000  00 01 ff 61 61')
    expect(stdout).toContain('… and 47 bytes more')
    expect(await json('dead', 'show', String(id))).toMatchObject([
      { contentBase64: content.toString('base64'), type: null },
    ])
  })

  test('names letters that do not exist', async () => {
    const { run, bury } = await createCliBench()
    const [id] = await bury({})
    const { code, stdout, stderr } = await run('dead', 'show', String(id), '4711')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toBe('There is no dead letter 4711. "dead list --all" shows all of them.\n')
  })
})
