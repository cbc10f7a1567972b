import { createRequire } from 'node:module'

// For a processor's NODE_OPTIONS=--import: kills the process right after PostgreSQL has said that a batch is committed, and
// before anything of the process's own learns of it. The broker will deliver the batch's messages again.
//
// CRASH_AFTER_BATCHES: the number of the batch in the life of the process that is its last; by default 1, 2 or 3 at random.

interface Connection {
  prependListener(event: string, listener: (message: { text?: string; status?: string }) => void): void
}
interface Client {
  connection: Connection
  query(this: Client, config: unknown, ...rest: unknown[]): unknown
}

// The very module that the services use: patched here before their code is loaded.
const require = createRequire(new URL('../../../packages/database/package.json', import.meta.url))
const { prototype } = (require('pg') as { Client: { prototype: Client } }).Client
const { query } = prototype
const watched = new WeakSet<Connection>()
/** Connections on which a batch was sent that is not yet committed. */
const pending = new WeakSet<Connection>()
let batchesLeft = Number(process.env.CRASH_AFTER_BATCHES) || 1 + Math.floor(Math.random() * 3)

prototype.query = function (config, ...rest) {
  if (isBatch(config)) {
    watch(this.connection)
    pending.add(this.connection)
  }
  return query.call(this, config, ...rest)
}

/** Either of the two ways in which the processor writes one: as copies, or with the statement of that name. */
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
