import { checkClick } from '@clicktally/event/click-check.ts'
import { isUuidV7, randomUuidV7, timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { type Line, splitLines } from '@clicktally/text-file/line.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { eventRows } from '../import/formats/csv-events.ts'
import { CsvReader } from '../import/formats/csv-records.ts'
import { detectFormat } from '../import/formats/import-format.ts'
import type { ImportRecord, RecordReader } from '../import/formats/import-record.ts'
import { logReader, ndjsonReader } from '../import/formats/line-records.ts'

const visitorKey = Buffer.alloc(32, 7)

const time = '2015-05-17T10:05:03.250Z'
const timeMs = Date.parse(time)

async function linesOf(text: string): Promise<Line[]> {
  const lines = splitLines(
    (async function* () {
      yield Buffer.from(text)
    })(),
  )
  return (await Array.fromAsync(lines)).flat()
}

async function read(reader: RecordReader, text: string): Promise<ImportRecord[]> {
  const lines = await linesOf(text)
  // In blocks, as a file comes.
  const records = Array.from({ length: Math.ceil(lines.length / 3) }, (_, n) => [
    ...reader.read(lines.slice(n * 3, n * 3 + 3)),
  ])
  return [...records.flat(), ...reader.end()]
}

function eventOf({ event }: ImportRecord) {
  if (typeof event !== 'string') throw new Error(`the record is refused: ${event.code}`)
  return JSON.parse(event)
}

/** What is in each record: its event but for the id, or the code of its refusal. */
function contents(records: ImportRecord[]) {
  return records.map((record) => {
    if (typeof record.event !== 'string') return record.event.code
    const { id, ...event } = eventOf(record)
    return event
  })
}

const ids = (records: ImportRecord[]) => records.map((record) => eventOf(record).id as string)

describe('a line of NDJSON', () => {
  const readAll = (text: string) => read(ndjsonReader(''), text)

  test('is the unchanged event with an id that has its time', async () => {
    const [record] = await readAll(`{ "target":"a", "occurredAt":"${time}", "props":{"big":12345678901234567890} }\r\n`)
    expect(record?.event).toMatch(/"big":12345678901234567890/)
    const { id, ...event } = eventOf(record as ImportRecord)
    expect(event).toMatchObject({ target: 'a', occurredAt: time })
    expect([isUuidV7(id), timeOfUuidV7(id)]).toEqual([true, timeMs])
    expect(record).toMatchObject({ line: 1, timeMs })
  })

  test('keeps its id', async () => {
    const id = randomUuidV7(timeMs)
    const [record] = await readAll(`{"target":"a","id":"${id}"}`)
    expect(record).toMatchObject({ event: `{"target":"a","id":"${id}"}`, timeMs })
  })

  test.each(['{"target":"a"}', '{"target":"a","occurredAt":"yesterday"}', '{"target":"a","occurredAt":7}', '{}'])(
    'goes to the server without an id where its time can not be told: %s',
    async (line) => {
      expect(await readAll(line)).toMatchObject([{ event: line, timeMs: undefined }])
    },
  )

  test('that is not an event is rejected, and the other lines are not', async () => {
    const records = await readAll(
      `{"target":\n{"target":"a","occurredAt":"${time}"}\n\n[]\n"${'x'.repeat(70_000)}"\nnull\n{"target":"b","occurredAt":"${time}"}`,
    )
    expect(records.map(({ line }) => line)).toEqual([1, 2, 4, 5, 6, 7])
    expect(contents(records)).toEqual([
      'not_json',
      { target: 'a', occurredAt: time },
      'not_an_object',
      'event_too_large',
      'not_an_object',
      { target: 'b', occurredAt: time },
    ])
  })
})

describe('a line of an access log', () => {
  const browser = 'Mozilla/5.0 (X11; Linux x86_64) Firefox/138.0'
  const line = (path: string, rest = `"-" "${browser}"`) =>
    `192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET ${path} HTTP/1.1" 200 5 ${rest}`

  test('is a click on its path', async () => {
    const records = await read(
      logReader('', visitorKey),
      `${line('/a?b', `"https://e.com/" "Googlebot/2.1"`)}\nwhat?\n`,
    )
    expect(contents(records)).toEqual([
      {
        target: '/a',
        occurredAt: '2015-05-17T10:05:03.000Z',
        visitorId: expect.stringMatching(/^[0-9a-f]{16}$/),
        referrer: 'https://e.com/',
        userAgent: 'Googlebot/2.1',
        bot: true,
      },
      'not_a_log_line',
    ])
  })

  test('gets the same id when it is incomplete and when it is complete', async () => {
    const whole = line('/a')
    const [expected] = ids(await read(logReader('', visitorKey), whole))
    for (const length of [whole.length - 5, whole.indexOf('"-"'), whole.indexOf(' 200') + 4]) {
      expect(ids(await read(logReader('', visitorKey), whole.slice(0, length)))).toEqual([expected])
    }
  })
})

describe('a record of CSV', () => {
  test('with control characters in its header is rejected, and they are not printed', async () => {
    const header = '"x\u001b[2J\nAll clicks are counted.\u009b",target,occurredAt'
    await expect(readAll(`${header}\na,b,c`)).rejects.toThrow('"x\ufffd[2J\ufffdAll clicks are counted.\ufffd"')
    const twice = '"props.\u001b[2J",target,"props.\u001b[2J",id'
    await expect(readAll(`${twice}\na,b,c,d`)).rejects.toThrow('"props.\ufffd[2J" occurs twice')
  })

  const header = 'target,occurredAt,bot,props.plan,props.__proto__'
  const readAll = (text: string) => read(new CsvReader('a.csv', eventRows('')), text)

  test('has the fields that the first line names, without empty ones', async () => {
    const records = await readAll(
      `${header}\r\nsignup,${time},,pro,\r\n"a, ""b"" and\r\nc",${time},TRUE,,x\r\n\r\nd,${time},0,,\r\ne,${time},maybe,,`,
    )
    expect(records.map(({ line }) => line)).toEqual([2, 3, 6, 7])
    expect(contents(records)).toEqual([
      { target: 'signup', occurredAt: time, props: { plan: 'pro' } },
      { target: 'a, "b" and\r\nc', occurredAt: time, bot: true, props: Object.fromEntries([['__proto__', 'x']]) },
      { target: 'd', occurredAt: time, bot: false },
      { target: 'e', occurredAt: time, bot: 'maybe' },
    ])
  })

  test('may have the country and the user agent of the visitor, and not what the server makes of them', async () => {
    const records = await readAll(`target,id,country,userAgent\na,${randomUuidV7(timeMs)},DE,Firefox\n`)
    expect(contents(records)).toEqual([{ target: 'a', country: 'DE', userAgent: 'Firefox' }])
    await expect(readAll('target,id,agent\n')).rejects.toThrow('there is no field "agent"')
  })

  test('keeps its id, and its time', async () => {
    const id = randomUuidV7(timeMs)
    const [record] = await readAll(`id,target\n${id},a\n`)
    expect(record).toMatchObject({ event: JSON.stringify({ id, target: 'a' }), timeMs })
  })

  test.each([
    ['target', 'occurredAt,bot,target', `${time},1,sign up`],
    ['target in quotes', 'occurredAt,bot,target', `${time},1,"sign ""up"""`],
    ['occurredAt', 'target,occurredAt', `"a, b",${time}`],
    ['occurredAt with an offset', 'target,occurredAt', 'a,2015-05-17T10:05:03+02:00'],
    ['id', 'target,id', `a,${randomUuidV7(timeMs)}`],
  ])(
    'whose end may be missing is rejected, or is the same click when it is whole: %s',
    async (column, header, line) => {
      const readGrowing = (text: string) =>
        read(new CsvReader('a.csv', eventRows('', true)), `${header}\n${line}\n${text}`)
      const last = (records: ImportRecord[]) => records.at(-1) as ImportRecord
      const whole = last(await readGrowing(`${line}\n`))
      for (let length = 1; length < line.length; length++) {
        const { event } = last(await readGrowing(line.slice(0, length)))
        expect([length, typeof event]).toEqual([length, 'object'])
      }
      const isKnownToBeWhole = !column.startsWith('target')
      const { event } = last(await readGrowing(line))
      if (isKnownToBeWhole) expect(event).toBe(whole.event)
      else expect(event).toMatchObject({ code: 'line_incomplete' })
      for (const lineBreak of ['\r', '\r\n']) {
        expect(last(await readGrowing(`${line}${lineBreak}`)).event).toBe(whole.event)
      }
    },
  )

  test('that is broken does not affect others', async () => {
    const good = (target: string) => `${target},${time}\n`
    const records = await readAll(
      `target,occurredAt\n${good('a')}b"c,${time}\n"d"e,${time}\n${good('f')}g\nh,${time},i\n${good('j')}"k,${time}\n${good('l')}m`,
    )
    expect(contents(records).map((content) => content.target ?? content)).toEqual([
      ...['a', 'not_csv', 'not_csv', 'f', 'columns_differ', 'columns_differ', 'j', 'not_csv', 'l', 'columns_differ'],
    ])
    expect(records.map(({ line }) => line)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  test('whose quote is never closed does not affect the rest of a long file', async () => {
    const rest = Array.from({ length: 5_000 }, (_, n) => `t${n},${time}`).join('\n')
    const records = await readAll(`target,occurredAt\n"open,${time}\n${rest}\n`)
    expect(records).toHaveLength(5_001)
    expect(contents(records)[0]).toBe('not_csv')
    expect(contents(records).at(-1)).toMatchObject({ target: 't4999' })
  })

  test.each([
    ['target,occuredAt', 'there is no field "occuredAt"'],
    ['occurredAt,props.a', 'the column "target" is missing'],
    ['target,visitorId', 'it needs a column "occurredAt" or "id"'],
    ['target,occurredAt,target', 'the column "target" occurs twice'],
    ['target;occurredAt', 'there is no field "target;occurredAt"'],
  ])('needs a first line that names fields: %s', async (first, problem) => {
    await expect(readAll(`${first}\na,b`)).rejects.toThrow(problem)
  })

  test('is read back, whatever its cells contain', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', 'é', '\u2028'), minLength: 1 })
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 20 }), async (rows) => {
        const text = rows.map((cells) => `${[time, ...cells].map(quoted).join(',')}\n`).join('')
        const records = await readAll(`occurredAt,target,props.a\n${text}`)
        expect(contents(records)).toEqual(rows.map(([target, a]) => ({ occurredAt: time, target, props: { a } })))
      }),
    )
  })
})

