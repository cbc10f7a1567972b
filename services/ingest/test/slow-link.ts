import { TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
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
  /**
   * Tells each client what RabbitMQ says in a memory or disk alarm, or at its end. A real alarm stops the whole broker, and
   * every test that runs beside this one with it. The link must be idle, so that this falls between two frames.
   */
  sayBlocked(reason: string): void
  sayUnblocked(): void
}

/** Methods of AMQP's connection class, 10: https://www.rabbitmq.com/docs/connection-blocked */
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
      proxy.sayToClients(connectionFrame(blockedMethod, Buffer.from([text.length, ...text])))
    },
    sayUnblocked: () => proxy.sayToClients(connectionFrame(unblockedMethod)),
  }
}
