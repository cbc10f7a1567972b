import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

// For a processor's NODE_OPTIONS=--import: kills the process when the broker delivers a message whose content has
// CRASH_ON_SIGHT in it, before anything of the processor's own sees it. Not where it comes from the queue clicks.dead: what
// the broker has given up is kept by the processors without being looked into.

interface BaseChannel {
  dispatchMessage(
    this: BaseChannel,
    fields: { readonly exchange?: string; readonly routingKey?: string },
    message: { readonly content: Buffer } | null,
  ): unknown
}

// The very module that the services use, in a file that the package does not export.
const require = createRequire(new URL('../../../packages/broker/package.json', import.meta.url))
const { BaseChannel } = require(join(dirname(require.resolve('amqplib')), 'lib/channel.js')) as {
  BaseChannel: { prototype: BaseChannel }
}
const { dispatchMessage } = BaseChannel.prototype
const marker = process.env.CRASH_ON_SIGHT

if (!marker) throw new Error('CRASH_ON_SIGHT is not set: the text in a message that is to kill this process')

BaseChannel.prototype.dispatchMessage = function (fields, message) {
  const isGivenUp = fields.exchange === 'clicks.dlx' && fields.routingKey === 'clicks'
  if (!isGivenUp && message?.content.includes(marker)) process.kill(process.pid, 'SIGKILL')
  return dispatchMessage.call(this, fields, message)
}