describe('the generated id of a click', () => {
  const event = (target: string) => `{"target":"${target}","occurredAt":"${time}"}`
  const idsOf = async (text: string, source = '') => ids(await read(ndjsonReader(source), text))
  const three = [event('a'), event('a'), event('b')]

  test('is the same in every import, even if the file has grown', async () => {
    const before = await idsOf(three.join('\n'))
    expect(await idsOf(`${three.join('\r\n')}\n${event('c')}\n`)).toEqual([...before, expect.any(String)])
  })

  test('differs for equal lines, and for equal lines of two sources', async () => {
    const made = [...(await idsOf(three.join('\n'))), ...(await idsOf(three.join('\n'), 'another'))]
    expect(new Set(made).size).toBe(6)
  })

  test('is accepted by the server', async () => {
    const receipt = {
      projectId: 1,
      requestId: 'r',
      receivedAtMs: Date.now(),
      startedAtMs: Date.now(),
      windowMs: undefined,
      makeId: () => '',
    }
    for (const record of await read(ndjsonReader(''), three.join('\n'))) {
      expect(checkClick(eventOf(record), receipt)).toMatchObject({ click: { id: eventOf(record).id } })
    }
  })
})

describe('the format of a file', () => {
  const logLine = '192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5'

  test.each([
    ['by what is in it', 'clicks.txt', '\n  {"target":"a"}', 'ndjson'],
    ['by what is in it', 'clicks', `broken\n${logLine}`, 'log'],
    ['by what is in it', 'clicks.log', 'id, "target" ,url', 'csv'],
    ['by its name', 'clicks.CSV.gz', 'goal,when', 'csv'],
    ['by its name', 'clicks.jsonl', '', 'ndjson'],
    ['by its name', 'access.log', 'what?', 'log'],
    ['not at all', 'clicks.txt', 'what?', undefined],
    ['not at all', 'clicks', '', undefined],
  ])('is told %s: %s', async (_how, name, text, format) => {
    expect(detectFormat(name, await linesOf(text))).toBe(format)
  })
})
