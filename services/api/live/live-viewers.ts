import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { Counter, Gauge, type Metric, type Registry } from 'prom-client'
import { problem } from '../errors.ts'
import { eventsOf, gapEvent, heartbeatEvent, type LiveFilter } from './live-events.ts'
import { type LiveEntry, LiveHistory, type LivePosition, type LiveSlice, readPosition } from './live-history.ts'

export interface LiveViewersOptions {
  readonly maxViewers: number
  readonly registry: Registry
  /** Whether clicks arrive now. */
  readonly isConnected: () => boolean
  /** Milliseconds between heartbeats. Default: 10,000. */
  readonly heartbeatMs?: number
}

export interface ViewerRequest {
  readonly filter: LiveFilter
  /** The header Last-Event-ID. */
  readonly lastEventId: string | undefined
  /** Whether the viewer may still see the project. Asked at each heartbeat. */
  readonly isAllowed: () => Promise<boolean>
}

interface Viewer {
  readonly events: Readable
  readonly isAllowed: () => Promise<boolean>
}

/** Viewers that see the same clicks: their events are made once. */
interface Group {
  readonly filter: LiveFilter
  readonly viewers: Set<Viewer>
}

/** A write to each of 1,000 viewers takes about 20 ms of CPU, so events are gathered for a moment. The first leave at once. */
const flushEveryMs = 100
/** 1,000 a second. Nobody reads more, and 1,000 viewers would be sent gigabytes. */
const maxClicksPerFlush = 100
const maxClicksOnResume = 1_000
/** Of events that the client has not taken. Viewers with the same filter share the memory. */
const maxBacklogBytes = 512_000
/** How long a viewer that resumes is kept waiting for this api to read as far as the one that the viewer had before. */
const catchUpMs = 2_000
/** Together with the 45 s for which keys are used while the database is down below the minute after which no revoked key works. */
const defaultHeartbeatMs = 10_000

const disconnectedMetric = {
  name: 'clicktally_live_viewers_disconnected_total',
  help: 'Viewers of /v1/live that were disconnected, by reason: slow or revoked.',
  labelNames: ['reason'],
  registers: [],
}
const joinedMetric = { name: 'clicktally_live_viewers', help: 'Viewers of /v1/live.', registers: [] }

/** A metric of the registry, created by the first who asks: the viewers of all cells are counted together. */
function shared<Shared extends Metric>(registry: Registry, name: string, create: () => Shared): Shared {
  const known = registry.getSingleMetric(name) as Shared | undefined
  if (known !== undefined) return known
  const metric = create()
  registry.registerMetric(metric)
  return metric
}

/**
 * The viewers of the live clicks. Each message is compared with each filter once, however many viewers have the filter. Memory is
 * bounded: viewers that are slow are disconnected, and may resume.
 */
export class LiveViewers {
  readonly #options: LiveViewersOptions
  readonly #history = new LiveHistory()
  readonly #groups = new Map<string, Group>()
  readonly #disconnected: Counter
  readonly #joined: Gauge
  readonly #heart: NodeJS.Timeout
  /** Joined, or about to. */
  #count = 0
  #pending: LiveSlice[] = []
  #flushedAtMs = -Infinity
  #timer: NodeJS.Timeout | undefined

  constructor(options: LiveViewersOptions) {
    this.#options = options
    const { registry, heartbeatMs = defaultHeartbeatMs } = options
    this.#heart = setInterval(() => this.#beat(), heartbeatMs).unref()
    this.#disconnected = shared(registry, disconnectedMetric.name, () => new Counter(disconnectedMetric))
    this.#joined = shared(registry, joinedMetric.name, () => new Gauge(joinedMetric))
  }

