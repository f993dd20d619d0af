import { attachNamespace, startNamespaceLab } from './namespace-lab.ts'

/**
 * What stands between a host and the internet. `open` is nothing at all; a `full cone` hands everything that comes to
 * one port of its address on; a `restricted` one (by address and port, as home routers do) only what answers, its port
 * the same for every destination; a `symmetric` one takes another port for each destination; with `no inbound` no
 * first packet of a connection comes in, be it called for or not.
 */
export type NatKind = 'open' | 'full cone' | 'restricted' | 'symmetric' | 'no inbound'

/** Every kind there is. */
export const NAT_KINDS: readonly NatKind[] = ['open', 'full cone', 'restricted', 'symmetric', 'no inbound']

/** The hosts of a lab: a seed on the internet, and two hosts behind their NATs. */
export type LabHost = 'seed' | 'a' | 'b'

/** An internet in network namespaces of its own. Disposing it takes it all down. */
export interface NatLab extends AsyncDisposable {
  /** The address of the seed, which everybody reaches. */
  readonly seedAddress: string
  /** What to put before a command line so that it runs on this host. */
  on(host: LabHost): readonly string[]
  /** Pulls the cable of the seed, so that nothing tells anybody that it is gone, or puts it back. */
  cable(state: 'up' | 'down'): Promise<void>
}

/** Addresses that look public to everybody; they exist inside the lab only. */
const NETWORKS: Readonly<Record<LabHost, string>> = { seed: '20.7.0', a: '21.7.0', b: '22.7.0' }
const PRIVATE_NETWORKS: Readonly<Record<'a' | 'b', string>> = { a: '10.1.0', b: '10.2.0' }

/** Lays out the lab. Ask `needs(this, 'namespaces', 'nft')` first. */
export async function startNatLab(kinds: Readonly<Record<'a' | 'b', NatKind>>): Promise<NatLab> {
  const lab = await startNamespaceLab({
    lines: [...attach('seed', 'seed'), ...side('a', kinds.a), ...side('b', kinds.b)],
    links: ['seed wan', kinds.a === 'open' ? 'a wan' : 'a eth0', kinds.b === 'open' ? 'b wan' : 'b eth0']
  })
  return {
    seedAddress: `${NETWORKS.seed}.2`,
    on: (host) => lab.within(host),
    cable: async (state) => {
      await lab.run(`ip link set to-seed ${state}`)
    },
    [Symbol.asyncDispose]: async () => {
      await lab[Symbol.asyncDispose]()
    }
  }
}

/** Connects a namespace to the internet, which is the namespace of the shell. */
function attach(namespace: string, network: LabHost): string[] {
  return attachNamespace({ name: namespace, network: NETWORKS[network], link: `to-${network}` })
}

function side(host: 'a' | 'b', kind: NatKind): string[] {
  if (kind === 'open') return attach(host, host)
  const gateway = `nat-${host}`
  const net = PRIVATE_NETWORKS[host]
  return [
    ...attach(gateway, host),
    `ip netns add ${host}`,
    `ip link add lan netns ${gateway} type veth peer name eth0 netns ${host}`,
    `ip -n ${gateway} addr add ${net}.1/24 dev lan`,
    `ip -n ${gateway} link set lan up`,
    `ip -n ${host} addr add ${net}.2/24 dev eth0`,
    `ip -n ${host} link set eth0 up`,
    `ip -n ${host} link set lo up`,
    `ip -n ${host} route add default via ${net}.1`,
    `ip netns exec ${gateway} sysctl -qw net.ipv4.ip_forward=1`,
    `printf '%s\\n' '${rules(kind, `${net}.2`)}' | ip netns exec ${gateway} nft -f -`
  ]
}

function rules(kind: Exclude<NatKind, 'open'>, inside: string): string {
  const randomly = kind === 'symmetric' ? 'fully-random' : ''
  const isCone = kind === 'full cone'
  return [
    'table ip nat {',
    `chain post { type nat hook postrouting priority srcnat; oifname "wan" masquerade ${randomly}; }`,
    'chain pre { type nat hook prerouting priority dstnat;',
    ...(isCone ? [`iifname "wan" meta l4proto tcp dnat to ${inside};`] : []),
    '}',
    '}',
    'table ip wall {',
    'chain through { type filter hook forward priority filter; policy drop;',
    `ct state established,related accept; iifname "lan" accept; ${isCone ? 'accept;' : ''} }`,
    // a router that answers with a reset would end what is just being opened from the other side
    'chain own { type filter hook input priority filter; policy drop; iifname { "lan", "lo" } accept; }',
    'chain early { type filter hook prerouting priority raw;',
    ...(kind === 'no inbound' ? ['iifname "wan" tcp flags & (syn|ack) == syn drop;'] : []),
    '}',
    '}'
  ].join('\n')
}
