/** What the project wants of itself: ratios of figures of the same run, on two cores with everything on them. */
export interface Target {
  readonly what: string
  readonly atLeast?: number
  readonly atMost?: number
  readonly unit: '×' | 'ms' | 'MB'
  /** What keeps it from being met, as profiles have shown; told where it is missed. */
  readonly heldBy?: string
}

export const targets = {
  cpu256: {
    what: 'CPU of ingest and broker together per accepted click, one a request, 256 connections, against the same route with no broker',
    atMost: 1.15,
    unit: '×',
  },
  cpu64: {
    what: 'CPU of ingest and broker together per accepted click, one a request, 64 connections, against the same route with no broker',
    atMost: 1.35,
    unit: '×',
  },
  cpuBatches: {
    what: 'CPU of ingest and broker together per accepted click, batches of 100, against the same route with no broker',
    atMost: 1.4,
    unit: '×',
  },
  accepting256: {
    what: 'accepted clicks/s, one a request, 256 connections, against the same route with no broker',
    atLeast: 1.0,
    unit: '×',
  },
  accepting64: {
    what: 'accepted clicks/s, one a request, 64 connections, against the same route with no broker',
    atLeast: 0.9,
    unit: '×',
  },
  acceptingPerClickConfirm: {
    what: 'accepted clicks/s, one a request, 256 connections, against one message and one confirm a click',
    atLeast: 2.0,
    unit: '×',
  },
  cpuPerClickConfirm: {
    what: 'CPU of ingest and broker together per accepted click, against one message and one confirm a click',
    atMost: 0.4,
    unit: '×',
  },
  acceptingSynchronousInsert: {
    what: 'accepted clicks/s, one a request, 256 connections, against an insert and an upsert a click',
    atLeast: 10,
    unit: '×',
  },
  acceptingBatches: {
    what: 'accepted clicks/s, batches of 100, against the same route with no broker',
    atLeast: 0.85,
    unit: '×',
  },
  loneClick: {
    what: 'a lone click on an idle system, request to 202, p50, against one message and one confirm a click',
    atMost: 1.05,
    unit: '×',
  },
  latencyP50: {
    what: 'request to 202 at half the rate that one message and one confirm a click reaches, p50, against it',
    atMost: 1.0,
    unit: '×',
  },
  latencyP99: {
    what: 'request to 202 at half the rate that one message and one confirm a click reaches, p99, against it',
    atMost: 1.0,
    unit: '×',
  },
  latencyP999: {
    what: 'request to 202 at half the rate that one message and one confirm a click reaches, p99.9, against it',
    atMost: 1.0,
    unit: '×',
  },
  storingCopy: {
    what: 'stored clicks/s by one processor that drains a full queue, against COPY of the same rows and nothing else',
    atLeast: 0.6,
    unit: '×',
  },
  storingRowByRow: {
    what: 'stored clicks/s by one processor that drains a full queue, against one insert and one upsert a click',
    atLeast: 30,
    unit: '×',
  },
  endToEndP50: {
    what: 'click sent to click visible in the API, through nginx, at half the highest rate that holds: p50',
    atMost: 150,
    unit: 'ms',
  },
  endToEndP99: {
    what: 'click sent to click visible in the API, through nginx, at half the highest rate that holds: p99',
    atMost: 500,
    unit: 'ms',
  },
  yearCount: {
    what: 'a count over a year with ten million clicks stored, against ten thousand stored: p50',
    atMost: 1.2,
    unit: '×',
  },
  microCache: {
    what: "the same question by many at once through nginx's cache, against asking the api directly: answers/s",
    atLeast: 5,
    unit: '×',
  },
  fourProcessors: {
    what: 'stored clicks/s by four processors, 20 ms away from the database, against one',
    atLeast: 3.5,
    unit: '×',
    heldBy:
      'four processors, PostgreSQL, RabbitMQ and the program that makes the distance want most of the two cores at that rate, and who ' +
      'waits for a core waits longer for the database',
  },
  ingestMemory: {
    what: 'resident memory of ingest, the most at full load and through a broker that stalls for two minutes',
    atMost: 200,
    unit: 'MB',
  },
  processorMemory: {
    what: 'resident memory of a processor, the most while it drains a long queue',
    atMost: 200,
    unit: 'MB',
  },
  bytesPerClick: {
    what: "database bytes per click, indexes and counters included, beside the bytes of the click's JSON",
    atMost: 1.3,
    unit: '×',
    heldBy:
      'a counter for each target and minute with clicks; and 44 bytes of times and keys and a header of 32 in each row',
  },
  costliestBody: {
    what: 'CPU of ingest for the costliest body of 1 MiB, against a valid batch of that size',
    atMost: 3,
    unit: '×',
  },
} as const satisfies Record<string, Target>

export type TargetName = keyof typeof targets
