import { loginRoles, secretsOf } from '@clicktally/system/accounts.ts'
import { type PartName, partEntries } from '@clicktally/system/parts.ts'
import * as ecs from 'aws-cdk-lib/aws-ecs'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import { RemovalPolicy } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'

/** Of servers that we run elsewhere, but not here. */
const serversOfOurs = ['postgres', 'rabbitmq']

/**
 * A secret for each account of the table of parts: a JSON object with its files, which store-secrets.sh fills. A task gets only
 * those of its own account.
 */
export class AccountSecrets extends Construct {
  readonly #byAccount = new Map<string, secretsmanager.Secret>()

  constructor(scope: Construct, id: string, key: kms.IKey) {
    super(scope, id)
    for (const [, { account }] of partEntries) {
      if (account === undefined || serversOfOurs.includes(account)) continue
      const secret = new secretsmanager.Secret(this, account, {
        secretName: `clicktally/${account}`,
        description: `The files of infra/secrets for the account ${account}`,
        encryptionKey: key,
        // CloudFormation makes some value. This one can be told from those of store-secrets.sh, which keeps what it has stored.
        generateSecretString: { secretStringTemplate: '{}', generateStringKey: 'initial' },
        removalPolicy: RemovalPolicy.RETAIN,
      })
      this.#byAccount.set(account, secret)
    }
  }

  of(account: string): secretsmanager.Secret {
    const secret = this.#byAccount.get(account)
    if (secret === undefined) throw new RangeError(`there is no account ${account}`)
    return secret
  }

  get all(): readonly secretsmanager.Secret[] {
    return [...this.#byAccount.values()]
  }

  /** The secret variables of a part. Those of the database's owner come from the database. */
  variablesOf(name: PartName, account: string, owner: secretsmanager.ISecret): Record<string, ecs.Secret> {
    const secret = this.of(account)
    const passwords = new Set(loginRoles.map(({ password }) => password.file))
    return Object.fromEntries(
      secretsOf(name).flatMap(({ variable, file }) => {
        if (variable === undefined) return []
        const isOwners = file === 'owner-password' && !passwords.has(file)
        return [
          [
            variable,
            isOwners ? ecs.Secret.fromSecretsManager(owner, 'password') : ecs.Secret.fromSecretsManager(secret, file),
          ],
        ]
      }),
    )
  }
}
