import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(argon2)

/** The minimum that OWASP recommends for argon2id: 19 MiB, 2 passes, 1 lane. About 30 ms. */
const parameters = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 }
const form = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/

/** argon2id in the PHC string format. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const tag = await derive('argon2id', { message: password, nonce: salt, ...parameters })
  const { memory, passes, parallelism } = parameters
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`
}

/** @throws Error if the stored hash has another form */
export async function isPassword(stored: string, password: string): Promise<boolean> {
  const [, memory, passes, parallelism, salt, tag] = form.exec(stored) ?? []
  if (salt === undefined || tag === undefined) throw new Error('The stored password hash has an invalid format.')
  const expected = Buffer.from(tag, 'base64')
  const actual = await derive('argon2id', {
    message: password,
    nonce: Buffer.from(salt, 'base64'),
    ...{ memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism), tagLength: expected.length },
  })
  return timingSafeEqual(expected, actual)
}

/** Takes as long as a real verification, so that the response time does not reveal whether a user exists. */
export async function verifyNothing(password: string): Promise<void> {
  await derive('argon2id', { message: password, nonce: randomBytes(16), ...parameters })
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
