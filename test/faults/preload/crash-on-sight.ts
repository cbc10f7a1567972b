import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

// For a processor's NODE_OPTIONS=--import: kills the process when the broker delivers a message whose content contains
// CRASH_ON_SIGHT, before the processor's own code receives it. Messages from the queue clicks.dead are excepted: processors
// store these without decoding them.

interface BaseChannel {
  dispatchMessage(
    this: BaseChannel,
    fields: { readonly exchange?: string; readonly routingKey?: string },
    message: { readonly content: Buffer } | null,
  ): unknown
}

// The same module instance that the services use, in a file that the package does not export.
const require = createRequire(new URL('../../../packages/broker/package.json', import.meta.url))
const { BaseChannel } = require(join(dirname(require.resolve('amqplib')), 'lib/channel.js')) as {
  BaseChannel: { prototype: BaseChannel }
}
const { dispatchMessage } = BaseChannel.prototype
const marker = process.env.CRASH_ON_SIGHT

if (!marker) throw new Error('CRASH_ON_SIGHT is not set: the text in a message that kills this process')

BaseChannel.prototype.dispatchMessage = function (fields, message) {
  const isDeadLettered = fields.exchange === 'clicks.dlx' && fields.routingKey === 'clicks'
  if (!isDeadLettered && message?.content.includes(marker)) process.kill(process.pid, 'SIGKILL')
  return dispatchMessage.call(this, fields, message)
}
