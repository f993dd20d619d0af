import type { NodeInit, SeedInit } from '#node'
import type { ControlReach } from '#contracts'
import { DidError, parseDid } from '#did'
import type { CliContext, CommandInput } from './context.ts'
import { CliError } from './errors.ts'
import { choiceOption, listOption, rateOption, switchOption, textOption } from './input.ts'
import { printNotice } from './output.ts'

/** The options of `node start` as the node takes them. @throws CliError ERR_USAGE */
export async function readNodeInit(input: CommandInput, context: CliContext): Promise<NodeInit> {
  const reach = choiceOption(input, 'reach', ['local', 'lan', 'public'])
  const discover = choiceOption(input, 'discover', ['ipfs', 'off'])
  const ipfs = switchOption(input, 'ipfs') ? 'wan' : choiceOption(input, 'ipfs', ['wan', 'lan'])
  const shell = choiceOption(input, 'shell', ['prompt', 'auto'])
  const listen = listOption(input, 'listen')
  const bootstrap = listOption(input, 'bootstrap')
  const ipfsBootstrap = listOption(input, 'ipfsBootstrap')
  const uploadMax = rateOption(input, 'uploadMax', '--upload-max')
  const downloadMax = rateOption(input, 'downloadMax', '--download-max')
  const guest = textOption(input, 'guest')
  const passphrase = context.environment['ELASTOS_PASSPHRASE']
  return {
    dataFolder: context.dataFolder,
    ...(reach === undefined ? {} : { reach: reach satisfies ControlReach }),
    ...(discover === undefined ? {} : { discover }),
    ...(ipfs === undefined ? {} : { ipfs }),
    ...(shell === undefined ? {} : { shell }),
    ...(switchOption(input, 'acceptOlderFiles') ? { acceptsOlderFiles: true } : {}),
    ...(listen.length === 0 ? {} : { listen }),
    ...(bootstrap.length === 0 ? {} : { bootstrap }),
    ...(ipfsBootstrap.length === 0 ? {} : { ipfsBootstrap }),
    ...(uploadMax === undefined ? {} : { uploadMax }),
    ...(downloadMax === undefined ? {} : { downloadMax }),
    ...(guest === undefined ? {} : { guest: await readGuestTarget(guest) }),
    ...(input.options['mdns'] === false ? { mdns: false } : {}),
    ...(input.options['routing'] === false ? { routing: false } : {}),
    ...(passphrase === undefined ? {} : { passphrase }),
    askPassphrase: async () => await askToUnlock(context),
    ...(context.stdinIsTerminal ? { askDiscover: async () => await askDiscover(context) } : {}),
    confirmSeed: async ({ url, did }) => await confirmSeed(context, url, did),
    signal: context.signal
  } satisfies NodeInit
}

/** The options of `seed start` beyond those of a node. @throws CliError ERR_USAGE */
export function readSeedInit(input: CommandInput): SeedInit {
  const http = textOption(input, 'http')
  const metricsPort = textOption(input, 'metricsPort')
  const announce = listOption(input, 'announce')
  const isDevelopment = switchOption(input, 'dev')
  return {
    isDevelopment,
    // Several are tried out on one machine: none of them is in the way of another, or of a real one.
    ...(isDevelopment ? { httpPort: 0, metricsPort: 0 } : {}),
    ...(announce.length === 0 ? {} : { announce }),
    ...(http === undefined ? {} : readHostAndPort(http)),
    ...(metricsPort === undefined ? {} : { metricsPort: readPort(metricsPort, '--metrics-port') })
  }
}

async function askDiscover(context: CliContext): Promise<boolean> {
  await printNotice(
    context,
    'Peers can also be met through the public IPFS DHT, with no seed of anybody: it then sees your address.'
  )
  const answer = await context.ask('Do that? Asked once, --discover changes it. [y/N] ')
  return answer?.trim().toLowerCase() === 'y'
}

async function askToUnlock(context: CliContext): Promise<string | undefined> {
  if (context.stdinIsTerminal) return await context.ask('Passphrase of the keys: ', { secret: true })
  throw new DidError(
    'ERR_KEYSTORE_LOCKED',
    'the device key is locked: start the node in a terminal, or with the passphrase in ELASTOS_PASSPHRASE'
  )
}

async function confirmSeed(context: CliContext, url: string, did: string): Promise<boolean> {
  if (!context.stdinIsTerminal) {
    await printNotice(context, `the seed at ${url} is ${did}; pin it: --bootstrap '${url}#${did}'`)
    return false
  }
  await printNotice(context, `the seed at ${url} says it is ${did}`)
  const answer = await context.ask('Use it and remember it? [y/N] ')
  return answer?.trim().toLowerCase() === 'y'
}

async function readGuestTarget(text: string): Promise<string> {
  try {
    if (text.startsWith('did:')) return parseDid(text)
    const { CID } = await import('multiformats/cid')
    const { capsuleReference } = await import('#capsule-host')
    if (capsuleReference(CID.parse(text)) === 'signed') return text
  } catch {
    // said below, with what would do
  }
  throw new CliError(
    'ERR_USAGE',
    `expected --guest with a did or the CID of a signed guest, got ${text.slice(0, 80)}`
  )
}

function readHostAndPort(text: string): { httpHost: string; httpPort: number } {
  const colon = text.lastIndexOf(':')
  const host = text.slice(0, Math.max(0, colon)).replace(/^\[(.*)\]$/, '$1')
  if (host === '') throw new CliError('ERR_USAGE', `expected --http HOST:PORT, got ${text.slice(0, 80)}`)
  return { httpHost: host, httpPort: readPort(text.slice(colon + 1), '--http') }
}

function readPort(text: string, option: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw new CliError('ERR_USAGE', `expected ${option} with a port from 0 to 65535, got ${text.slice(0, 40)}`)
}
