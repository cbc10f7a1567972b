import { randomBytes } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CountryFile } from '../attributes/country-file.ts'
import { countryFileContent } from './country-file-content.ts'

/** A country file that does not exist yet, and the lines that it logs. */
async function createFile() {
  const dir = await mkdtemp(join(tmpdir(), 'country-'))
  const lines: { level: number; msg: string }[] = []
  const path = join(dir, 'countries.mmdb')
  const countries = new CountryFile(path, pino({}, { write: (line) => lines.push(JSON.parse(line)) }))
  onTestFinished(async () => {
    countries.close()
    await rm(dir, { recursive: true })
  })
  const replace = async (content: Buffer) => {
    await writeFile(`${path}.new`, content)
    await rename(`${path}.new`, path)
    await countries.refresh()
  }
  return { countries, replace, lines }
}

const bits = (...bytes: number[]) => bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('')
const germany = { country: { iso_code: 'DE' } }

describe('a country file', () => {
  test('gives the countries of IPv4 and IPv6 addresses, in the forms of its publishers', async () => {
    const { countries, replace } = await createFile()
    await replace(
      countryFileContent(6, {
        [bits(0x20, 0x01, 0x0d, 0xb8)]: germany,
        // IPv4 addresses are the last 32 of 128 bits.
        [bits(...Array(12).fill(0), 192, 0, 2)]: { country: 'FR' },
        [bits(...Array(12).fill(0), 198, 51, 100)]: { country_code: 'jp' },
        [bits(...Array(12).fill(0), 203, 0, 113)]: { continent: { code: 'AN' } },
      }),
    )
    const found = ['2001:db8::1', '192.0.2.7', '198.51.100.1', '203.0.113.1', '8.8.8.8', '2001:db9::1']
    expect(found.map((address) => countries.countryOf(address))).toEqual([
      'DE',
      'FR',
      'JP',
      undefined,
      undefined,
      undefined,
    ])
    // The second time from decoded records.
    expect(countries.countryOf('2001:db8::2')).toBe('DE')
  })

  test('of IPv4 addresses gives no country of IPv6 addresses', async () => {
    const { countries, replace } = await createFile()
    await replace(countryFileContent(4, { [bits(32)]: germany }))
    expect([countries.countryOf('32.1.2.3'), countries.countryOf('2001:db8::1')]).toEqual(['DE', undefined])
  })

  test('is read again when it is replaced; one that cannot be read does not replace the last', async () => {
    const { countries, replace, lines } = await createFile()
    await countries.open()
    expect(countries.countryOf('192.0.2.1')).toBeUndefined()
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([[50, 'the country file cannot be read']])
    const content = countryFileContent(4, { [bits(192)]: germany })
    await replace(content)
    expect(countries.countryOf('192.0.2.1')).toBe('DE')
    await replace(content.subarray(0, content.length - 20))
    await countries.refresh()
    expect(countries.countryOf('192.0.2.1')).toBe('DE')
    expect(lines.map(({ level }) => level)).toEqual([50, 30, 50])
    await replace(countryFileContent(4, { [bits(192)]: { country: { iso_code: 'AT' } } }))
    expect(countries.countryOf('192.0.2.1')).toBe('AT')
  })

  test('that is damaged never makes a click fail', async () => {
    const { countries, replace } = await createFile()
    const content = countryFileContent(4, { [bits(192)]: germany, [bits(10, 0)]: germany })
    for (let round = 0; round < 200; round += 1) {
      const damaged = Buffer.from(content)
      const [at = 0, byte = 0] = randomBytes(2)
      damaged[at % (content.length - 200 > 0 ? content.length - 200 : content.length)] = byte
      await replace(damaged)
      for (const address of ['192.0.2.1', '10.0.0.1', '1.1.1.1']) {
        expect(countries.countryOf(address) ?? 'DE').toMatch(/^[A-Z]{2}$/)
      }
    }
  })
})
