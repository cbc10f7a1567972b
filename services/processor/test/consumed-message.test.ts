import type { Click } from '@clicktally/event/click.ts'
import { clicksMessageType, encodeClick } from '@clicktally/message/clicks-message.ts'
import { encodeShort } from '@clicktally/message/short-line.ts'
import type { Message } from 'amqplib'
import { describe, expect, test } from 'vitest'
import { BinaryCopy } from '../rows/binary-copy.ts'
import { type ClickRow, compareKeys, decodeLine, lineOf } from '../rows/click-row.ts'
import { readClicks, readDeadLetter } from '../rows/consumed-message.ts'
import { createClick } from './processor-under-test.ts'

function messageOf(lines: readonly string[]): Message {
  return { properties: { type: clicksMessageType, headers: {} }, content: Buffer.from(lines.join('\n')) } as Message
}

/** What is kept of each click, in the order of their ids: scanned ones come before others. */
function contentsOf(clicks: readonly ClickRow[]) {
  return clicks.toSorted(compareKeys).map((click) => {
    const { rows, rowFrom, rowTo, content: _, lineFrom: _from, lineTo: _to, requestFrom: _request, ...fields } = click
    const row = rows.content.toString('hex', rowFrom, rowTo)
    return { ...fields, row, line: lineOf(click).toString(), click: decodeLine(click) }
  })
}

/** An escape sends a line to the decoder; others are scanned. */
const targets = ['scanned', 'also scanned', 'decoded: "', 'scanned again', 'decoded: \\']

describe('a message with short lines', () => {
  test.each([0, 2])('is read like one with complete lines, if it begins with line %i', (begin) => {
    const [receivedAtMs, projectId] = [Date.now(), 7]
    const clicks = [...targets.slice(begin), ...targets.slice(0, begin)].map((target) =>
      createClick({ target, receivedAtMs, projectId, requestId: 'request-7', visitorId: 'v' }),
    )
    const [first, ...others] = clicks as [Click, ...Click[]]
    const other = encodeClick(createClick({ projectId: 8, receivedAtMs: receivedAtMs - 1 }))
    const complete = readClicks(messageOf([other, ...clicks.map(encodeClick)]), new BinaryCopy())
    const short = readClicks(messageOf([other, encodeClick(first), ...others.map(encodeShort)]), new BinaryCopy())
    expect([short.deadLetters, short.receivedThroughMs]).toEqual([[], receivedAtMs])
    expect(contentsOf(short.clicks)).toEqual(contentsOf(complete.clicks))
  })

  test('that the broker gives up is a dead letter with the project of each click', () => {
    const clicks = [7, 7, 8, 8].map((projectId) => createClick({ projectId }))
    const lines = clicks.map((click, index) => (index % 2 === 0 ? encodeClick(click) : encodeShort(click)))
    const [letter] = readDeadLetter(messageOf(lines)).deadLetters
    expect(letter).toMatchObject({ clicks: 4, clickIds: clicks.map(({ id }) => id), clickProjects: [7, 7, 8, 8] })
  })

  test('has no project for the clicks of a dead letter whose project cannot be recognised', () => {
    const click = createClick({ projectId: 7 })
    const earlier = messageOf([encodeClick(click), encodeShort(createClick())])
    earlier.properties.type = 'clicks.v1'
    expect(readDeadLetter(earlier).deadLetters[0]?.clickProjects).toEqual([7, 0])
    const { id } = createClick()
    const cut = messageOf([encodeClick(click), `{"id":"${id}","pro`, encodeShort(createClick())])
    expect(readDeadLetter(cut).deadLetters[0]?.clickProjects).toEqual([7, 0, 0])
  })
})
