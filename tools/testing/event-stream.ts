/** One server-sent event. */
export interface ServerEvent {
  readonly event: string
  readonly id: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: the tests assert the types of the data
  readonly data: any
}

/** A client of server-sent events. */
export interface EventStream {
  readonly status: number
  readonly headers: Headers
  /** All events so far. */
  readonly events: ServerEvent[]
  /** Resolves when the server has ended the stream, or it has failed. */
  readonly ended: Promise<void>
  close(): void
}

/** Opens a stream of events, whose data must be JSON. For any status but 200 there are no events. */
export async function openEventStream(url: string, headers: Record<string, string> = {}): Promise<EventStream> {
  const abort = new AbortController()
  const response = await fetch(url, { headers, signal: abort.signal })
  const events: ServerEvent[] = []
  const read = async () => {
    let text = ''
    const chunks = response.body?.pipeThrough(new TextDecoderStream()) ?? []
    for await (const chunk of chunks) {
      text += chunk
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      events.push(...blocks.flatMap(eventOf))
    }
  }
  const ended = response.status === 200 ? read().catch(() => {}) : Promise.resolve()
  return { status: response.status, headers: response.headers, events, ended, close: () => abort.abort() }
}

function eventOf(block: string): ServerEvent[] {
  const fields = new Map(
    block.split('\n').map((line) => {
      const [name = '', ...value] = line.split(': ')
      return [name, value.join(': ')]
    }),
  )
  const data = fields.get('data')
  return data === undefined
    ? []
    : [{ event: fields.get('event') ?? 'message', id: fields.get('id'), data: JSON.parse(data) }]
}
