import { TcpProxy } from '@clicktally/testing/tcp-proxy.ts'

// A distance: a port from which everything goes on to another, and back, after a latency, however much is on its way.
// Settings travel as a message, and so does the port; it runs until it is ended. See child-task.ts.

export interface DistanceSettings {
  /** On 127.0.0.1. */
  readonly port: number
  /** Milliseconds each way. */
  readonly latencyMs: number
}

export interface Distance {
  readonly port: number
}

process.once('message', async ({ port, latencyMs }: DistanceSettings) => {
  const proxy = await TcpProxy.open({ host: '127.0.0.1', port })
  proxy.delay(latencyMs)
  process.send?.({ port: proxy.port } satisfies Distance)
})
process.once('disconnect', () => process.exit())
