import { type Command, Option } from 'commander'
import { addAccessOptions, type GivenAccess } from '../system/http-access.ts'

/** Which clicks a command reads, as Commander collects it. */
export interface TargetOptions extends GivenAccess {
  readonly target?: string[]
  readonly prefix?: string
  readonly project?: string
}

export function addTargetOptions(command: Command): Command {
  command
    .option('--target <target>', 'only this target; repeat it for several', (target: string, others?: string[]) => [
      ...(others ?? []),
      target,
    ])
    .addOption(new Option('--prefix <text>', 'only targets that begin with this text').conflicts('target'))
    .option('--project <name>', 'another project than that of the key; for keys of the roles auditor and owner')
  return addAccessOptions(command)
}

/** The parameters of a query. */
export function targetQuery({ target, prefix, project }: TargetOptions) {
  return { target: target && valueList(target), targetPrefix: prefix, project }
}

/** The list of values as the api reads it: separated by commas. */
export function valueList(values: readonly string[]): string {
  return values.map((each) => each.replace(/[\\,]/g, '\\$&')).join(',')
}
