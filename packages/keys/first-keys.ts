import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The first keys and the first owner of a new installation. */
export interface FirstKeys {
  readonly write: string
  readonly secret: string
  readonly read: string
  readonly owner: string
  readonly email: string
  readonly password: string
}

/** The email address of the first user. */
export const firstOwnerEmail = 'owner@localhost'

/**
 * Reads the first keys from the operator's secret files.
 *
 * @param dir such as `.local/secrets/operator`
 * @throws the error of the file that cannot be read
 */
export function readFirstKeys(dir: string): FirstKeys {
  const read = (file: string) => readFileSync(join(dir, file), 'utf8').trim()
  return {
    write: read('first-write-key'),
    secret: read('first-secret-key'),
    read: read('first-read-key'),
    owner: read('owner-key'),
    email: firstOwnerEmail,
    password: read('first-owner-password'),
  }
}

/** Describes the first keys for display, in lines. */
export function describeFirstKeys({ write, secret, read, owner, email, password }: FirstKeys): string[] {
  return [
    `write   ${write}   for web pages: sends clicks from the origins that it lists`,
    `secret  ${secret}   for servers: sends clicks, old ones too`,
    `read    ${read}   reads counts`,
    `owner   ${owner}   may do everything; keep it to yourself`,
    `The first user, an owner: ${email}, password ${password}`,
  ]
}
