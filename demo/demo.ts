import { readVisitorKey } from '@clicktally/access-log/visitor-key.ts'
import { CountsReader } from '@clicktally/client/counts-reader.ts'
import { waitForMoment } from '@clicktally/client/wait-for-moment.ts'
import { formatCount, formatDuration, labelled, type Output, withProgress } from '@clicktally/terminal/progress.ts'
import { AccessLog } from './access-log.ts'
import { type Sending, sendClicks } from './click-sender.ts'
import type { ClickSource, Survey } from './click-source.ts'
import type { Comparison } from './comparison.ts'
import { DemoError } from './demo-error.ts'
import { describeComparison, describeSending, describeSurvey, describeTimeline, renderTops } from './report.ts'
import { type Baseline, compareSince, readBaseline, type SettledComparison, waitForClicks } from './settling.ts'
import { SyntheticClicks } from './synthetic-clicks.ts'
import { Timeline, wholeMinutes } from './timeline.ts'

/** Long enough for a service that is just starting again, short enough for somebody who forgot to start it. */
const contactPatienceMs = 5_000
const defaultSendPatienceMs = 120_000
const defaultCountPatienceMs = 60_000
/** Many times as long as an answer may be cached. */
const maxComparePatienceMs = 10_000
/** A wait that is longer is told. */
const noticeAfterMs = 3_000

export interface DemoOptions {
  /** Where the server is, ending in `/`. */
  url: string
  /** An access log; without one, clicks are made. */
  log?: string
  /** How many clicks to make, and the seed that they are made from. */
  clicks: number
  seed: number
  /** Where the key of the visitors' ids is kept. */
  stateDir: string
  /** Leaves out sending everything again. */
  once: boolean
  /** How long one batch is tried (120,000 ms), and how long the counts may stand still (60,000 ms). */
  sendPatienceMs?: number
  countPatienceMs?: number
}

export interface DemoResult {
  /** Everything was accepted and counted, to the click, and a second sending changed nothing. */
  equal: boolean
  survey: Survey
  /** One or, with the second, two. */
  sendings: Sending[]
  /** The last one. */
  comparison: Comparison
}

/**
 * Sends the clicks of a log, or made ones, and holds what the api then shows against the source itself. What is wrong
 * with the counts is in the result.
 *
 * @throws {DemoError} where it does not come to a comparison: no such log, no server, a server that refuses
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
    // The clicks end now, which is after the reading: that of a large log takes its time.
    const timeline = new Timeline(survey.firstMs, survey.lastMs, Date.now())
    this.#print(describeTimeline(survey, timeline))
    const reader = new CountsReader(this.#options.url, timeline.range(), this.#countPatienceMs, this.#signal)
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

  /** The server's clock at the start: it shows that the right server answers before a large log is read. */
  async #contact(): Promise<number> {
    const thisMinute = wholeMinutes(Date.now(), Date.now())
    const reader = new CountsReader(this.#options.url, thisMinute, contactPatienceMs, this.#signal)
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

  /** What the api has already; after all that was accepted before this run is counted, or it would be taken for ours. */
  async #baseline(reader: CountsReader, startedAtMs: number): Promise<Baseline> {
    const isSettled = await this.#isCountedUpTo(reader, startedAtMs)
    const before = isSettled && (await readBaseline(reader, startedAtMs, this.#comparePatienceMs, this.#signal))
    if (!before) throw new DemoError('The api is still behind with clicks from before this run. Try again later.')
    return before
  }

  async #send(survey: Survey, timeline: Timeline): Promise<Sending> {
    const total = survey.counts.clicks
    const shown = { label: 'Sending', unit: 'clicks', total, withSpeed: true }
    const sending = await withProgress(this.#output, shown, (update) =>
      sendClicks(this.#source.clicks(timeline), {
        url: this.#options.url,
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
        ? `, and none for ${formatDuration(this.#countPatienceMs)}`
        : ` ${waited} after the last was accepted`
    this.#print(labelled('Counting', `${formatCount(counted)} of ${formatCount(accepted)} counted${end}`))
  }

  async #sendAgain(first: DemoResult, timeline: Timeline, reader: CountsReader, before: Baseline): Promise<DemoResult> {
    const { survey } = first
    this.#print('', 'Once more, every click with the id that it had:')
    const second = await this.#send(survey, timeline)
    const { comparison, isCurrent } = await this.#compare(reader, before, survey, second)
    if (comparison.equal && isCurrent) this.#print(labelled('Counting', 'all processed, and no count has changed'))
    else if (!comparison.equal) this.#print(...describeComparison(comparison, survey.counts))
    const equal = comparison.equal && isCurrent && second.rejected.size === 0
    return { survey, sendings: [...first.sendings, second], comparison, equal }
  }

  /** Waits until the sending is processed, repeats included: equal counts before that might still change. */
  async #compare(
    reader: CountsReader,
    before: Baseline,
    { counts }: Survey,
    { endedAtMs }: Sending,
  ): Promise<SettledComparison> {
    await this.#isCountedUpTo(reader, endedAtMs)
    const settled = await compareSince(reader, before, counts, endedAtMs, this.#comparePatienceMs, this.#signal)
    if (!settled.isCurrent)
      this.#print('NOT SHOWN: the api does not say (asOf) that it has processed all that was sent.')
    return settled
  }

  async #isCountedUpTo(reader: CountsReader, momentMs: number): Promise<boolean> {
    const notice = setTimeout(
      () => this.#print(labelled('Counting', 'waiting until the api is up to date')),
      noticeAfterMs,
    )
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
