// Judges the controller's own IAM policy with two evaluators, one of which is not ours. In: the documents that
// `smr controller-policy` prints, the calls that the controller made in the life-cycle tests, and the attacks; out: what
// should be allowed and is not, or the other way round, and where the evaluators disagree. No network.
//
//   node simulate.mjs CALLS.jsonl SMR IAM-EMULATOR

import { readFileSync } from 'node:fs'
import { judgeAttacks, read } from './attacks.mjs'
import { account, attacked, boundary, cluster, controller, printer, recorded } from './documents.mjs'
import { Tally, judges } from './judges.mjs'
import { unsent } from './keys.mjs'

const [callsFile, smr, emulator] = process.argv.slice(2)
const here = new URL('.', import.meta.url).pathname
const print = printer(smr)
const { judge, stop } = judges(emulator)
const tally = new Tally()

// The actions that AWS sends a role's boundary with.
const withBoundary = /^(CreateRole|DeleteRole|UpdateRole|UpdateAssumeRolePolicy|DeleteRolePolicy|DeleteRolePermissionsBoundary|GetRole|PutRolePolicy|PutRolePermissionsBoundary|AttachRolePolicy|DetachRolePolicy)$/

function context (call, bound) {
  const keys = {}
  for (const [key, value] of Object.entries(call.resourceTags)) keys[`aws:ResourceTag/${key}`] = value
  for (const [key, value] of Object.entries(call.requestTags)) keys[`aws:RequestTag/${key}`] = value
  const tagKeys = [...Object.keys(call.requestTags), ...call.untaggedKeys]
  if (tagKeys.length > 0) keys['aws:TagKeys'] = tagKeys
  const held = bound ?? call.boundary
  if (withBoundary.test(call.action) && held) keys['iam:PermissionsBoundary'] = held
  if (/^(Attach|Detach)RolePolicy$/.test(call.action)) keys['iam:PolicyARN'] = call.policyArn
  if (call.passed) keys['iam:PassedToService'] = 'ec2.amazonaws.com'
  return keys
}

// What AWS authorises besides, for one call.
function authorisations (call) {
  const all = [call]
  const tagged = { CreateRole: 'TagRole', CreatePolicy: 'TagPolicy', CreateInstanceProfile: 'TagInstanceProfile' }[call.action]
  if (tagged) all.push({ ...call, action: tagged })
  if (call.action === 'AddRoleToInstanceProfile') all.push({ ...call, action: 'PassRole', resource: call.role, resourceTags: {}, passed: true })
  return all
}

// Those of a controller by its access key. Namespaces and uids differ from run to run: each kind of request is judged once.
function kindsOf (key) {
  const kinds = new Map()
  const isOurs = call => call.accessKeyId === key && (call.resource === '*' || call.resource.includes(`:${account}:`))
  for (const call of lines.filter(isOurs)) {
    for (const one of authorisations(call)) {
      const shape = JSON.stringify([one.action, Object.keys(one.resourceTags).sort(), Object.keys(one.requestTags).sort(), one.resourceTags[cluster], one.requestTags[cluster], one.untaggedKeys, one.boundary, one.policyArn?.split('/').slice(0, 2), one.resource.split('/').slice(0, 2)])
      if (!kinds.has(shape)) kinds.set(shape, one)
    }
  }
  const actions = new Set([...kinds.values()].map(call => call.action))
  for (const needed of ['CreateRole', 'CreatePolicy', 'CreateInstanceProfile', 'AttachRolePolicy', 'DetachRolePolicy', 'PutRolePolicy', 'DeleteRolePolicy', 'AddRoleToInstanceProfile', 'RemoveRoleFromInstanceProfile', 'UpdateAssumeRolePolicy', 'UpdateRole', 'CreatePolicyVersion', 'DeletePolicyVersion', 'TagRole', 'UntagRole', 'DeleteRole', 'DeletePolicy', 'DeleteInstanceProfile', 'PutRolePermissionsBoundary', 'PassRole']) {
    if (!actions.has(needed)) tally.fail(`the recorded calls of ${key} have no ${needed}: record the end-to-end tests anew`)
  }
  return [...kinds.values()]
}

async function expectCall (call, policy, keys, wanted, by) {
  const request = { action: `iam:${call.action}`, resource: call.resource, context: keys }
  const what = `${by}, ${request.action} on ${call.resource} ${JSON.stringify(keys)}`
  const wrong = unsent(request)
  if (wrong.length > 0) return tally.fail(`${what}: AWS does not send ${wrong.join(', ')}`)
  tally.expect(await judge({ policies: [policy], principal: controller, ...request }), wanted, what)
}

// 1. Every call of the life-cycle tests.
const lines = readFileSync(callsFile, 'utf8').trim().split('\n').map(line => JSON.parse(line))
const seen = kindsOf('AKIACONTROLLER')
const documents = recorded(print)
for (const call of seen) {
  await expectCall(call, documents.unbounded, context(call), true, 'without boundary')
  // With --permissions-boundary-arn the controller gives this boundary and no other.
  await expectCall(call, documents.bounded, context(call, boundary), true, 'with boundary')
  await expectCall(call, documents.readOnly, context(call), /^(Get|List)/.test(call.action), 'read only')
}

// 2. Every call of a controller that was installed with the example overlay, as it stands there, by the policy that the
// page's command writes for it (deploy/iam; 'make test-cloudformation' shows that it does).
const example = JSON.parse(readFileSync(process.env.SMR_EXAMPLE_POLICY, 'utf8'))
for (const call of kindsOf('AKIAEXAMPLE')) await expectCall(call, example, context(call), true, 'by deploy/iam/policy.json')

// 3. Attacks: all of them denied, and each allowed with one value changed.
const attacks = read(`${here}attacks`)
await judgeAttacks(attacks, attacked(print), { judge, tally })

stop()
console.log(`${seen.length} kinds of requests from ${lines.length} recorded calls, ${attacks.length} attacks with their twins, by two evaluators`)
process.exit(tally.end())
