/**
 * The AMQP `type` of a message that carries clicks, one a line, as encodeClick() and encodeShort() write them. The lines of a message of
 * the earlier type are not short.
 */
export const clicksMessageType = 'clicks.v2'
export const earlierClicksMessageType = 'clicks.v1'

/** Whether messages of this type carry clicks that this version can read. */
export function isClicksMessageType(type: string | null | undefined): boolean {
  return type === clicksMessageType || type === earlierClicksMessageType
}

/** The AMQP header with the cell that clicks were copied from, of messages that move a project to another cell. */
export const copiedFromHeader = 'copied-from'
