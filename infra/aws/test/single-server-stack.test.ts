import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { Match, Template } from 'aws-cdk-lib/assertions'
import type { Stack } from 'aws-cdk-lib/core'
import { createApp } from '../app.ts'

const context = { stack: 'ClicktallySingleServer', domain: 'counts.example.org', version: 'v1.2.3' }
const template = Template.fromStack(createApp({ context }).node.findChild('ClicktallySingleServer') as Stack)

function userData(): string {
  const [instance] = Object.values(template.findResources('AWS::EC2::Instance'))
  return instance?.Properties.UserData['Fn::Base64']
}

test('one machine, open for HTTP and HTTPS only, with an encrypted disk and backups', () => {
  template.resourceCountIs('AWS::EC2::Instance', 1)
  const [group] = Object.values(template.findResources('AWS::EC2::SecurityGroup'))
  const ports = group?.Properties.SecurityGroupIngress.map(({ FromPort }: { FromPort: number }) => FromPort)
  assert.deepEqual(ports, [80, 443, 443])
  template.hasResourceProperties('AWS::EC2::Instance', {
    BlockDeviceMappings: [{ Ebs: Match.objectLike({ Encrypted: true }) }],
  })
  template.resourceCountIs('AWS::Backup::BackupPlan', 1)
})

test('the machine runs the version that was asked for, with a certificate for the domain', () => {
  const script = userData()
  assert.match(script, /--branch 'v1\.2\.3'/)
  assert.match(script, /CLICKTALLY_HOSTS=counts\.example\.org/)
  assert.doesNotMatch(script, /@[A-Z]+@/)
  assert.equal(spawnSync('bash', ['-n'], { input: script }).status, 0)
})
