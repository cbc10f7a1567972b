import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type FirstKeys, readFirstKeys } from '@clicktally/keys/first-keys.ts'

/** The first keys, the first time that they are asked for; undefined after that. */
export function takeFirstKeys(operatorDir: string): FirstKeys | undefined {
  const shown = join(operatorDir, 'first-keys-were-shown')
  if (existsSync(shown)) return undefined
  const keys = readFirstKeys(operatorDir)
  writeFileSync(shown, '')
  return keys
}
