// Random SessionManagerRoles, and the calls that the SSM agent makes for each. From a seed: the same seed, the same specs.

/** A small generator of numbers (mulberry32), as Math.random takes no seed. */
export function random (seed) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6D2B79F5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = limit => Math.floor(next() * limit)
  return {
    below,
    one: list => list[below(list.length)],
    /** In so many of a hundred cases. */
    often: percent => below(100) < percent,
    text: (letters, length) => Array.from({ length }, () => letters[below(letters.length)]).join(''),
  }
}

export const account = '111122223333'
export const otherAccount = '444455556666'

export const partitions = {
  aws: { regions: ['eu-central-1', 'us-east-1', 'ap-southeast-2'], suffix: 'amazonaws.com' },
  'aws-cn': { regions: ['cn-north-1', 'cn-northwest-1'], suffix: 'amazonaws.com.cn' },
  'aws-us-gov': { regions: ['us-gov-west-1', 'us-gov-east-1'], suffix: 'amazonaws.com' },
  'aws-eusc': { regions: ['eusc-de-east-1'], suffix: 'amazonaws.eu' },
}

const hex = '0123456789abcdef'
const lower = 'abcdefghijklmnopqrstuvwxyz0123456789'

function keyArn (rng, partition, region) {
  const uuid = [8, 4, 4, 4, 12].map(length => rng.text(hex, length)).join('-')
  const id = rng.often(20) ? `mrk-${rng.text(hex, 32)}` : uuid
  return `arn:${partition}:kms:${region}:${rng.one([account, account, otherAccount])}:key/${id}`
}

function s3 (rng, partition, region) {
  const logs = { bucket: `${rng.text(lower, 1)}${rng.text(`${lower}-.`, 1)}${rng.text(lower, rng.below(12) + 2)}` }
  if (rng.often(60)) logs.keyPrefix = rng.one(['logs', 'logs/production', '/web/', 'a b/c', 'team=web/x!', `it's $5%/"x"`, rng.text(`${lower}/_-.`, 9).replace(/^\/+|\/+$/g, '') || 'p'])
  if (rng.often(40)) logs.bucketOwnerAccountId = rng.one([otherAccount, account])
  const encryption = rng.one([undefined, 'Unspecified', 'S3Managed', 'KMS', 'KMS'])
  if (encryption) logs.encryption = encryption
  if (encryption === 'KMS') logs.kmsKeyArn = keyArn(rng, partition, region)
  return logs
}

