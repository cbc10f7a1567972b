import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { upstreamNames } from '@clicktally/system/parts.ts'
import { expect, test } from 'vitest'
import { cloneDir } from '../files/local-folder.ts'
import { renderTemplate, templateValues } from '../servers/nginx.ts'
import { defaultNginxSettings } from '../servers/nginx-settings.ts'

test('placeholders are replaced, and variables of nginx stay', () => {
  const template = `listen \${NGINX_LISTEN};\nproxy_set_header Host $host;\nreturn 302 \${NGINX_LISTEN}$uri;`
  expect(renderTemplate(template, { NGINX_LISTEN: '127.0.0.1:8080' })).toBe(
    'listen 127.0.0.1:8080;\nproxy_set_header Host $host;\nreturn 302 127.0.0.1:8080$uri;',
  )
})

test('a value may contain replacement patterns of String.replace', () => {
  expect(renderTemplate(`\${NGINX_RUN_DIR}/x`, { NGINX_RUN_DIR: '/tmp/$&/$1' })).toBe('/tmp/$&/$1/x')
})

test('a placeholder without a value is an error that names it', () => {
  expect(() => renderTemplate(`\${NGINX_NEW}`, {})).toThrow(/NGINX_NEW/)
})

test('the template has no placeholder that the local run does not set', () => {
  const template = readFileSync(join(cloneDir, 'infra/nginx/nginx.conf.template'), 'utf8')
  const upstreams = Object.fromEntries(upstreamNames.map((name) => [name, [2]]))
  const build = { version: 1_022_001, hasTls: true, hasHttp2: true, hasHttp3: false }
  const values = templateValues({ dir: 'nginx', upstreams, settings: defaultNginxSettings, internalPort: 1, build })
  expect(renderTemplate(template, values)).not.toContain('${')
})
