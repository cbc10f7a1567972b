import { createRequire } from 'node:module'

// For a processor's NODE_OPTIONS=--import: kills the process when PostgreSQL reports that a batch is committed, before the
// processor's own code receives the result. The broker will redeliver the batch's messages.
//
// CRASH_AFTER_BATCHES: the number of batches after which to kill the process. Default: 1, 2 or 3 at random.

interface Connection {
  prependListener(event: string, listener: (message: { text?: string; status?: string }) => void): void
}
interface Client {
  connection: Connection
  query(this: Client, config: unknown, ...rest: unknown[]): unknown
}

// The same module instance that the services use, patched before their code is loaded.
const require = createRequire(new URL('../../../packages/database/package.json', import.meta.url))
const { prototype } = (require('pg') as { Client: { prototype: Client } }).Client
const { query } = prototype
const watched = new WeakSet<Connection>()
/** Connections with a batch that is not yet committed. */
const pending = new WeakSet<Connection>()
let batchesLeft = Number(process.env.CRASH_AFTER_BATCHES) || 1 + Math.floor(Math.random() * 3)

prototype.query = function (config, ...rest) {
  if (isBatch(config)) {
    watch(this.connection)
    pending.add(this.connection)
  }
  return query.call(this, config, ...rest)
}

/** The processor writes a batch either with COPY or with the prepared statement of that name. */
function isBatch(config: unknown): boolean {
  if (typeof config !== 'object' || config === null) return false
  return config.constructor?.name === 'CopyStatement' || (config as { name?: unknown }).name === 'count-clicks'
}

function watch(connection: Connection): void {
  if (watched.has(connection)) return
  watched.add(connection)
  connection.prependListener('errorMessage', () => pending.delete(connection))
  connection.prependListener('commandComplete', ({ text }) => {
    if (text === 'ROLLBACK') pending.delete(connection)
  })
  // Before pg's own listener. Status I: no transaction is open, so what was sent before is committed.
  connection.prependListener('readyForQuery', ({ status }) => {
    if (status !== 'I' || !pending.delete(connection)) return
    batchesLeft -= 1
    if (batchesLeft === 0) process.kill(process.pid, 'SIGKILL')
  })
}
