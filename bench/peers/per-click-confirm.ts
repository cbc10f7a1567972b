import { assertClickQueue, connectPeer, messageOptions } from './click-queue.ts'
import { servePeer } from './peer-service.ts'

// One message and one confirm a click, as most tutorials have it, done well: one connection, one channel, and confirms as
// they come, without waiting for one before the next is published.
await servePeer('per-click-confirm', async ({ brokerUrl, queue }) => {
  const connection = await connectPeer(brokerUrl, 'per-click-confirm')
  const channel = await connection.createConfirmChannel()
  await assertClickQueue(channel, queue)
  // An unroutable message is returned, and then confirmed all the same.
  const returned = new Set<string>()
  channel.on('return', ({ properties }) => returned.add(properties.messageId))
  let published = 0
  const keepOne = (line: string) =>
    new Promise<void>((resolve, reject) => {
      published += 1
      const id = String(published)
      channel.publish('', queue, Buffer.from(line), messageOptions(id), (refused: unknown) => {
        if (refused || returned.delete(id)) reject(new Error('the broker did not take a message'))
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
