import { readVisitorKey } from '@clicktally/access-log/visitor-key.ts'
import { CountsReader } from '@clicktally/requests/counts-reader.ts'
import { waitForMoment } from '@clicktally/requests/wait-for-moment.ts'
import { formatCount, formatDuration, labelled, type Output, withProgress } from '@clicktally/terminal/progress.ts'
import { AccessLog } from './access-log.ts'
import { type Sending, sendClicks } from './click-sender.ts'
import type { ClickSource, Survey } from './click-source.ts'
import type { Comparison } from './comparison.ts'
import { DemoError } from './demo-error.ts'
import type { Options } from './options.ts'
import { describeComparison, describeSending, describeSurvey, describeTimeline, renderTops } from './report.ts'
import { type Baseline, compareSince, readBaseline, type SettledComparison, waitForClicks } from './settling.ts'
import { SyntheticClicks } from './synthetic-clicks.ts'
import { Timeline, wholeMinutes } from './timeline.ts'

/** Long enough for a service that is restarting, short enough for a user who forgot to start it. */
const contactPatienceMs = 5_000
const defaultSendPatienceMs = 120_000
const defaultCountPatienceMs = 60_000
/** Many times the lifetime of a cached response. */
const maxComparePatienceMs = 10_000
/** Longer waits are announced. */
const noticeAfterMs = 3_000

export interface DemoOptions extends Options {
  /** A key that may send and read. */
  key: string
  /** Folder of the key from which visitor ids are derived. */
  stateDir: string
  /** How long one batch is retried. Default: 120,000. */
  sendPatienceMs?: number
  /** How long counts may stop growing before the demo gives up. Default: 60,000. */
  countPatienceMs?: number
}

export interface DemoResult {
  /** Every click was accepted and counted exactly once, and sending all of them again changed no count. */
  equal: boolean
  survey: Survey
  /** Two, unless the second was skipped. */
  sendings: Sending[]
  /** Of the last sending. */
  comparison: Comparison
}

/**
 * Sends the clicks of a log, or synthetic ones, and compares the API's counts with the source. Differences are in the
 * result, not thrown.
 *
 * @throws {DemoError} when no comparison is possible: the log is empty or unreadable, or the API is too far behind
 * @throws {RequestError} when the server cannot be reached or rejects a request
 * @throws the signal's reason when the signal is aborted
 */
export async function runDemo(
  options: DemoOptions,
  output: Output = { line: () => {} },
  signal: AbortSignal = new AbortController().signal,
): Promise<DemoResult> {
  const source =
    options.log === undefined
      ? new SyntheticClicks(options.clicks, options.seed)
      : await AccessLog.open(options.log, await readVisitorKey(options.stateDir))
  try {
    return await new Run(options, source, output, signal).run()
  } finally {
    await source.close()
  }
}

class Run {
  readonly #options: DemoOptions
  readonly #source: ClickSource
  readonly #output: Output
  readonly #signal: AbortSignal
  readonly #countPatienceMs: number
  readonly #comparePatienceMs: number

  constructor(options: DemoOptions, source: ClickSource, output: Output, signal: AbortSignal) {
    this.#options = options
    this.#source = source
    this.#output = output
    this.#signal = signal
    this.#countPatienceMs = options.countPatienceMs ?? defaultCountPatienceMs
    this.#comparePatienceMs = Math.min(maxComparePatienceMs, this.#countPatienceMs)
  }

  async run(): Promise<DemoResult> {
    const startedAtMs = await this.#contact()
    const survey = await this.#survey()
    // After the survey, which takes a while for a large log.
    const timeline = new Timeline(survey.firstMs, survey.lastMs, Date.now())
    this.#print(describeTimeline(survey, timeline))
    const reader = new CountsReader(
      this.#options.url,
      this.#options.key,
      timeline.range(),
      this.#countPatienceMs,
      this.#signal,
    )
    const before = await this.#baseline(reader, startedAtMs)

    const first = await this.#send(survey, timeline)
    await this.#waitUntilCounted(reader, before, first)
    const { comparison, isCurrent } = await this.#compare(reader, before, survey, first)
    this.#print('', ...renderTops(comparison, this.#source.name), '')
    this.#print(...describeComparison(comparison, survey.counts))
    const equal = comparison.equal && isCurrent && first.rejected.size === 0
    const result = { survey, sendings: [first], comparison, equal }
    return equal && !this.#options.once ? this.#sendAgain(result, timeline, reader, before) : result
  }

