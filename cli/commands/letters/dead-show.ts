import { printable } from '@clicktally/terminal/printable.ts'
import { formatCount, labelled } from '@clicktally/terminal/progress.ts'
import type { Command } from 'commander'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'
import { hexDump, textOf } from '../../letters/letter-content.ts'
import { letterId } from '../../letters/letter-options.ts'
import { formatMoment } from '../../moment.ts'
import { type DeadLetter, deadLetters } from '../../queries/letters/dead-letters.ts'
import { requireLetters } from '../../queries/letters/letter-resolutions.ts'
import { withDatabase } from '../../system/database.ts'
import { findSystem } from '../../system/system-access.ts'
import { asJson } from './dead-list.ts'

/** More than the size of any message. */
const allBytes = 2_147_483_647

export function registerDeadShow(dead: Command, context: CliContext): void {
  dead
    .command('show')
    .description('shows dead letters in full, including their content')
    .argument('<id...>', 'ids from "dead list"', letterId)
    .option('--json', 'print one JSON object per line; binary content is base64')
    .action(async (ids: number[], options: { json?: true }) => {
      const { databaseUrl } = await findSystem(context, ['databaseUrl'])
      await withDatabase(databaseUrl, async (db) => {
        await requireLetters(db, ids)
        // One at a time, because the content may be some megabytes.
        for (const [index, id] of ids.entries()) {
          const [letter] = await deadLetters(db, { ids: [id] }, 1, allBytes)
          if (letter === undefined) continue
          if (options.json) context.print(jsonLine({ ...asJson(letter), ...contentAsJson(letter.content) }))
          else for (const line of describe(letter, index > 0)) context.print(line)
          await context.printed()
        }
      })
    })
}

function contentAsJson(content: Buffer): { content: string } | { contentBase64: string } {
  const text = textOf(content)
  return text === undefined ? { contentBase64: content.toString('base64') } : { content: text }
}

function* describe(letter: DeadLetter, withBlankLine: boolean): Generator<string> {
  const { resolution, resolved_at, producer, sequence, type, click_ids, content } = letter
  if (withBlankLine) yield ''
  yield `Dead letter ${letter.id}`
  const line = (label: string, value: string) => `  ${labelled(label, printable(value))}`
  yield line('died at', formatMoment(letter.died_at))
  yield line('reason', letter.reason)
  yield line('detail', letter.detail)
  yield line('state', resolution === null ? 'unresolved' : `${resolution} at ${moment(resolved_at)}`)
  yield line('clicks', formatCount(letter.clicks))
  for (const [index, id] of click_ids.entries()) yield line(index === 0 ? 'ids' : '', id)
  yield line('message', `number ${sequence} of producer ${producer}, type ${type ?? 'none'}`)
  yield line('request', letter.request_id ?? 'not known')
  yield* describeContentOf(content, resolution === 'discarded')
}

function* describeContentOf(content: Buffer, discarded: boolean): Generator<string> {
  const text = textOf(content)
  const size = `${formatCount(content.length)} bytes`
  if (discarded) {
    yield `  ${labelled('content', 'discarded')}`
  } else if (text === undefined) {
    yield `  ${labelled('content', `${size}, not text`)}`
    for (const row of hexDump(content)) yield `    ${row}`
  } else {
    yield `  ${labelled('content', `${size} of text`)}`
    for (const row of text.split('\n')) yield `    ${printable(row)}`
  }
}

function moment(date: Date | null): string {
  return date === null ? 'an unknown time' : formatMoment(date)
}
