/** The AMQP `type` of a message that carries clicks as `encodeClick` writes them, one a line. */
export const clicksMessageType = 'clicks.v1'
