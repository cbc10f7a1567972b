import { Gauge, type Registry } from 'prom-client'

/** What the metrics need of a pool of `pg`. */
export interface WatchedPool {
  readonly totalCount: number
  readonly idleCount: number
  readonly waitingCount: number
  readonly options: { readonly max: number }
}

/** Exports the use of database connection pools, read at each scrape. */
export function watchPools(pools: Readonly<Record<string, WatchedPool>>, registry: Registry): void {
  const gauge = (name: string, help: string, read: (pool: WatchedPool) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['pool'],
      registers: [registry],
      collect() {
        for (const [pool, watched] of Object.entries(pools)) this.set({ pool }, read(watched))
      },
    })
  gauge('clicktally_pool_connections_max', 'Limit of connections in the pool.', ({ options }) => options.max)
  gauge('clicktally_pool_connections', 'Open connections to the database.', ({ totalCount }) => totalCount)
  gauge('clicktally_pool_connections_idle', 'Open connections that nothing uses.', ({ idleCount }) => idleCount)
  gauge('clicktally_pool_waiting', 'Queries that wait for a connection.', ({ waitingCount }) => waitingCount)
}
