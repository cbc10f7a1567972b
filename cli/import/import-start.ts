import { formatCount } from '@clicktally/terminal/progress.ts'
import { startOfText } from '@clicktally/text-file/line.ts'
import { formatMoment } from '../moment.ts'
import type { Checkpoint, FileCheckpoint } from './checkpoint.ts'
import { type FileIdentity, type ImportInput, isStill } from './import-input.ts'
import { ImportTally } from './import-tally.ts'

/** Where an import begins. */
export interface ImportStart {
  readonly files: FileCheckpoint[]
  readonly tally: ImportTally
  /** What was written of rejected lines before. */
  readonly rejects: Checkpoint['rejects']
}

/**
 * Where the import was interrupted, if it was, and if the files are still the same ones; else at the beginning.
 *
 * @param tell takes a line for the person where it does not begin at the beginning, or does so again
 */
export async function findStart(
  checkpoint: Checkpoint | undefined,
  inputs: readonly ImportInput[],
  tell: (line: string) => void,
): Promise<ImportStart> {
  const identities = inputs.flatMap(({ file }) => file ?? [])
  const fresh = { files: identities.map(beginning), tally: new ImportTally(), rejects: undefined }
  if (checkpoint === undefined) return fresh
  const files: FileCheckpoint[] = []
  for (const [index, now] of identities.entries()) {
    const before = checkpoint.files[index]
    if (before === undefined || !(await isStill(before.identity, now))) {
      tell(
        `${inputs[index]?.name} has changed since its import was interrupted: it starts over. ` +
          'Lines that are still where they were are not counted again.',
      )
      return fresh
    }
    files.push(goingOn(before, now))
  }
  const index = files.findIndex(({ isDone }) => !isDone)
  const { lines } = files[index]?.position ?? startOfText
  const place = index === -1 ? 'at its end' : `at line ${formatCount(lines + 1)} of ${inputs[index]?.name}`
  tell(`Goes on ${place}, where it stopped on ${formatMoment(new Date(checkpoint.savedAt))}. --restart starts over.`)
  return { files, tally: new ImportTally(checkpoint.tally), rejects: checkpoint.rejects }
}

function beginning(identity: FileIdentity): FileCheckpoint {
  return { identity, position: startOfText, isDone: false }
}

function goingOn({ identity, position, isDone }: FileCheckpoint, now: FileIdentity): FileCheckpoint {
  // A file that was at its end may have ended in the middle of a line: when it has grown it is read anew.
  if (isDone && now.sizeBytes > identity.sizeBytes) return beginning(now)
  return { identity: now, position, isDone }
}
