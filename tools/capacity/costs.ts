/**
 * What a click costs, from docs/benchmarks.md of 2026-11-24: 2 cores, Intel Xeon.
 *
 * nginx, ingest and RabbitMQ: the table "End to end" gives cores at 5,000 single clicks/s and at 18,000 clicks/s with 20 in a request.
 * Two points give a cost for each request and one for each click. These are costs at half load; at full load they are lower, because more
 * clicks share a message, so the model errs towards more hardware.
 *
 * processor and PostgreSQL: the table "Storing", of a full queue. With small batches they cost up to four times as much, but then they have
 * time.
 *
 * The fold: one lock in each database, see docs/decisions/0018.
 */
export const costs = {
  /** CPU seconds for a million requests, and for a million clicks. */
  cpu: {
    nginx: { request: 48.3, click: 3.7 },
    ingest: { request: 85.4, click: 14.6 },
    rabbitmq: { request: 41.6, click: 12.4 },
    processor: { request: 0, click: 6.3 },
    postgres: { request: 0, click: 5.9 },
  },
  /** Clicks/s that one database can fold into counters. */
  foldsPerSecond: 300_000,
  /** Of the database, with indexes and counters: the table "Bytes" of 2026-11-30. */
  bytesPerClick: 203,
  /** What the queue of one RabbitMQ holds: 2 GiB, at about 165 bytes a click. */
  queueClicks: 13_000_000,
} as const

export type CpuPart = keyof typeof costs.cpu
