import { basename } from 'node:path'
import { isBot, logClick } from '@clicktally/access-log/log-click.ts'
import { parseLogLine } from '@clicktally/access-log/log-line.ts'
import { TargetCounts } from '@clicktally/requests/target-counts.ts'
import { TextFile } from '@clicktally/text-file/text-file.ts'
import type { Click } from './click.ts'
import { clickId } from './click-id.ts'
import type { ClickSource, Survey } from './click-source.ts'
import { DemoError } from './demo-error.ts'
import type { Timeline } from './timeline.ts'

/** The clicks in a web server's access log: one per line that can be parsed. Blank lines are ignored. */
export class AccessLog implements ClickSource {
  readonly name: string
  readonly #file: TextFile
  readonly #visitorKey: Buffer

  private constructor(file: TextFile, visitorKey: Buffer) {
    this.#file = file
    this.#visitorKey = visitorKey
    this.name = basename(file.path)
  }

  /**
   * @param visitorKey key from which visitor ids are derived
   * @throws {TextFileError} when the file cannot be opened, {DemoError} when it is empty
   */
  static async open(path: string, visitorKey: Buffer): Promise<AccessLog> {
    const file = await TextFile.open(path)
    if (file.sizeBytes > 0) return new AccessLog(file, visitorKey)
    await file.close()
    throw new DemoError(`${path} is empty.`)
  }

  /** @throws {DemoError} when no line can be parsed */
  async survey(signal: AbortSignal, onProgress: (share: number, clicks: number) => void): Promise<Survey> {
    const survey: Survey = { counts: new TargetCounts(), firstMs: Infinity, lastMs: -Infinity, unreadable: 0 }
    for await (const lines of this.#file.lines()) {
      signal.throwIfAborted()
      for (const { text, number } of lines) {
        const read = parseLogLine(text)
        if (read) {
          const bot = isBot(read)
          survey.counts.add(read.target, bot ? 0 : 1, bot ? 1 : 0)
          survey.firstMs = Math.min(survey.firstMs, read.timeMs)
          survey.lastMs = Math.max(survey.lastMs, read.timeMs)
        } else if (text.trim() !== '') {
          survey.unreadable++
          survey.firstUnreadable ??= { lineNumber: number, line: text.slice(0, 200) }
        }
      }
      onProgress(this.#file.bytesRead / this.#file.sizeBytes, survey.counts.clicks)
    }
    if (survey.counts.clicks === 0) {
      throw new DemoError(
        `${this.#file.path} is not an access log: no line is in the common or combined log format. ` +
          'Expected lines such as\n  203.0.113.9 - - [21/Nov/2025:10:05:03 +0000] "GET /pricing HTTP/1.1" 200 5120',
      )
    }
    return survey
  }

  async *clicks(timeline: Timeline): AsyncGenerator<Click> {
    for await (const lines of this.#file.lines()) {
      for (const { text, number } of lines) {
        const read = parseLogLine(text)
        if (read === undefined) continue
        const timeMs = timeline.move(read.timeMs)
        yield {
          id: clickId(timeMs, timeline.endMs, number, text),
          occurredAt: new Date(timeMs).toISOString(),
          ...logClick(read, this.#visitorKey),
        }
      }
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
