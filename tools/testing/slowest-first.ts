import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Tests that start whole systems and take minutes. If they were started last, one worker would be busy while the others are idle. */
const slow = /\/test\/faults\/|\/test\/e2e\/|\/tools\/bench\//

/** Starts slow test files first. vitest itself knows their durations only after a first run. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isSlow = ({ moduleId }: TestSpecification) => slow.test(moduleId)
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))]
  }
}
