/** The AMQP `type` of a message that carries clicks as `encodeClick` writes them, one a line. */
export const clicksMessageType = 'clicks.v1'

/** The AMQP header with the cell that clicks were copied from, of messages that move a project to another cell. */
export const copiedFromHeader = 'copied-from'
