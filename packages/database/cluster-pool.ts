import { HostChoice } from '@clicktally/hosts/host-choice.ts'
import { hostOf } from '@clicktally/hosts/host-urls.ts'
import { Client, type ClientBase, type ClientConfig, Pool, type PoolClient, type PoolConfig } from 'pg'

export interface ClusterPoolOptions {
  /** postgres://user:password@host:port/database. A cluster's has several hosts, separated by commas: see hostUrls(). */
  readonly url: string
  /** `primary`: of several hosts only one that accepts writes. `any`: also a standby. */
  readonly accepts: 'primary' | 'any'
}

/** The `code` of the error of connect() if the only hosts that answer are standbys. */
export const notPrimary = 'NOT_PRIMARY'

type Connected = (
  error: Error | undefined,
  client: PoolClient | undefined,
  done: (release?: Error | boolean) => void,
) => void

/**
 * A pool of connections to a cluster, each to the host that HostChoice names. node-postgres knows one host only.
 *
 * connect() tries each host at most once. An open connection is not checked again: the failover tools end the connections of a server
 * that is no longer the primary, by restarting it.
 */
export class ClusterPool extends Pool {
  readonly #hosts: HostChoice

  /** @param config without what is in the URL */
  constructor(config: PoolConfig, { url, accepts }: ClusterPoolOptions) {
    const hosts = new HostChoice(url)
    const isCluster = hosts.size > 1
    super({
      ...config,
      Client: clientFor(hosts) as unknown as new () => ClientBase,
      ...(isCluster && accepts === 'primary' && { onConnect: requirePrimary }),
    })
    this.#hosts = hosts
  }

  override connect(): Promise<PoolClient>
  override connect(callback: Connected): void
  override connect(callback?: Connected): Promise<PoolClient> | undefined {
    const connected = this.#connectToAny()
    if (callback === undefined) return connected
    connected.then(
      (client) => callback(undefined, client, (release) => client.release(release)),
      (error) => callback(error, undefined, () => {}),
    )
    return undefined
  }

  async #connectToAny(): Promise<PoolClient> {
    let standby: unknown
    for (let attempt = 1; ; attempt += 1) {
      const failures = this.#hosts.failureCount
      try {
        return await super.connect()
      } catch (error) {
        if ((error as { code?: unknown }).code === notPrimary) standby = error
        // If no host has failed, all connections are in use. A standby that answers says more than a host that does not.
        if (attempt >= this.#hosts.size || this.#hosts.failureCount === failures) throw standby ?? error
      }
    }
  }
}

/** A client that belongs to the host that was the best choice when it was made, and reports how that went. */
function clientFor(hosts: HostChoice) {
  return class HostClient extends Client {
    readonly #url: string

    constructor(config: ClientConfig) {
      const url = hosts.next()
      super({ ...config, connectionString: url })
      this.#url = url
      // The pool's own listener comes with the next microtask after connecting. A server that dies at that moment must not end the process:
      // the first query fails, because the client knows that its connection is lost.
      this.on('error', () => {})
    }

    override connect(): Promise<this>
    override connect(callback: (error: Error) => void): void
    override connect(callback?: (error: Error) => void): Promise<this> | undefined {
      const connected = super.connect().then(
        () => {
          hosts.worked(this.#url)
          return this
        },
        (error) => {
          hosts.failed(this.#url)
          throw error
        },
      )
      if (callback === undefined) return connected
      connected.then(() => callback(undefined as unknown as Error), callback)
      return undefined
    }

    /** The server answers, but is not the primary. */
    refuse(): Error {
      hosts.failed(this.#url)
      const error = new Error(`${hostOf(this.#url)} is a standby, not the primary`)
      return Object.assign(error, { code: notPrimary })
    }
  }
}

type HostClient = InstanceType<ReturnType<typeof clientFor>>

/** As libpq's target_session_attrs=read-write. */
async function requirePrimary(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ transaction_read_only: string }>('show transaction_read_only')
  if (rows[0]?.transaction_read_only !== 'off') throw (client as HostClient).refuse()
}
