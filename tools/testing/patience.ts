/**
 * How long a test waits for what must happen, and how often it looks. The time stops a test that hangs: it is not a promise, and
 * longer than anything takes on a slow and busy machine, such as a leader for a queue of RabbitMQ, which may take five minutes.
 */
export const patience = { timeout: 600_000, interval: 20 } as const
