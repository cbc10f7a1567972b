import { basename } from 'node:path'
import { isbot } from 'isbot'
import { type Click, visitorIdFor } from './click.ts'
import { clickId } from './click-id.ts'
import type { ClickSource, Survey } from './click-source.ts'
import { DemoError } from './demo-error.ts'
import { LogFile } from './log-file.ts'
import { type LogLine, parseLogLine } from './log-line.ts'
import { TargetCounts } from './target-counts.ts'
import type { Timeline } from './timeline.ts'

// A browser's name is shorter; the pattern that knows bots need not search what somebody made longer.
const maxUserAgentLength = 1024

/** The clicks in a web server's access log: each line that can be read is one. Blank lines are none. */
export class AccessLog implements ClickSource {
  readonly name: string
  readonly #file: LogFile

  private constructor(file: LogFile) {
    this.#file = file
    this.name = basename(file.path)
  }

  /** @throws {DemoError} where the file can't be opened */
  static async open(path: string): Promise<AccessLog> {
    return new AccessLog(await LogFile.open(path))
  }

  /** @throws {DemoError} where no line can be read as one of an access log */
  async survey(signal: AbortSignal, onProgress: (share: number, clicks: number) => void): Promise<Survey> {
    const survey: Survey = { counts: new TargetCounts(), firstMs: Infinity, lastMs: -Infinity, unreadable: 0 }
    let lineNumber = 0
    for await (const lines of this.#file.lines()) {
      signal.throwIfAborted()
      for (const line of lines) {
        lineNumber++
        const read = parseLogLine(line)
        if (read) {
          const bot = isBot(read)
          survey.counts.add(read.target, bot ? 0 : 1, bot ? 1 : 0)
          survey.firstMs = Math.min(survey.firstMs, read.timeMs)
          survey.lastMs = Math.max(survey.lastMs, read.timeMs)
        } else if (line.trim() !== '') {
          survey.unreadable++
          survey.firstUnreadable ??= { lineNumber, line: line.slice(0, 200) }
        }
      }
      onProgress(this.#file.bytesRead / this.#file.sizeBytes, survey.counts.clicks)
    }
    if (survey.counts.clicks === 0) {
      throw new DemoError(
        `${this.#file.path} is not an access log: none of its lines is in the common or combined log format, ` +
          'plain or gzip, as in\n  203.0.113.9 - - [21/Nov/2025:10:05:03 +0000] "GET /pricing HTTP/1.1" 200 5120',
      )
    }
    return survey
  }

  async *clicks(timeline: Timeline): AsyncGenerator<Click> {
    let lineNumber = 0
    for await (const lines of this.#file.lines()) {
      for (const line of lines) {
        lineNumber++
        const read = parseLogLine(line)
        if (read) yield clickFrom(read, lineNumber, line, timeline)
      }
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

function clickFrom(read: LogLine, lineNumber: number, line: string, timeline: Timeline): Click {
  const timeMs = timeline.move(read.timeMs)
  return {
    id: clickId(timeMs, timeline.endMs, lineNumber, line),
    target: read.target,
    occurredAt: new Date(timeMs).toISOString(),
    ...(read.address !== undefined && { visitorId: visitorIdFor(read.address) }),
    ...(read.referrer !== undefined && { referrer: read.referrer }),
    ...(isBot(read) && { bot: true }),
  }
}

function isBot(read: LogLine): boolean {
  return isbot(read.userAgent?.slice(0, maxUserAgentLength))
}
