import type { ServiceProblem } from '@clicktally/http/service-problem.ts'
import type { FastifyRequest } from 'fastify'
import { problem } from '../errors.ts'

interface Violation {
  readonly instancePath: string
  readonly message: string
  readonly params?: {
    readonly additionalProperties?: string[]
    readonly requiredProperties?: string[]
  }
}

/** Converts a Fastify validation error to a problem that names the parameter, what was sent and what is accepted. */
export function parameterProblem(error: unknown, request: FastifyRequest): ServiceProblem | undefined {
  const { validation } = error as { validation?: Violation[] }
  const [first] = validation ?? []
  if (validation === undefined || first === undefined) return undefined
  const params: NonNullable<Violation['params']> = Object.assign({}, ...validation.map((each) => each.params))
  const [unknown] = params.additionalProperties ?? []
  if (unknown !== undefined) {
    const name = unknown.slice(0, 64)
    return problem('parameter_unknown', `There is no parameter "${name}" here. ${known(request)}`, name, error)
  }
  const [missing] = params.requiredProperties ?? []
  const field = missing ?? first.instancePath.slice(1)
  const { enum: allowed } = parametersOf(request)[field] ?? {}
  const taken = allowed === undefined ? first.message : `must be ${allowed.join(', ')}`
  const sent = (request.query as Record<string, unknown>)[field]
  // A list of values is not shown.
  const isPlain = sent !== undefined && typeof sent !== 'object'
  const detail =
    missing !== undefined
      ? `"${field}" is required${allowed === undefined ? '' : ` and ${taken}`}.`
      : `"${field}" ${taken}${isPlain ? `, and not "${String(sent).slice(0, 64)}"` : ''}.`
  return problem('parameter_invalid', detail, field, error)
}

function known(request: FastifyRequest): string {
  const names = Object.keys(parametersOf(request))
  return names.length === 0 ? 'This path has no parameters.' : `Known parameters: ${names.join(', ')}.`
}

function parametersOf({ routeOptions }: FastifyRequest): Readonly<Record<string, { readonly enum?: unknown[] }>> {
  const { querystring } = (routeOptions.schema ?? {}) as { querystring?: { properties?: object } }
  return { ...querystring?.properties }
}
