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

test('no later deployment replaces the machine: its image is a parameter that keeps its value', () => {
  const types = Object.values(template.findParameters('*')).map(({ Type }) => Type)
  assert.ok(!types.includes('AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>'), types.join(', '))
  template.hasParameter('Image', { Type: 'AWS::EC2::Image::Id' })
  template.hasResourceProperties('AWS::EC2::Instance', { ImageId: { Ref: 'Image' } })
})

test('the data is on an encrypted volume of its own, which outlives machine and stack', () => {
  template.hasResource('AWS::EC2::Volume', {
    DeletionPolicy: 'Retain',
    UpdateReplacePolicy: 'Retain',
    Properties: { Encrypted: true, Size: 100 },
  })
  const [volume] = Object.keys(template.findResources('AWS::EC2::Volume'))
  const [instance] = Object.keys(template.findResources('AWS::EC2::Instance'))
  template.hasResourceProperties('AWS::EC2::VolumeAttachment', {
    VolumeId: { Ref: volume },
    InstanceId: { Ref: instance },
    Device: '/dev/sdf',
  })
  // The address goes to a machine that has the data.
  const [attachment = ''] = Object.keys(template.findResources('AWS::EC2::VolumeAttachment'))
  template.hasResource('AWS::EC2::EIP', { DependsOn: [attachment] })
  const script = userData()
  const lines = [
    "[ -b '/dev/sdf' ]\n",
    'mkfs.xfs -L clicktally',
    'mount /var/lib/docker/volumes',
    'enable --now docker',
  ]
  const places = lines.map((line) => script.indexOf(line))
  assert.ok(!places.includes(-1), places.join())
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  )
  // Without the disk, at any later start too.
  assert.match(script, /RequiresMountsFor=\/var\/lib\/docker\/volumes/)
})

test('the machine runs the version that was asked for, with a certificate for the domain', () => {
  const script = userData()
  assert.match(script, /--branch 'v1\.2\.3'/)
  assert.match(script, /CLICKTALLY_HOSTS=counts\.example\.org/)
  assert.doesNotMatch(script, /@[A-Z]+@/)
  assert.equal(spawnSync('bash', ['-n'], { input: script }).status, 0)
})
