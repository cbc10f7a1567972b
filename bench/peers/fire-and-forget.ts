import { once } from 'node:events'
import { assertClickQueue, connectPeer, messageOptions } from './click-queue.ts'
import { servePeer } from './peer-service.ts'

// One message a click and no confirm: answered as soon as the message is handed to the socket. Only a full socket is waited
// for, since without that the process would hold all that the broker has not read yet, until it dies.
await servePeer('fire-and-forget', async ({ brokerUrl, queue }) => {
  const connection = await connectPeer(brokerUrl, 'fire-and-forget')
  const channel = await connection.createChannel()
  // Everybody who waits for the socket does so by one listener.
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
