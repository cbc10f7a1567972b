import { once } from 'node:events'
import { connectToBroker } from '@clicktally/broker/broker-connection.ts'
import { assertClickQueue, messageOptions } from './click-queue.ts'
import { servePeer } from './peer-service.ts'

// One message per click and no confirm: responds when the message is written to the socket. Waits only for a full socket,
// without which the process would buffer everything that the broker has not read yet until it runs out of memory.
await servePeer('fire-and-forget', async ({ brokerUrl, queue }) => {
  const connection = await connectToBroker(brokerUrl, 'fire-and-forget', 5_000)
  const channel = await connection.createChannel()
  // One listener per pending publish.
  channel.setMaxListeners(2_000)
  await assertClickQueue(channel, queue)
  let published = 0
  let drained: Promise<unknown> | undefined
  return {
    async keep(lines) {
      await drained
      for (const line of lines.split('\n')) {
        published += 1
        const hasRoom = channel.publish('', queue, Buffer.from(line), messageOptions(String(published)))
        if (hasRoom || drained !== undefined) continue
        drained = once(channel, 'drain').then(() => {
          drained = undefined
        })
      }
    },
    close: async () => await connection.close(),
  }
})
