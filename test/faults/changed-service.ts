import { fileURLToPath } from 'node:url'
import type { SupervisedProgram } from '@clicktally/local/processes/supervised-program.ts'

/** Environment variables that load a file of preload/ before the service's own code. */
export function preloading(
  preload: 'clock-shift' | 'crash-after-commit' | 'crash-at-step' | 'crash-on-sight',
  variables: Record<string, string> = {},
): Record<string, string> {
  const path = fileURLToPath(new URL(`preload/${preload}.ts`, import.meta.url))
  return { ...variables, NODE_OPTIONS: `--import ${JSON.stringify(path)}` }
}

/** Calls `act` while a service runs with additional environment variables; restarts it before and after. */
export async function withVariables<Result>(
  service: SupervisedProgram,
  variables: Record<string, string>,
  act: () => Promise<Result>,
): Promise<Result> {
  const { program } = service
  const usual = program.env
  const restart = async (env: NodeJS.ProcessEnv) => {
    await service.stop()
    program.env = env
    await service.start()
  }
  try {
    await restart({ ...usual, ...variables })
    return await act()
  } finally {
    await restart(usual)
  }
}
