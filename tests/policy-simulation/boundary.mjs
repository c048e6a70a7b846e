// The boundary takes nothing away: whatever the SSM agent may do by the policy that the program writes for a spec, it may
// do under the boundary that `smr controller-policy` prints for the same account, buckets, log groups and keys. Over
// random specs, by both evaluators. And what no spec needs stays denied, though the role's own policy is *:*.
//
//   node boundary.mjs SMR IAM-EMULATOR     SEED=n takes other specs, SPECS=n more of them

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tally, everything, judges } from './judges.mjs'
import { account, callsOf, flagsOf, groups, makeCase, otherAccount, partitions, random } from './specs.mjs'

const [smr, emulator] = process.argv.slice(2)
const seed = Number(process.env.SEED ?? 20260926)
const count = Number(process.env.SPECS ?? 300)
const organization = 'o-a1b2c3d4e5'
const { judge, asked, stop } = judges(emulator)
const tally = new Tally()

const run = (...flags) => execFileSync(smr, flags, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 26 })

/** The policies that the program writes: all specs of a partition in one file. */
function render (cases, partition) {
  if (cases.length === 0) return []
  const folder = mkdtempSync(join(tmpdir(), 'specs-'))
  try {
    const file = join(folder, 'roles.yaml')
    const objects = cases.map(({ name, spec }) => ({ apiVersion: 'sessionmanager.dev/v1alpha1', kind: 'SessionManagerRole', metadata: { name }, spec }))
    writeFileSync(file, objects.map(object => `---\n${JSON.stringify(object)}\n`).join(''))
    const printed = run('render', '-f', file, '--account-id', account, '--partition', partition)
    return new Map(printed.split(/^(?=\{$)/m).map(text => JSON.parse(text)).map(one => [one.name, one.policyDocument]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const boundaries = new Map()
function boundaryFor (partition, flags) {
  const all = ['controller-policy', '--document', 'boundary', '--account-id', account, '--partition', partition, '--cluster-name', 'test', ...flags]
  const key = all.join(' ')
  if (!boundaries.has(key)) boundaries.set(key, JSON.parse(run(...all)))
  return boundaries.get(key)
}

/** The boundaries that an operator may have made for some specs, and in whose buckets logs may lie under each. */
function choices (group, rng) {
  const { buckets, logGroups, keys } = flagsOf(group)
  const hybrid = group[0].spec.principal === 'HybridActivation'
  const own = ({ context }) => (context['aws:ResourceAccount'] ?? account) === account
  const any = () => true
  const listed = [...buckets, ...logGroups, ...keys]
  if (rng.often(30)) listed.push('--org-id', organization)
  if (!hybrid && rng.often(50)) listed.push('--ec2-only')
  const unlisted = [
    { flags: [], fits: own },
    { flags: ['--org-id', organization], fits: any },
    ...(hybrid ? [] : [{ flags: ['--ec2-only'], fits: own }]),
  ]
  return { unlisted, listed: { flags: listed, fits: buckets.length > 0 || listed.includes('--org-id') ? any : own } }
}

const isObject = action => /^s3:PutObject/.test(action)
const principalOf = ({ partition }) => `arn:${partition}:iam::${account}:role/session-manager/default.web`
const needed = new Map()

/** Everything that a spec's own policy allows is allowed under each boundary. */
async function judgeSpec (one, policy, all) {
  const principal = principalOf(one)
  for (const call of callsOf(one, organization)) {
    const alone = await judge({ principal, policies: [policy], ...call })
    const told = `${one.name} (seed ${seed}), ${call.action} on ${call.resource} ${JSON.stringify(call.context)}`
    if (alone.disagreement) tally.fail(`${told}: ${alone.disagreement}`)
    if (!alone.allowed) continue
    needed.set(call.action, (needed.get(call.action) ?? 0) + 1)
    for (const { flags, fits } of all.filter(({ fits }) => !isObject(call.action) || fits(call))) {
      const boundary = boundaryFor(one.partition, flags)
      tally.expect(await judge({ principal, policies: [policy], boundary, ...call }), true, `under the boundary ${flags.join(' ') || 'of no flags'}: ${told}, spec ${JSON.stringify(one.spec)}`)
    }
  }
}

/** What lies outside a group of specs: flags of a boundary, and a request that a role with *:* makes. */
function outside (group) {
  const [one] = group
  const { partition, region } = one
  const { buckets, logGroups, keys } = flagsOf(group)
  const listed = [...buckets, ...logGroups, ...keys]
  const object = (name, owner = account) => ({ action: 's3:PutObject', resource: `arn:${partition}:s3:::${name}`, context: { 'aws:ResourceAccount': owner } })
  const keyArn = `arn:${partition}:kms:${region}:${account}:key/0f0e0d0c-0b0a-4908-8706-050403020100`
  const decrypt = (resource, context = {}) => ({ action: 'kms:Decrypt', resource, context })
  const through = service => ({ 'kms:ViaService': `${service}.${region}.${partitions[partition].suffix}` })
  const foreign = object('terraform-state/prod.tfstate', otherAccount)
  const all = [[[], foreign], [['--org-id', organization], foreign], [[], decrypt(keyArn)], [listed, decrypt(keys[1] ?? keyArn)], [listed, decrypt(keys[1] ?? keyArn, through('ssm'))]]
  if (keys.length > 0) all.push([listed, decrypt(keyArn, through('s3'))])
  if (logGroups.length > 0) all.push([listed, { action: 'logs:PutLogEvents', resource: `arn:${partition}:logs:${region}:${account}:log-group:${logGroups[1]}2:log-stream:s`, context: {} }])
  for (const name of buckets.filter(flag => flag !== '--log-bucket')) {
    all.push([listed, object('terraform-state/prod.tfstate')], [listed, object(`${name.replace(/\/|$/, 'x/')}y`)])
    if (name.includes('/')) all.push([listed, object(`${name}x/y`)])
  }
  // A stranger whom the trust policy lets in has the agent's requests, but not the instance's credentials.
  for (const { context: { 'ec2:SourceInstanceARN': _, ...context }, ...call } of callsOf(one, organization)) all.push([['--ec2-only'], { ...call, context }])
  return all
}

async function judgeOutside (group) {
  const [one] = group
  for (const [flags, request] of outside(group)) {
    const boundary = boundaryFor(one.partition, flags)
    const verdict = await judge({ principal: principalOf(one), policies: [everything], boundary, ...request })
    tally.expect(verdict, false, `with *:* under the boundary ${flags.join(' ') || 'of no flags'} (${one.name}, seed ${seed}): ${request.action} on ${request.resource} ${JSON.stringify(request.context)}`)
  }
}

const rng = random(seed)
const cases = Array.from({ length: count }, (_, number) => makeCase(rng, number))
const policies = new Map(Object.keys(partitions).flatMap(partition => [...render(cases.filter(one => one.partition === partition), partition)]))
for (const group of groups(cases, 6)) {
  const { unlisted, listed } = choices(group, rng)
  for (const one of group) await judgeSpec(one, policies.get(one.name), [listed, rng.one(unlisted)])
  await judgeOutside(group)
}
// A property over calls that no spec allows would hold of itself.
for (const action of ['ssm:UpdateInstanceInformation', 'ssmmessages:OpenDataChannel', 'kms:Decrypt', 'kms:GenerateDataKey', 's3:PutObject', 's3:PutObjectAcl', 's3:GetEncryptionConfiguration', 'logs:PutLogEvents', 'logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:DescribeLogGroups']) {
  if (!needed.has(action)) tally.fail(`no spec needs ${action}: take more specs or another seed`)
}
stop()
console.log(`${cases.length} random specs (SEED=${seed}) under ${boundaries.size} boundaries, ${asked()} requests by two evaluators`)
process.exit(tally.end())
