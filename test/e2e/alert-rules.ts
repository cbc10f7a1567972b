import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { localDir } from '@clicktally/local/files/local-folder.ts'
import { findPrometheus, type PrometheusInstallation } from '@clicktally/local/installation/prometheus-installation.ts'
import { Problem } from '@clicktally/local/problem.ts'
import { parse } from 'yaml'

export const infraDir = join(import.meta.dirname, '../../infra')

export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
}

export function readYaml<Content>(path: string): Content {
  return parse(readFileSync(join(infraDir, path), 'utf8')) as Content
}

export function alertRules(): AlertRule[] {
  const { groups } = readYaml<{ groups: { rules: AlertRule[] }[] }>('prometheus/alert-rules.yml')
  return groups.flatMap(({ rules }) => rules)
}

/** Prometheus and Alertmanager, or why there are none here. */
export async function installedPrometheus(): Promise<PrometheusInstallation | string> {
  try {
    return await findPrometheus({ toolsDir: localDir, onLine: () => {} })
  } catch (error) {
    if (error instanceof Problem) return error.message
    throw error
  }
}
