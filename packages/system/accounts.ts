import {
  type BrokerRights,
  type BrokerUser,
  type DatabaseAccount,
  databaseName,
  databaseOwner,
  type Network,
  type Part,
  type PartName,
  partEntries,
  parts,
  type Secret,
  type Server,
} from './parts.ts'

/** The users at the broker. */
export const brokerUsers = partEntries.flatMap(([, { account, broker }]) =>
  account !== undefined && broker !== undefined ? [{ user: account as BrokerUser, rights: broker }] : [],
) satisfies { user: BrokerUser; rights: BrokerRights }[]

/** The login roles of the database, except the owner. Migrations set the secret as the role's password. */
export const loginRoles = partEntries.flatMap(([, { account, database }]) => {
  if (account === undefined || database === undefined || database === databaseOwner) return []
  const variable = `${account.toUpperCase()}_DATABASE_PASSWORD`
  return [
    {
      account: account as DatabaseAccount,
      role: database,
      password: { id: databasePasswordId(database), file: `${account}-password`, variable },
    },
  ]
})

/** The servers that a part logs in to. */
export function serversOf(name: PartName): Server[] {
  const { broker, database }: Part = parts[name]
  return [...(broker ? (['rabbitmq'] as const) : []), ...(database ? (['postgres'] as const) : [])]
}

/** The Docker networks that a part is in. */
export function networksOf(name: PartName): Network[] {
  const { networks = [], broker, database }: Part = parts[name]
  return [...networks, ...(broker ? (['broker'] as const) : []), ...(database ? (['database'] as const) : [])]
}

/** The id of the secret that is a broker user's password. */
export function brokerPasswordId(user: BrokerUser): string {
  return `broker user ${user}`
}

/** The id of the secret that is a database role's password. */
export function databasePasswordId(role: string): string {
  return `database role ${role}`
}

/** The secrets that a part may read, all of them in the folder of its account. */
export function secretsOf(name: PartName): Secret[] {
  const { account, broker, database, secrets = [], variablePrefix = '' }: Part = parts[name]
  const isOwner = database === databaseOwner
  return [
    ...secrets,
    ...(broker
      ? [
          {
            id: brokerPasswordId(account as BrokerUser),
            file: 'broker-password',
            variable: `${variablePrefix}BROKER_PASSWORD`,
          },
        ]
      : []),
    ...(database
      ? [
          {
            id: databasePasswordId(database),
            file: isOwner ? 'owner-password' : 'database-password',
            variable: `${variablePrefix}DATABASE_PASSWORD`,
          },
        ]
      : []),
    ...(isOwner ? loginRoles.map(({ password }) => password) : []),
  ]
}

/** The environment variables that tell a part where its servers are, without passwords. An address is `host:port`. */
export function serverVariables(name: PartName, address: (server: Server) => string): Record<string, string> {
  const { account, broker, database, variablePrefix = '' }: Part = parts[name]
  return {
    ...(broker && { [`${variablePrefix}BROKER_URL`]: `amqp://${account}@${address('rabbitmq')}` }),
    ...(database && {
      [`${variablePrefix}DATABASE_URL`]: `postgres://${database}@${address('postgres')}/${databaseName}`,
    }),
  }
}
