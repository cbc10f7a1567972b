import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { KeyRole } from './roles.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const idChars = 12
/** 43 characters from an alphabet of 62 have 256 bits. */
const secretChars = 43
const checksumChars = 6

const letters = { write: 'w', secret: 's', read: 'r', auditor: 'a', owner: 'o' } as const satisfies Record<
  KeyRole,
  string
>
const roles = new Map(Object.entries(letters).map(([role, letter]) => [letter, role as KeyRole]))
const form = new RegExp(
  `^ct_([${[...roles.keys()].join('')}])_([0-9A-Za-z]{${idChars}})_([0-9A-Za-z]{${secretChars}})([0-9A-Za-z]{${checksumChars}})$`,
)

/** The length of a key. Longer texts are not hashed. */
export const maxKeyChars = 3 + 2 + idChars + 1 + secretChars + checksumChars

/** A new key. The text is shown once; only its hash is stored. */
export interface NewKey {
  readonly id: string
  readonly role: KeyRole
  readonly text: string
  readonly hash: string
}

/**
 * Makes a key: `ct_<role>_<id>_<secret><checksum>`. Secret scanners recognize the prefix, people can see the role, lists and
 * logs show the id, and the checksum distinguishes a typing error from an unknown key
 * (https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/).
 */
export function makeKey(role: KeyRole): NewKey {
  const id = randomText(idChars)
  const body = `ct_${letters[role]}_${id}_${randomText(secretChars)}`
  const text = body + checksumOf(body)
  return { id, role, text, hash: hashKey(text) }
}

/** Parses a key. Undefined if the text is not a key, or has a typing error. */
export function parseKey(text: string): { readonly id: string; readonly role: KeyRole } | undefined {
  const [, letter, id] = form.exec(text) ?? []
  if (letter === undefined || id === undefined) return undefined
  const role = roles.get(letter as 'w')
  const body = text.slice(0, -checksumChars)
  return role !== undefined && checksumOf(body) === text.slice(-checksumChars) ? { id, role } : undefined
}

/** SHA-256 in base64url. A key has 256 random bits, so it needs no slow hash; only passwords do. */
export function hashKey(text: string): string {
  return hash('sha256', text, 'base64url')
}

function checksumOf(body: string): string {
  let rest = crc32(body)
  let text = ''
  for (let place = 0; place < checksumChars; place += 1) {
    text = alphabet[rest % 62] + text
    rest = Math.floor(rest / 62)
  }
  return text
}

/** Random characters, each equally likely: bytes from 248 on are skipped. */
function randomText(chars: number): string {
  let text = ''
  while (text.length < chars) {
    for (const byte of randomBytes(chars)) {
      if (byte < 248 && text.length < chars) text += alphabet[byte % 62]
    }
  }
  return text
}
