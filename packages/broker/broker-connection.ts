import { setTimeout as sleep } from 'node:timers/promises'
import { type ChannelModel, connect } from 'amqplib'

/**
 * Opens one connection to the broker.
 *
 * @param name shown in RabbitMQ's list of connections.
 * @param timeoutMs the limit for the connection and the handshake.
 * @throws when the broker cannot be reached or refuses the login.
 */
export async function connectToBroker(url: string, name: string, timeoutMs: number): Promise<ChannelModel> {
  return await connect(withHeartbeat(url), {
    // amqplib leaves Nagle's algorithm on and sets no timeout.
    noDelay: true,
    keepAlive: true,
    timeout: timeoutMs,
    clientProperties: { connection_name: name },
  })
}

/** Closes a connection properly, or destroys its socket when the broker does not answer within `timeoutMs`, by default a second. */
export async function closeConnection(model: ChannelModel, timeoutMs = 1_000): Promise<void> {
  const closed = model.close().catch(() => {})
  await Promise.race([closed, sleep(timeoutMs, undefined, { ref: false })])
  const { stream } = model.connection as unknown as { stream?: { destroy(): void } }
  stream?.destroy()
}

/** A dead peer goes unnoticed for 2 to 3 heartbeats: 20 to 30 s, and minutes with the broker's default of 60 s. */
function withHeartbeat(url: string): string {
  const parsed = new URL(url)
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', '10')
  return parsed.href
}
