/** How to reach RabbitMQ's management API. */
export interface ManagementAccess {
  /** http:// of the management plugin, with or without a slash at the end. */
  readonly managementUrl: string
  /** amqp:// with the user and password that the API is called with. */
  readonly brokerUrl: string
  /** Default: 60,000. The statistics in a response may be 5 s old. */
  readonly timeoutMs?: number
}

export type ManagementMethod = 'GET' | 'PUT' | 'POST' | 'DELETE'

/** The API returned a status other than 2xx. */
export class ManagementError extends Error {
  readonly status: number

  constructor(request: string, status: number, answer: string) {
    super(`${request}: the management API answered ${status} ${answer}`.trimEnd())
    this.name = 'ManagementError'
    this.status = status
  }
}

/**
 * Calls RabbitMQ's management API.
 *
 * @param path below `/api`, with its variable parts percent-encoded
 * @param body sent as JSON
 * @returns the parsed response, or undefined if it is empty
 * @throws {ManagementError} for a status other than 2xx; the error of `fetch` if there is no response in time.
 */
export async function manage(
  { managementUrl, brokerUrl, timeoutMs = 60_000 }: ManagementAccess,
  method: ManagementMethod,
  path: string,
  body?: object,
): Promise<unknown> {
  const { username, password } = new URL(brokerUrl)
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const response = await fetch(`${managementUrl.replace(/\/$/, '')}/api${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      'content-type': 'application/json',
      // A broker is restarted now and then, and calls are rare: an idle connection would mostly be a dead one.
      connection: 'close',
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(timeoutMs),
  })
  const text = await response.text()
  if (!response.ok) throw new ManagementError(`${method} ${path}`, response.status, text)
  return text === '' ? undefined : JSON.parse(text)
}