  /** Returns the server's clock. Called first, so that an unreachable server is reported before a large log is read. */
  async #contact(): Promise<number> {
    const thisMinute = wholeMinutes(Date.now(), Date.now())
    const reader = new CountsReader(this.#options.url, this.#options.key, thisMinute, contactPatienceMs, this.#signal)
    const { serverTimeMs } = await reader.totals()
    return serverTimeMs
  }

  async #survey(): Promise<Survey> {
    const startedAtMs = performance.now()
    const survey = await withProgress(this.#output, { label: 'Reading', unit: '%', total: 100 }, (update) =>
      this.#source.survey(this.#signal, (share) => update(Math.floor(share * 100))),
    )
    this.#print(...describeSurvey(this.#source.name, survey, performance.now() - startedAtMs))
    return survey
  }

  /** Reads the counts once the API has counted all earlier clicks, which would otherwise be attributed to this run. */
  async #baseline(reader: CountsReader, startedAtMs: number): Promise<Baseline> {
    const isSettled = await this.#isCountedUpTo(reader, startedAtMs)
    const before = isSettled && (await readBaseline(reader, startedAtMs, this.#comparePatienceMs, this.#signal))
    if (!before) throw new DemoError('The API is still counting clicks from before this run. Try again later.')
    return before
  }

  async #send(survey: Survey, timeline: Timeline): Promise<Sending> {
    const total = survey.counts.clicks
    const shown = { label: 'Sending', unit: 'clicks', total, withSpeed: true }
    const sending = await withProgress(this.#output, shown, (update) =>
      sendClicks(this.#source.clicks(timeline), {
        url: this.#options.url,
        key: this.#options.key,
        signal: this.#signal,
        patienceMs: this.#options.sendPatienceMs ?? defaultSendPatienceMs,
        onAnswered: update,
      }),
    )
    this.#print(...describeSending(sending))
    return sending
  }

  async #waitUntilCounted(reader: CountsReader, before: Baseline, { accepted }: Sending): Promise<void> {
    const startedAtMs = performance.now()
    const counted = await withProgress(this.#output, { label: 'Counting', unit: 'clicks', total: accepted }, (update) =>
      waitForClicks(reader, before.totals, accepted, this.#countPatienceMs, this.#signal, update),
    )
    const waited = formatDuration(performance.now() - startedAtMs)
    const end =
      counted < accepted
        ? `; gave up after ${formatDuration(this.#countPatienceMs)} without progress`
        : ` ${waited} after the last click was accepted`
    this.#print(labelled('Counting', `${formatCount(counted)} of ${formatCount(accepted)} counted${end}`))
  }

  async #sendAgain(first: DemoResult, timeline: Timeline, reader: CountsReader, before: Baseline): Promise<DemoResult> {
    const { survey } = first
    this.#print('', 'Sending every click again with the same id:')
    const second = await this.#send(survey, timeline)
    const { comparison, isCurrent } = await this.#compare(reader, before, survey, second)
    if (comparison.equal && isCurrent) this.#print(labelled('Counting', 'all processed; no count changed'))
    else if (!comparison.equal) this.#print(...describeComparison(comparison, survey.counts))
    const equal = comparison.equal && isCurrent && second.rejected.size === 0
    return { survey, sendings: [...first.sendings, second], comparison, equal }
  }

  /** Waits until every click is processed, duplicates included: counts that are equal earlier might still change. */
  async #compare(
    reader: CountsReader,
    before: Baseline,
    { counts }: Survey,
    { endedAtMs }: Sending,
  ): Promise<SettledComparison> {
    await this.#isCountedUpTo(reader, endedAtMs)
    const settled = await compareSince(reader, before, counts, endedAtMs, this.#comparePatienceMs, this.#signal)
    if (!settled.isCurrent)
      this.#print('UNVERIFIED: asOf shows that the API has not yet processed every click that was sent.')
    return settled
  }

  async #isCountedUpTo(reader: CountsReader, momentMs: number): Promise<boolean> {
    const notice = setTimeout(() => this.#print(labelled('Counting', 'waiting for the API to catch up')), noticeAfterMs)
    try {
      return await waitForMoment(reader, momentMs, this.#countPatienceMs, this.#signal)
    } finally {
      clearTimeout(notice)
    }
  }

  #print(...lines: string[]): void {
    for (const line of lines) this.#output.line(line)
  }
}
