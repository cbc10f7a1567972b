import { makeKey } from '@clicktally/keys/key-text.ts'
import { describe, expect, test } from 'vitest'
import { credentialOf, invalidKey, requireRight, requireSameOrigin, sessionCookie } from '../credential.ts'

const { text } = makeKey('read')
const token = 'a'.repeat(43)

describe('the credential of a request', () => {
  test.each([
    ['no header', {}, undefined],
    ['a key', { authorization: `Bearer ${text}` }, { kind: 'key', text }],
    ['a scheme in lower case', { authorization: `bearer  ${text} ` }, { kind: 'key', text }],
    ['a session', { cookie: `a=b; ${sessionCookie}=${token}; c=d` }, { kind: 'session', token }],
    [
      'a key beside a session',
      { authorization: `Bearer ${text}`, cookie: `${sessionCookie}=${token}` },
      { kind: 'key', text },
    ],
    ['a cookie of another form', { cookie: `${sessionCookie}=short` }, undefined],
    ['a cookie with a similar name', { cookie: `x${sessionCookie}=${token}` }, undefined],
  ])('%s', (_what, headers, expected) => {
    expect(credentialOf(headers)).toEqual(expected)
  })

  test.each(['Basic dTpw', text, `Bearer ${text} x`, 'Bearer', 'Bearer ü'])('"%s" is refused', (authorization) => {
    expect(() => credentialOf({ authorization })).toThrow(/form/)
  })
})

test('a mistyped key and an unknown key have different codes', () => {
  expect(invalidKey(`${text}x`).problem).toMatchObject({ status: 401, code: 'key_malformed' })
  expect(invalidKey(text).problem).toMatchObject({ status: 401, code: 'key_unknown' })
})

test('a missing right is named', () => {
  expect(() => requireRight('read', 'send')).toThrow(/"read".*"send"/)
  expect(() => requireRight('owner', 'send')).not.toThrow()
})

describe('a change with a session', () => {
  test.each([
    [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://counts.example', host: 'counts.example' }, true],
    [{ origin: 'https://counts.example:8443', host: 'counts.example:8443' }, true],
    [{ 'sec-fetch-site': 'same-site' }, false],
    [{ 'sec-fetch-site': 'cross-site' }, false],
    [{ 'sec-fetch-site': 'none' }, false],
    [{ origin: 'https://evil.example', host: 'counts.example' }, false],
    [{ origin: 'null', host: 'counts.example' }, false],
    [{ host: 'counts.example' }, false],
  ])('from %j', (headers, allowed) => {
    if (allowed) expect(() => requireSameOrigin(headers)).not.toThrow()
    else expect(() => requireSameOrigin(headers)).toThrow(/session/)
  })
})
