import { formatCount } from '@clicktally/terminal/progress.ts'
import { startOfText } from '@clicktally/text-file/line.ts'
import { formatMoment } from '../moment.ts'
import type { Checkpoint, FileCheckpoint } from './checkpoint.ts'
import { type FileIdentity, type ImportInput, isStill } from './import-input.ts'
import { ImportTally } from './import-tally.ts'

/** The state in which an import begins. */
export interface ImportStart {
  readonly files: FileCheckpoint[]
  readonly tally: ImportTally
  /** The file of rejected lines that was written before. */
  readonly rejects: Checkpoint['rejects']
}

/**
 * Where to begin: where the import was interrupted, if the files are unchanged or longer, else at the beginning.
 *
 * @param tell shows a line to the person if an import continues or starts over
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
          'Lines at the same position are not counted again.',
      )
      return fresh
    }
    files.push(goingOn(before, now))
  }
  const index = files.findIndex(({ isDone }) => !isDone)
  const { lines } = files[index]?.position ?? startOfText
  const place = index === -1 ? 'at its end' : `at line ${formatCount(lines + 1)} of ${inputs[index]?.name}`
  tell(`Continues ${place}, where it stopped on ${formatMoment(new Date(checkpoint.savedAt))}. --restart starts over.`)
  return { files, tally: new ImportTally(checkpoint.tally), rejects: checkpoint.rejects }
}

function beginning(identity: FileIdentity): FileCheckpoint {
  return { identity, position: startOfText, isDone: false }
}

function goingOn({ identity, position, isDone }: FileCheckpoint, now: FileIdentity): FileCheckpoint {
  // The end of a file may have been in the middle of a line: if the file has grown, it is read again from the beginning.
  if (isDone && now.sizeBytes > identity.sizeBytes) return beginning(now)
  return { identity: now, position, isDone }
}
