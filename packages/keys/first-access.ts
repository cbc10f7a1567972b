import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { keyRoles } from './roles.ts'

const Hash = Type.String({ pattern: '^[\\w-]{43}$' })
const KeyId = Type.String({ pattern: '^[0-9A-Za-z]{12}$' })

/**
 * The first keys and the first owner of an installation, as hashes. infra/secrets writes this file for services/auth. The keys
 * themselves are in files that only the operator can read.
 */
export const FirstAccess = Type.Object({
  /** The operator's key, of the role `owner`. The command line uses it. */
  operator: Type.Object({ id: KeyId, hash: Hash }),
  keys: Type.Array(
    Type.Object({ id: KeyId, hash: Hash, role: Type.Enum(keyRoles), origins: Type.Array(Type.String()) }),
  ),
  owner: Type.Object({
    email: Type.String(),
    /** argon2id in the PHC string format. */
    passwordHash: Type.String(),
  }),
})
export type FirstAccess = Static<typeof FirstAccess>

const schema = Compile(FirstAccess)

/** @throws Error, without the content, if the text is not a valid FirstAccess. */
export function readFirstAccess(text: string): FirstAccess {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('The file of the first keys is not JSON.')
  }
  if (!schema.Check(value)) throw new Error('The file of the first keys has an invalid format.')
  return value
}
