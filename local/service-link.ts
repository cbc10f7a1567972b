export type ServiceKind = 'ingest' | 'processor' | 'api'

/** The connection of a service to a server, on 127.0.0.1. */
export interface ServiceLink {
  /** The service's name, such as `ingest-1`. */
  service: string
  kind: ServiceKind
  server: 'postgres' | 'rabbitmq'
  /** The server's own port. */
  port: number
}

/** Says which port a service is to connect to: the server's own, or that of something in between. */
export type Between = (link: ServiceLink) => number | Promise<number>
