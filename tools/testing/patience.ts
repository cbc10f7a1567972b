/**
 * How long a test waits for what must happen, and how often it looks. The time stops a test that hangs: it is not a promise, and
 * longer than anything takes on a slow and busy machine, such as the five minutes in which RabbitMQ may elect a queue's leader.
 */
export const patience = { timeout: 300_000, interval: 20 } as const
