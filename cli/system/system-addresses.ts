/** Where a running Clicktally can be reached, as its operator. */
export interface SystemAddresses {
  /** postgres:// as clicktally_operator, with the password. */
  readonly databaseUrl: string
  /** amqp:// as operator, with the password. */
  readonly brokerUrl: string
  /** http:// of the broker's management API; its user is the one of `brokerUrl`. */
  readonly managementUrl: string
  /** Where clicks are sent to: `http://127.0.0.1:8080`. */
  readonly baseUrl: string
}
