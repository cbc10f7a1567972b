import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A TCP proxy before the broker that can stop forwarding without closing anything, as a network does that drops packets. */
export interface SlowLink {
  /** The broker's URL, through this proxy. */
  readonly url: string
  /** From now on nothing arrives on either side. */
  silence(): void
  /** What was held back arrives, and what comes after it. */
  resume(): void
  /** Cuts every connection that is open. */
  cut(): void
}

export async function createSlowLink(brokerUrl: string): Promise<SlowLink> {
  const broker = new URL(brokerUrl)
  const sockets = new Set<Socket>()
  let silent = false
  const server = createServer((client) => {
    const upstream = connect(Number(broker.port || 5672), broker.hostname)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.setNoDelay(true)
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
      if (silent) from.pause()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(() => {
    cut()
    server.close()
  })
  const url = new URL(brokerUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    silence() {
      silent = true
      for (const socket of sockets) socket.pause()
    },
    resume() {
      silent = false
      for (const socket of sockets) socket.resume()
    },
    cut,
  }
}
