import { createRequire } from 'node:module'
import { FolderStore } from '@clicktally/archive/folder-store.ts'

// For a janitor's NODE_OPTIONS=--import: kills the process at step CRASH_AT_STEP of its run, from 1. Steps are whatever leaves something
// behind or may have: each reply of the database, each piece of an archive that is written, each file of it that is complete or removed.

interface Client {
  readonly connection: { prependListener(event: 'readyForQuery', listener: () => void): void }
  connect(this: Client, ...rest: unknown[]): unknown
}

const crashAt = Number(process.env.CRASH_AT_STEP)
if (!crashAt) throw new Error('CRASH_AT_STEP is not set: the number of the step at which this process is killed')
let steps = 0

function step(): void {
  steps += 1
  if (steps === crashAt) process.kill(process.pid, 'SIGKILL')
}

// The same module instance that the services use, patched before their code is loaded.
const require = createRequire(new URL('../../../packages/database/package.json', import.meta.url))
const { prototype } = (require('pg') as { Client: { prototype: Client } }).Client
const { connect } = prototype
prototype.connect = function (...rest) {
  // Before pg's own listener: the janitor never learns of the reply.
  this.connection.prependListener('readyForQuery', step)
  return connect.apply(this, rest)
}

const { write, remove } = FolderStore.prototype
FolderStore.prototype.write = async function (name, content) {
  await write.call(
    this,
    name,
    (async function* () {
      for await (const piece of content) {
        yield piece
        step()
      }
    })(),
  )
  step()
}
FolderStore.prototype.remove = async function (name) {
  await remove.call(this, name)
  step()
}
