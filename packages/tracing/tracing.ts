import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Attributes,
  type Context,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { parseTraceParent } from '@opentelemetry/core'
import type { TracerProvider } from '@opentelemetry/sdk-trace'
import type { Logger } from 'pino'
import { createTraceProvider } from './trace-provider.ts'
import type { TraceSettings } from './trace-settings.ts'

/** Which trace a log line belongs to, as OpenTelemetry names it. */
export interface LogFields {
  readonly trace_id: string
  readonly span_id: string
}

/** The span of a request that is recorded. */
export interface RequestSpan {
  readonly context: SpanContext
  readonly logFields: LogFields
  end(status: number): void
}

/** The span of a message that is recorded. */
export interface MessageSpan {
  /** For the message's header of this name: https://www.w3.org/TR/trace-context/ */
  readonly traceparent: string
  end(error?: Error): void
}

const closeWithinMs = 2_000
const messaging = { 'messaging.system': 'rabbitmq', 'messaging.destination.name': 'clicks' } as const

/**
 * Records the way of a click: request → message → batch → commit.
 *
 * Requests share messages, and messages share batches. So a span continues the trace of the first recorded one that it contains,
 * and links to each of them. What is not recorded has no span, and costs nothing further on its way.
 */
export class Tracing {
  readonly #provider: TracerProvider
  /** The innermost span of inBatch() or inCommit(). */
  readonly #active = new AsyncLocalStorage<Span>()

  constructor(service: string, settings: TraceSettings) {
    this.#provider = createTraceProvider(service, settings)
  }

  /** Reports in the log when spans cannot be sent. */
  reportTo(logger: Logger): void {
    const report = (message: string) => logger.warn({ reason: message }, 'traces cannot be sent')
    const ignore = () => {}
    const levels = { error: report, warn: report, info: ignore, debug: ignore, verbose: ignore }
    diag.setLogger(levels, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  }

  /** What a log line within inBatch() or inCommit() has in addition. */
  logFields(): LogFields | undefined {
    const span = this.#active.getStore()
    return span && logFieldsOf(span.spanContext())
  }

  /**
   * @param traceparent the client's header. Anyone can send anything in it.
   * @param use link: to be linked; continue: to be the parent
   * @returns undefined if the request is not to be recorded
   */
  startRequest(
    request: { readonly method: string; readonly route: string; readonly requestId: string },
    traceparent: unknown,
    use: 'link' | 'continue',
  ): RequestSpan | undefined {
    const client = contextIn(traceparent)
    const attributes = {
      'http.request.method': request.method,
      'http.route': request.route,
      'clicktally.request_id': request.requestId,
    }
    const span = this.#start(`${request.method} ${request.route}`, SpanKind.SERVER, attributes, {
      parent: use === 'continue' ? client : undefined,
      links: use === 'link' && client !== undefined ? [client] : [],
    })
    if (!span.isRecording()) return undefined
    const context = span.spanContext()
    return {
      context,
      logFields: logFieldsOf(context),
      end(status) {
        span.setAttribute('http.response.status_code', status)
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
        span.end()
      },
    }
  }

  /** @param requests whose clicks are in the message */
  startMessage(requests: readonly RequestSpan[], clicks: number): MessageSpan | undefined {
    const attributes = { ...messaging, 'messaging.operation.type': 'send', 'clicktally.clicks': clicks }
    const links = requests.map(({ context }) => context)
    const span = this.#start('send clicks', SpanKind.PRODUCER, attributes, { parent: links[0], links })
    if (!span.isRecording()) return undefined
    const { traceId, spanId } = span.spanContext()
    return { traceparent: `00-${traceId}-${spanId}-01`, end: (error) => endSpan(span, error) }
  }

  /**
   * Records the writing of a batch, until it resolves or rejects.
   *
   * @param traceparents of its messages, as far as they have one
   */
  async inBatch<Result>(
    batch: { readonly traceparents: readonly string[]; readonly messages: number; readonly clicks: number },
    write: () => Promise<Result>,
  ): Promise<Result> {
    const links = batch.traceparents.flatMap((each) => contextIn(each) ?? [])
    const attributes = {
      ...messaging,
      'messaging.operation.type': 'process',
      'messaging.batch.message_count': batch.messages,
      'clicktally.clicks': batch.clicks,
    }
    return await this.#run(
      this.#start('process clicks', SpanKind.CONSUMER, attributes, { parent: links[0], links }),
      write,
    )
  }

  /** Records an attempt to commit, if it is made within inBatch(). */
  async inCommit<Result>(commit: () => Promise<Result>): Promise<Result> {
    const batch = this.#active.getStore()
    if (batch === undefined) return await commit()
    const parent = batch.spanContext()
    const span = this.#start(
      'commit clicks',
      SpanKind.CLIENT,
      { 'db.system.name': 'postgresql' },
      { parent, links: [] },
    )
    return await this.#run(span, commit)
  }

  /** Sends what is left. Waits for the receiver for at most 2 s. */
  async close(): Promise<void> {
    const sent = this.#provider.shutdown().catch(() => {})
    await Promise.race([sent, sleep(closeWithinMs, undefined, { ref: false })])
  }

  #start(
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    { parent, links }: { readonly parent: SpanContext | undefined; readonly links: readonly SpanContext[] },
  ): Span {
    const context: Context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent)
    const options = { kind, attributes, links: links.map((each) => ({ context: each })) }
    return this.#provider.getTracer('clicktally').startSpan(name, options, context)
  }

  async #run<Result>(span: Span, work: () => Promise<Result>): Promise<Result> {
    if (!span.isRecording()) return await work()
    try {
      const result = await this.#active.run(span, work)
      span.end()
      return result
    } catch (error) {
      endSpan(span, error as Error)
      throw error
    }
  }
}

function contextIn(traceparent: unknown): SpanContext | undefined {
  const context = typeof traceparent === 'string' ? parseTraceParent(traceparent) : null
  return context === null ? undefined : { ...context, isRemote: true }
}

function logFieldsOf({ traceId, spanId }: SpanContext): LogFields {
  return { trace_id: traceId, span_id: spanId }
}

function endSpan(span: Span, error?: Error): void {
  if (error !== undefined) {
    span.setAttribute('error.type', errorTypeOf(error))
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}

/** Not the error's text: that of a database's error may have a click in it. */
function errorTypeOf(error: Error & { code?: unknown; problem?: { code?: unknown } }): string {
  const code = error.code ?? error.problem?.code
  return typeof code === 'string' ? code : error.name
}
