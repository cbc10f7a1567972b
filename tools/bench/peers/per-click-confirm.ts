import { connectToBroker } from '@clicktally/broker/broker-connection.ts'
import { assertClickQueue, messageOptions } from './click-queue.ts'
import { servePeer } from './peer-service.ts'

// One message and one confirm per click, as in most tutorials, but done well: one connection, one channel, and many messages
// waiting for their confirms at the same time.
await servePeer('per-click-confirm', async ({ brokerUrl, queue }) => {
  const connection = await connectToBroker(brokerUrl, 'per-click-confirm', 5_000)
  const channel = await connection.createConfirmChannel()
  await assertClickQueue(channel, queue)
  // The broker returns an unroutable message, and confirms it nevertheless.
  const returned = new Set<string>()
  channel.on('return', ({ properties }) => returned.add(properties.messageId))
  let published = 0
  const keepOne = (line: string) =>
    new Promise<void>((resolve, reject) => {
      published += 1
      const id = String(published)
      channel.publish('', queue, Buffer.from(line), messageOptions(id), (refused: unknown) => {
        if (refused || returned.delete(id)) reject(new Error('the broker rejected a message'))
        else resolve()
      })
    })
  return {
    async keep(lines, clicks) {
      if (clicks === 1) await keepOne(lines)
      else await Promise.all(lines.split('\n').map(keepOne))
    },
    close: async () => await connection.close(),
  }
})
