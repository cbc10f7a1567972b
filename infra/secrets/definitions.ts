import { writeFile } from 'node:fs/promises'
import { brokerDefinitions } from '@clicktally/broker/definitions.ts'

/**
 * Writes the broker's definitions of this release, with the passwords of `<USER>_BROKER_PASSWORD`: for where passwords are kept elsewhere
 * than in the folder of ensureSecrets.
 *
 * @throws {Error} that names a variable that is not set
 */
export async function writeDefinitions(file: string, env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const definitions = brokerDefinitions((user) => {
    const name = `${user.toUpperCase()}_BROKER_PASSWORD`
    const password = env[name]
    if (!password) throw new Error(`${name} is not set`)
    return password
  })
  await writeFile(file, JSON.stringify(definitions), { mode: 0o600 })
}