  /** Adds a message and sends it to the viewers. */
  add(entry: LiveEntry): void {
    this.#history.add(entry)
    if (this.#groups.size === 0) return
    this.#pending.push({ entry, from: 0, hasGap: entry.hasGap })
    const waitMs = this.#flushedAtMs + flushEveryMs - performance.now()
    this.#timer ??= setTimeout(() => this.#flush(), Math.max(0, waitMs))
  }

  /**
   * @returns the events of a new viewer, until the viewer is disconnected. Destroy it when the client is gone.
   * @throws {ServiceProblem} live_unavailable, live_viewers_exceeded
   */
  async join({ filter, lastEventId, isAllowed }: ViewerRequest): Promise<Readable> {
    const { maxViewers, isConnected } = this.#options
    if (!isConnected()) throw problem('live_unavailable', 'Clicks are counted, but cannot be shown now. Retry later.')
    if (this.#count >= maxViewers)
      throw problem(
        'live_viewers_exceeded',
        `There are ${maxViewers} viewers already. Retry later, or poll the counts.`,
      )
    const events = new Readable({ read() {} })
    const viewer = { events, isAllowed }
    const key = JSON.stringify(filter)
    this.#count += 1
    this.#joined.inc()
    events.on('close', () => {
      this.#count -= 1
      this.#joined.dec()
      this.#leave(key, viewer)
    })
    const position = lastEventId === undefined ? undefined : readPosition(lastEventId)
    if (position !== undefined) await this.#caughtUpTo(position.offset)
    // Others have not yet been sent what this viewer is sent now.
    this.#flush()
    const replayed = lastEventId === undefined ? '' : this.#since(position, filter)
    events.push(`retry: 2000\n\n${replayed}${this.#heartbeat()}`)
    if (events.destroyed) return events
    const group = this.#groups.get(key) ?? { filter, viewers: new Set() }
    this.#groups.set(key, group)
    group.viewers.add(viewer)
    return events
  }

  close(): void {
    clearInterval(this.#heart)
    clearTimeout(this.#timer)
    for (const { viewers } of this.#groups.values()) for (const { events } of viewers) events.destroy()
  }

  async #caughtUpTo(offset: number): Promise<void> {
    const deadlineMs = performance.now() + catchUpMs
    while ((this.#history.end?.offset ?? -1) < offset && performance.now() < deadlineMs) await sleep(20)
  }

  #since(position: LivePosition | undefined, filter: LiveFilter): string {
    const slices = position && this.#history.after(position)
    if (slices === undefined) return gapEvent({ reason: 'expired' }, this.#history.end)
    return eventsOf(slices, filter, maxClicksOnResume)
  }

  #heartbeat(): string {
    const heartbeat = { at: new Date().toISOString(), connected: this.#options.isConnected() }
    return heartbeatEvent(heartbeat, this.#history.end)
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#pending.length === 0) return
    const slices = this.#pending
    this.#pending = []
    this.#flushedAtMs = performance.now()
    for (const { filter, viewers } of this.#groups.values()) {
      const events = eventsOf(slices, filter, maxClicksPerFlush)
      if (events !== '') this.#send(viewers, events)
    }
  }

  #send(viewers: Iterable<Viewer>, events: string): void {
    const bytes = Buffer.from(events)
    for (const viewer of viewers) {
      if (viewer.events.readableLength + bytes.length > maxBacklogBytes) this.#disconnect(viewer, 'slow')
      else viewer.events.push(bytes)
    }
  }

  /** Sends heartbeats, which show viewers and proxies that the connection works, and disconnects those who may not see any more. */
  #beat(): void {
    this.#flush()
    const heartbeat = this.#heartbeat()
    for (const { viewers } of this.#groups.values()) {
      this.#send(viewers, heartbeat)
      for (const viewer of viewers) void this.#check(viewer)
    }
  }

  async #check(viewer: Viewer): Promise<void> {
    if (!(await viewer.isAllowed().catch(() => false))) this.#disconnect(viewer, 'revoked')
  }

  #disconnect({ events }: Viewer, reason: 'slow' | 'revoked'): void {
    if (events.destroyed) return
    this.#disconnected.inc({ reason })
    events.destroy()
  }

  #leave(key: string, viewer: Viewer): void {
    const group = this.#groups.get(key)
    group?.viewers.delete(viewer)
    if (group?.viewers.size === 0) this.#groups.delete(key)
  }
}