/** A spec of any kind that the API takes, with the region that its node is in. */
export function makeCase (rng, number) {
  const partition = rng.one(Object.keys(partitions))
  const region = rng.one(partitions[partition].regions)
  const spec = {}
  if (rng.often(30)) spec.principal = 'HybridActivation'
  else if (rng.often(30)) spec.principal = 'EC2'
  if (rng.often(50)) {
    spec.sessionEncryption = { kmsKeyArn: keyArn(rng, partition, region) }
    if (rng.often(50)) spec.sessionEncryption.sessionsOnly = rng.often(70)
  }
  const logs = {}
  if (rng.often(65)) logs.s3 = s3(rng, partition, region)
  if (rng.often(50)) logs.cloudWatch = rng.often(50) ? {} : { logGroupName: rng.one(['/ssm/sessions', 'sessions', 'a.b#c_d-e', `/x/${rng.text(`${lower}/_.#-`, 8)}`]) }
  if (Object.keys(logs).length > 0) spec.sessionLogs = logs
  return { name: `case-${number}`, partition, region, spec }
}

/** Specs for which the operator lists the same kinds of things, a few at a time: one boundary does for them. */
export function groups (cases, size) {
  const kinds = new Map()
  for (const one of cases) {
    const { buckets, logGroups, keys } = listsOf(one)
    const kind = JSON.stringify([one.partition, one.spec.principal === 'HybridActivation', !buckets, !logGroups, !keys])
    kinds.set(kind, [...kinds.get(kind) ?? [], one])
  }
  const chunks = all => Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))
  return [...kinds.values()].flatMap(chunks)
}

/** What the operator would list for the boundary, so that a spec works under it; undefined where no list is known. */
function listsOf ({ spec }) {
  const { s3, cloudWatch } = spec.sessionLogs ?? {}
  const prefix = s3?.keyPrefix?.replace(/^\/+|\/+$/g, '')
  const keys = [spec.sessionEncryption?.kmsKeyArn, s3?.kmsKeyArn].filter(Boolean)
  return {
    buckets: s3 && [prefix ? `${s3.bucket}/${prefix}` : s3.bucket],
    logGroups: cloudWatch?.logGroupName && [cloudWatch.logGroupName],
    // The bucket may encrypt with who knows which key.
    keys: s3 && (s3.encryption ?? 'Unspecified') === 'Unspecified' ? undefined : keys,
  }
}

/** The flags that list what a group of specs needs. */
export function flagsOf (group) {
  const lists = group.map(listsOf)
  const all = (flag, of) => lists.flatMap(of).filter(Boolean).flatMap(value => [flag, value])
  return {
    buckets: all('--log-bucket', ({ buckets }) => buckets),
    logGroups: all('--log-group', ({ logGroups }) => logGroups),
    keys: all('--kms-key-arn', ({ keys }) => keys),
  }
}

const sessionId = { 'kms:EncryptionContext:aws:ssm:SessionId': 'user-0a1b2c3d4e5f67890' }

/** What the agent asks of S3 and, through it, of KMS. */
function callsForS3 ({ partition, region, spec }, organization) {
  const logs = spec.sessionLogs?.s3
  if (!logs) return []
  const owner = logs.bucketOwnerAccountId ?? account
  const prefix = (logs.keyPrefix ?? '').replace(/^\/+|\/+$/g, '')
  const bucket = `arn:${partition}:s3:::${logs.bucket}`
  const object = `${bucket}/${prefix && `${prefix}/`}user-0a1b2c3d4e5f67890.log`
  const of = { 'aws:ResourceAccount': owner, ...(organization && { 'aws:ResourceOrgID': organization }) }
  const key = logs.kmsKeyArn ?? `arn:${partition}:kms:${region}:${owner}:key/0f0e0d0c-0b0a-4908-8706-050403020100`
  const through = { 'kms:ViaService': `s3.${region}.${partitions[partition].suffix}` }
  return [
    ['s3:GetEncryptionConfiguration', bucket, of],
    ['s3:PutObject', object, { ...of, 's3:x-amz-acl': 'bucket-owner-full-control' }],
    ['s3:PutObjectAcl', object, { ...of, 's3:x-amz-acl': 'bucket-owner-full-control' }],
    ['kms:GenerateDataKey', key, through],
    ['kms:Decrypt', key, through],
  ]
}

/** Everything that the agent asks AWS for while it works for this spec. */
export function callsOf (one, organization) {
  const { partition, region, spec } = one
  const hybrid = spec.principal === 'HybridActivation'
  const node = hybrid ? `arn:${partition}:ssm:${region}:${account}:managed-instance/mi-0123456789abcdef0` : `arn:${partition}:ec2:${region}:${account}:instance/i-0123456789abcdef0`
  const calls = [['ssm:UpdateInstanceInformation', node, {}]]
  for (const channel of ['CreateControlChannel', 'CreateDataChannel', 'OpenControlChannel', 'OpenDataChannel']) calls.push([`ssmmessages:${channel}`, '*', {}])
  const { kmsKeyArn } = spec.sessionEncryption ?? {}
  if (kmsKeyArn) calls.push(['kms:Decrypt', kmsKeyArn, sessionId])
  calls.push(...callsForS3(one, organization))
  if (spec.sessionLogs?.cloudWatch) {
    const group = `arn:${partition}:logs:${region}:${account}:log-group:${spec.sessionLogs.cloudWatch.logGroupName ?? '/any/group'}`
    calls.push(['logs:DescribeLogGroups', '*', {}], ['logs:DescribeLogStreams', `${group}:log-stream:`, {}], ['logs:CreateLogStream', `${group}:log-stream:s`, {}], ['logs:PutLogEvents', `${group}:log-stream:s`, {}])
  }
  // EC2 puts the instance into the credentials that it hands out.
  return calls.map(([action, resource, context]) => ({ action, resource, context: hybrid ? context : { ...context, 'ec2:SourceInstanceARN': node } }))
}
