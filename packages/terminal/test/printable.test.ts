import { describe, expect, it } from 'vitest'
import { printable, printableLines } from '../printable.ts'
import { StatusLine } from '../status-line.ts'

const hostile = '\u001b[2J\u001b]0;title\u0007\u009b31m\u202e\u2028\r\b'
const interpreted = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

describe('untrusted text', () => {
  it('loses everything that a terminal would interpret, line breaks included', () => {
    expect(printable(`a\n${hostile}b`)).toBe(`a\ufffd\ufffd[2J\ufffd]0;title\ufffd\ufffd31m${'\ufffd'.repeat(4)}b`)
  })

  it('is unchanged if a terminal shows all of it', () => {
    const text = 'ä 料金 👋 "\\u001b" e\u0301'
    expect(printable(text)).toBe(text)
    expect(printableLines(`${text}\n${text}`)).toBe(`${text}\n${text}`)
  })

  it('is made printable by a status line', () => {
    const shown: string[] = []
    const status = new StatusLine({ terminal: undefined, print: (line) => shown.push(line), status: () => '' })
    status.print(`one ${hostile}\ntwo`)
    status.stop()
    expect(shown).toHaveLength(1)
    expect(shown[0]).toMatch(/^one .*\ntwo$/s)
    expect(shown[0]).not.toMatch(interpreted)
  })
})
