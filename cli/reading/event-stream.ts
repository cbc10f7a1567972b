/** One server-sent event. */
export interface StreamEvent {
  readonly event: string
  /** For `Last-Event-ID`. */
  readonly id: string | undefined
  readonly data: string
}

/** The largest event that is accepted, in characters. */
const maxEventChars = 1_000_000

/**
 * The events of a response of type text/event-stream (https://html.spec.whatwg.org/multipage/server-sent-events.html), as far as
 * Clicktally sends them: lines end with a line feed, and each event has one line of data.
 *
 * @throws {Error} if an event is too large
 */
export async function* streamEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    if (text.length > maxEventChars) throw new Error('an event is too large')
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line) => /^([^:]*):? ?(.*)$/s.exec(line)?.slice(1) as [string, string]),
      )
      const data = fields.get('data')
      if (data !== undefined) yield { event: fields.get('event') ?? 'message', id: fields.get('id'), data }
    }
  }
}
