import type { Meta } from '@clicktally/operations/read/read-schemas.ts'
import type { ClickBalance, Counts } from '@clicktally/operations/read-operations.ts'
import { formatCount, formatDuration, formatMoment } from '../format.ts'
import { usePolled } from '../http/polling.ts'
import { countsUrl, livePauseMs, today } from '../state/counts-query.ts'
import { now } from '../state/now.ts'
import { follow, hrefWith } from '../state/place.ts'
import { session } from '../state/session.ts'
import { RollingCount } from './rolling-count.tsx'

const pauseMs = 1_000

/** Always in sight: how fresh the counts are, and that every accepted click is accounted for. */
export function ProofBar() {
  return session.value.kind === 'link' ? <FreshnessOnly /> : <Proof />
}

function Proof() {
  const { data, problem, receivedAtMs } = usePolled<ClickBalance>('/v1/balance', pauseMs)
  const { state, text } = verdict(data, problem?.message)
  return (
    <section class="proof" data-state={state} aria-label="Proof">
      <p class="verdict">
        <VerdictIcon state={state} />
        <span role="status">{text}</span>
      </p>
      {data !== undefined && (
        <dl class="equation">
          <Term name="accepted" value={data.accepted} title="Clicks answered 202, since the beginning" />
          <Term sign="=" name="counted" value={data.counted} title="Stored and counted, each once" />
          <Term sign="+" name="duplicates" value={data.duplicates} title="Sent again with an id that was counted" />
          <Term
            sign="+"
            name="dead"
            value={data.dead}
            title="Could not be stored, and are kept as dead letters: show them"
            href={hrefWith({ section: 'letters' }, '/settings')}
          />
          {data.discarded > 0 && (
            <Term sign="+" name="discarded" value={data.discarded} title="Dead letters that a person discarded" />
          )}
          <Term sign="+" name="in flight" value={data.inFlight} title="In the queue, not counted yet" />
        </dl>
      )}
      <Freshness meta={data?.meta} receivedAtMs={receivedAtMs} />
    </section>
  )
}

function FreshnessOnly() {
  const { data, receivedAtMs } = usePolled<Counts>(countsUrl('', today.value), livePauseMs.value)
  return (
    <section class="proof" aria-label="Freshness">
      <Freshness meta={data?.meta} receivedAtMs={receivedAtMs} />
    </section>
  )
}

interface Verdict {
  readonly state: 'right' | 'late' | 'wrong' | 'unknown'
  readonly text: string
}

/** What the balance says: whether the numbers add up, and whether they are complete. */
function verdict(balance: ClickBalance | undefined, problem: string | undefined): Verdict {
  if (problem !== undefined) return { state: 'unknown', text: problem }
  if (balance === undefined) return { state: 'unknown', text: 'Reading the balance …' }
  const { accepted, counted, duplicates, dead, discarded, inFlight, overdue, status, knownThrough } = balance
  const difference = accepted - (counted + duplicates + dead + discarded + inFlight)
  if (difference !== 0) {
    return {
      state: 'wrong',
      text: `${formatCount(Math.abs(difference))} clicks ${difference > 0 ? 'are missing' : 'are too many'}. Run "clicktally verify".`,
    }
  }
  if (overdue > 0)
    return { state: 'late', text: `${formatCount(overdue)} clicks are overdue: later ones have arrived.` }
  if (status === 'unknown') return { state: 'unknown', text: 'No processor has reported yet.' }
  if (status === 'stale') {
    return {
      state: 'late',
      text: `Complete up to ${formatMoment(new Date(knownThrough ?? 0))}. A backlog is being counted.`,
    }
  }
  return { state: 'right', text: 'Every click is accounted for' }
}

const icons = {
  right: 'M5 12.500l4.500 4.500L19 7.500',
  late: 'M12 6v6.500l4 2.500',
  wrong: 'M12 6v7M12 17v.5',
  unknown: 'M6 12h12',
} as const

function VerdictIcon({ state }: Pick<Verdict, 'state'>) {
  return (
    <svg viewBox="0 0 24 24" width="22" height="22" class="icon" aria-hidden="true">
      <path d={icons[state]} />
    </svg>
  )
}

interface TermProps {
  readonly sign?: string
  readonly name: string
  readonly value: number
  readonly title: string
  /** What shows more about it. */
  readonly href?: string
}

function Term({ sign, name, value, title, href }: TermProps) {
  return (
    <div title={title} data-sign={sign}>
      <dt>
        {href === undefined ? (
          name
        ) : (
          <a href={href} onClick={follow}>
            {name}
          </a>
        )}
      </dt>
      <dd>
        <RollingCount value={value} />
      </dd>
    </div>
  )
}

/** How old the counts are: by the server's clock, and since its answer by this machine's. */
function Freshness({ meta, receivedAtMs }: { meta: Meta | undefined; receivedAtMs: number }) {
  if (meta === undefined || meta.asOf === null || meta.lagMs === null) return null
  const { asOf, lagMs } = meta
  const sinceAnswerMs = Math.max(now.value.getTime() - receivedAtMs, 0)
  return (
    <p class="freshness" title={`Every click accepted before ${asOf} is included.`}>
      <span class="pulse" aria-hidden="true" key={receivedAtMs} />
      <span>
        as of <time dateTime={asOf}>{new Date(asOf).toLocaleTimeString()}</time>
        <span class="muted">, {formatDuration(lagMs + (sinceAnswerMs > 3_000 ? sinceAnswerMs : 0))} ago</span>
      </span>
    </p>
  )
}
