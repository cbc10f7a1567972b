import type { Server, ServiceName } from '@clicktally/system/parts.ts'

/** The connection of a service to a server, on 127.0.0.1. */
export interface ServiceLink {
  /** The service's name, such as `ingest-1`. */
  service: string
  kind: ServiceName
  server: Server
  /** The server's own port. */
  port: number
}

/** Returns the port that a service connects to: the server's own, or that of a proxy in between. */
export type Between = (link: ServiceLink) => number | Promise<number>
