import { TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
import { onTestFinished } from 'vitest'

/** A TCP proxy in front of the broker that can stop forwarding without closing, like a network that drops packets. */
export interface SlowLink {
  /** The broker's URL, through this proxy. */
  readonly url: string
  /** Stops forwarding in both directions. */
  silence(): void
  /** Forwards what was held back, and continues. */
  resume(): void
  /** Resets all open connections. */
  cut(): void
  /**
   * Sends what RabbitMQ sends at the start or end of a memory or disk alarm. A real alarm would block the whole broker and all
   * concurrent tests. The link must be idle, so that this falls between two frames.
   */
  sayBlocked(reason: string): void
  sayUnblocked(): void
}

/** Methods of AMQP's connection class (10): https://www.rabbitmq.com/docs/connection-blocked */
const blockedMethod = 60
const unblockedMethod = 61

/** An AMQP frame with a method on channel 0. */
function connectionFrame(method: number, args: Buffer = Buffer.alloc(0)): Buffer {
  const frame = Buffer.alloc(7 + 4 + args.length + 1)
  frame.writeUInt8(1, 0)
  frame.writeUInt32BE(4 + args.length, 3)
  frame.writeUInt16BE(10, 7)
  frame.writeUInt16BE(method, 9)
  args.copy(frame, 11)
  frame.writeUInt8(0xce, frame.length - 1)
  return frame
}

export async function createSlowLink(brokerUrl: string): Promise<SlowLink> {
  const url = new URL(brokerUrl)
  const proxy = await TcpProxy.open({ host: url.hostname, port: Number(url.port || 5672) })
  onTestFinished(() => proxy.close())
  url.hostname = '127.0.0.1'
  url.port = String(proxy.port)
  return {
    url: url.href,
    silence: () => proxy.silence(),
    resume: () => proxy.resume(),
    cut: () => proxy.cut(),
    sayBlocked(reason) {
      const text = Buffer.from(reason)
      proxy.sendToClients(connectionFrame(blockedMethod, Buffer.from([text.length, ...text])))
    },
    sayUnblocked: () => proxy.sendToClients(connectionFrame(unblockedMethod)),
  }
}
